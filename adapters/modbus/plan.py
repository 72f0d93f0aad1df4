"""Which reads fetch a set of points: as few as the protocol and the device allow. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from adapters.modbus.point import Point, Table


@dataclass(frozen=True, slots=True)
class Limits:
    """What one read may ask for.

    max_registers  registers in one read: 125 by the protocol, less for some devices
    max_bits       coils or discrete inputs in one read: 2000 by the protocol
    max_gap        unwanted registers that may be read along to save a request (16 bits count as one)
    """

    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 16

    def cap(self, table: Table) -> int:
        """The most addresses that one read of this table may span."""
        return self.max_bits if table.is_bits else self.max_registers

    def gap(self, table: Table) -> int:
        """The most unwanted addresses between two points of one read."""
        return 16 * self.max_gap if table.is_bits else self.max_gap


@dataclass(frozen=True, slots=True)
class Block:
    """One read: `count` addresses of a table, and which points (by index) it brings."""

    table: Table
    address: int
    count: int
    points: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of data in its reply."""
        return (self.count + 7) // 8 if self.table.is_bits else 2 * self.count


def plan(points: Sequence[Point], limits: Limits, wanted: Sequence[int] | None = None) -> tuple[Block, ...]:
    """The fewest reads that bring every wanted point whole, in order of table and address.

    Taking points by address and closing a block only where the next one does not fit is optimal here: what does
    not fit begins the next block, and everything after it begins no earlier.

    points: all points of a device or poll group
    limits: what one read may ask for
    wanted: indices into `points`; None: all
    Returns blocks whose `points` are indices into `points`, each wanted one in exactly one block; the result depends
    on the set of wanted points only, not on its order.
    ValueError: a point is larger than a read may be.
    """
    indices = range(len(points)) if wanted is None else wanted
    order = sorted(indices, key=lambda i: (points[i].table, points[i].address, -points[i].size, points[i].name, i))
    blocks: list[Block] = []
    for table, members in groupby(order, key=lambda i: points[i].table):
        blocks += _cover(table, points, list(members), limits)
    return tuple(blocks)


def _cover(table: Table, points: Sequence[Point], order: Sequence[int], limits: Limits) -> list[Block]:
    """Blocks over the points of one table, which come sorted by address."""
    cap, gap = limits.cap(table), limits.gap(table)
    blocks: list[Block] = []
    inside: list[int] = []
    start = end = 0
    for index in order:
        point = points[index]
        if point.size > cap:
            raise ValueError(f"point {point.name!r} needs {point.size} registers, but a read may bring only {cap}")
        if inside and (point.address - end > gap or max(end, point.end) - start > cap):
            blocks.append(Block(table, start, end - start, tuple(inside)))
            inside = []
        if not inside:
            start, end = point.address, point.end
        inside.append(index)
        end = max(end, point.end)
    return [*blocks, Block(table, start, end - start, tuple(inside))]

"""Which reads fetch a set of points: as few as the protocol and the device allow. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from adapters.modbus.point import Forbidden, Point, Table

ADDRESSES: Final = 65536  # in each table


@dataclass(frozen=True, slots=True)
class Limits:
    """What one read may ask for.

    max_registers          registers in one read: 125 by the protocol, less for some devices
    max_bits               coils or discrete inputs in one read: 2000 by the protocol
    max_gap                unwanted registers that may be read along to save a request (16 bits count as one)
    forbidden              addresses that no read may touch
    borders                addresses at which a read may begin or end, but which none may run across
    one_request_per_point  for devices that give a value only by its own address and length
    """

    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 16
    forbidden: tuple[Forbidden, ...] = ()
    borders: tuple[tuple[Table, int], ...] = ()
    one_request_per_point: bool = False

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
    ValueError: a point is larger than a read may be, ends behind the table, or lies in a forbidden range.
    """
    indices = range(len(points)) if wanted is None else wanted
    order = sorted(indices, key=lambda i: (points[i].table, points[i].address, -points[i].size, points[i].name, i))
    blocks: list[Block] = []
    for table, members in groupby(order, key=lambda i: points[i].table):
        blocks += _cover(table, points, list(members), limits)
    return tuple(blocks)


def _cover(table: Table, points: Sequence[Point], order: Sequence[int], limits: Limits) -> list[Block]:
    """Blocks over the points of one table, which come sorted by address."""
    walls = _Walls(table, limits)
    cap, gap, alone = limits.cap(table), limits.gap(table), limits.one_request_per_point
    blocks: list[Block] = []
    inside: list[int] = []
    start = end = 0
    for index in order:
        point = points[index]
        address, stop = point.address, point.end
        _check(point, cap, walls)
        apart = (address, stop) != (start, end) if alone else address - end > gap or max(end, stop) - start > cap
        if inside and (apart or walls.between(end, address)):
            blocks.append(Block(table, start, end - start, tuple(inside)))
            inside = []
        if not inside:
            start, end = address, stop
        inside.append(index)
        end = max(end, stop)
    return [*blocks, Block(table, start, end - start, tuple(inside))]


def _check(point: Point, cap: int, walls: "_Walls") -> None:
    if point.size > cap:
        raise ValueError(f"point {point.name!r} needs {point.size} registers, but a read may bring only {cap}")
    if point.end > ADDRESSES:
        raise ValueError(f"point {point.name!r} ends at address {point.end - 1}; the last one is {ADDRESSES - 1}")
    if (touched := walls.touched(point.address, point.end)) is not None:
        raise ValueError(f"point {point.name!r} ({point.where}) lies in {touched}, which is forbidden")


class _Walls:
    """What the reads of one table must not touch or cross, as disjoint ranges in order; a border is an empty range."""

    def __init__(self, table: Table, limits: Limits) -> None:
        ranges = [(f.first, f.last + 1) for f in limits.forbidden if f.table is table]
        ranges += [(address, address) for owner, address in limits.borders if owner is table]
        self._table = table
        self._ranges: list[tuple[int, int]] = []
        for first, stop in sorted(ranges):
            if self._ranges and first < self._ranges[-1][1]:
                begin, end = self._ranges.pop()
                self._ranges.append((begin, max(end, stop)))
            else:
                self._ranges.append((first, stop))

    def between(self, end: int, address: int) -> bool:
        """Whether one lies in the hole between two points, or on the border where they meet."""
        at = bisect_left(self._ranges, (end, end))
        return at < len(self._ranges) and self._ranges[at][1] <= address

    def touched(self, address: int, stop: int) -> str | None:
        """The range that a point has addresses in, in words."""
        for first, end in self._ranges[max(0, bisect_left(self._ranges, (address, address)) - 1) :]:
            if first >= stop:
                return None
            if max(first, address) < min(end, stop):
                return f"{self._table} {first}…{end - 1}"
        return None

"""What a device refuses to give: found by halving a refused read, left out, and tried again slowly."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.plan import Block, Limits
from adapters.modbus.point import Point, Table

_NO_SUCH_ADDRESS: Final = frozenset({2, 3})  # how devices refuse a register that they do not have
PROBE_S: Final = 60.0
_FORGET_S: Final = 3600.0
_ENOUGH: Final = 4  # refused places, and none given, after which a device counts as refusing everything

Ask = Callable[[Sequence[Read]], Awaitable[list[Answer]]]


def is_refusal(answer: Answer) -> bool:
    """Whether a device says that it has no such registers."""
    return isinstance(answer, Failure) and answer.exception in _NO_SUCH_ADDRESS


@dataclass(frozen=True, slots=True)
class _Place:
    """Registers that hold one point, or several that share them."""

    table: Table
    address: int
    stop: int
    rows: tuple[int, ...]


@dataclass(slots=True)
class Found:
    """What halving a refused read has shown.

    guilty   rows of points whose own registers are refused
    borders  where two reads that the device accepts must not become one: a hole that it refuses, or too long a read
    """

    guilty: list[int] = field(default_factory=list)
    borders: list[tuple[Table, int]] = field(default_factory=list)


async def search(points: Sequence[Point], block: Block, unit: int, ask: Ask) -> Found:
    """Halves a refused block until each refusal is explained: about 2·log₂(points) reads for one bad register.

    Nothing is believed that was refused only once: some devices refuse now and then what they have.
    """
    spans = groupby(block.points, key=lambda row: (points[row].address, points[row].end))
    places = [_Place(block.table, address, stop, tuple(rows)) for (address, stop), rows in spans]
    halving = _Halving(unit, ask)
    await halving.explain(places)
    return halving.found


class _Halving:
    def __init__(self, unit: int, ask: Ask) -> None:
        self.found = Found()
        self._unit = unit
        self._ask = ask
        self._gave = False  # anything at all
        self._refused = 0  # places

    async def explain(self, places: Sequence[_Place]) -> None:
        """Explains why these places, read together, are refused."""
        if len(places) == 1 or (self._refused >= _ENOUGH and not self._gave):
            await self._accuse(places)
            return
        middle = len(places) // 2
        halves = (places[:middle], places[middle:])
        answers = await self._read(*halves)
        if all(isinstance(answer, Reply) for answer in answers) and is_refusal((await self._read(places))[0]):
            self.found.borders.append((places[middle].table, places[middle].address))
        for half, answer in zip(halves, answers, strict=True):
            if is_refusal(answer):
                await self.explain(half)

    async def _accuse(self, places: Sequence[_Place]) -> None:
        """One place alone; or all the rest, of a device that refuses whatever it is asked."""
        if len(places) > 1 or is_refusal((await self._read(places))[0]):
            self._refused += len(places)
            self.found.guilty += [row for place in places for row in place.rows]

    async def _read(self, *parts: Sequence[_Place]) -> list[Answer]:
        answers = await self._ask([_read(part, self._unit) for part in parts])
        self._gave |= any(isinstance(answer, Reply) for answer in answers)
        return answers


def _read(places: Sequence[_Place], unit: int) -> Read:
    address = places[0].address
    return Read(unit, places[0].table, address, max(place.stop for place in places) - address)


class Refusals:
    """What is known of a device's refusals. Pure.

    Each minute one point that was left out is due to be tried again; when one is back, so is what else was learned:
    the device has changed. Borders are forgotten after an hour, which costs one refused read if they still hold.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._borders: set[tuple[Table, int]] = set()
        self._forget_at = self._probe_at = 0.0
        self.quarantined: deque[int] = deque()  # rows; the next to be tried first

    @property
    def rows(self) -> list[int]:
        """The rows of the points that are read."""
        out = frozenset(self.quarantined)
        return [row for row in range(len(self._points)) if row not in out]

    def limits(self, limits: Limits) -> Limits:
        """The device's limits, and what was learned: no read runs across a point that was left out, or a border."""
        gone = {(self._points[row].table, self._points[row].end) for row in self.quarantined}
        return replace(limits, borders=tuple(sorted({*limits.borders, *self._borders, *gone})))

    def learn(self, found: Found, now: float) -> None:
        """Takes note."""
        if not self._borders:
            self._forget_at = now + _FORGET_S
        self._borders.update(found.borders)
        self.leave_out(found.guilty, now)

    def leave_out(self, rows: Iterable[int], now: float) -> None:
        """Quarantines points."""
        self.quarantined.extend(rows)
        self._probe_at = now + PROBE_S

    def is_due(self, now: float) -> bool:
        """Whether a point that was left out shall be tried: when it is time, or nothing else is read."""
        return bool(self.quarantined) and (now >= self._probe_at or len(self.quarantined) == len(self._points))

    def still(self, now: float) -> None:
        """The point that was tried is still refused; the next one's turn comes in a minute."""
        self._probe_at = now + PROBE_S
        self.quarantined.rotate(-1)

    def back(self) -> tuple[int, ...]:
        """The point that was tried is given again; returns the rows that are read again.

        All of them where nothing was read: the device was starting, or another one took its place.
        """
        self._borders.clear()
        if len(self.quarantined) < len(self._points):
            return (self.quarantined.popleft(),)
        rows = tuple(self.quarantined)
        self.quarantined.clear()
        return rows

    def forget(self, now: float) -> bool:
        """Forgets borders that are an hour old; whether there were any."""
        if not self._borders or now < self._forget_at:
            return False
        self._borders.clear()
        return True

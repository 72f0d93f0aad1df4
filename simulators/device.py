"""A simulated Modbus device: the registers of a profile, kept up with what the device sees."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from simulators.encoding import Encoder, Shown, encoder, mask
from simulators.meanings import Reading, Sight, Value, readings
from simulators.profiles import Point, Profile, Table

Correction = Callable[[Value, float], float]
"""What a counter shows instead of its true number: a replaced meter begins anew."""

GAP_OF_A_DATA_BLOCK: Final = 16
"""Controllers keep their words in a block: up to so many addresses between two points are there, and zero."""


class Refused(NamedTuple):
    """The device answers with an exception of Modbus."""

    code: Literal[1, 2, 3, 4]


ILLEGAL_FUNCTION: Final = Refused(1)
ILLEGAL_ADDRESS: Final = Refused(2)
ILLEGAL_VALUE: Final = Refused(3)


@dataclass(slots=True)
class Run:
    """Adjacent registers, or bits, of one table."""

    begin: int
    words: list[int]

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.begin + len(self.words)


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one point's words go, and how they come about."""

    run: Run
    at: int
    keep: int
    encode: Encoder
    value: Value
    counter: bool

    def write(self, sight: Sight, correct: Correction | None) -> None:
        value = self.value(sight)
        if correct is not None and self.counter and isinstance(value, (int, float)):
            value = correct(self.value, value)
        words = self.encode(value)
        if self.keep:
            words = [self.run.words[self.at] & self.keep | words[0]]
        self.run.words[self.at : self.at + len(words)] = words


@dataclass(slots=True)
class Device:
    """One unit's registers.

    sight  what the device sees; the caller brings it up to date before `refresh`
    """

    profile: Profile
    sight: Sight
    _runs: dict[Table, list[Run]] = field(default_factory=dict)
    _live: list[_Slot] = field(default_factory=list)

    def __post_init__(self) -> None:
        meaning = readings(self.profile, has_machine=self.sight.panel is not None)
        block = GAP_OF_A_DATA_BLOCK if "state" in meaning else 0
        for table in dict.fromkeys(point.table for point in self.profile.points):
            points = [point for point in self.profile.points if point.table == table]
            self._runs[table] = _runs(points, block)
            for point in points:
                self._place(point, meaning)

    def refresh(self, correct: Correction | None = None) -> None:
        """Write what the device sees now into its registers."""
        for slot in self._live:
            slot.write(self.sight, correct)

    def read(self, table: Table, address: int, count: int) -> list[int] | Refused:
        """The words (or bits) that a read gets, or why it is refused."""
        if table not in self._runs:
            return ILLEGAL_FUNCTION
        if table in ("holding", "input") and count > self.profile.max_registers:
            return ILLEGAL_VALUE
        runs = self._runs[table]
        index = bisect_right(runs, address, key=lambda run: run.begin) - 1
        if index < 0 or address + count > runs[index].end:
            return ILLEGAL_ADDRESS
        begin = address - runs[index].begin
        return runs[index].words[begin : begin + count]

    def _place(self, point: Point, meaning: Mapping[str, Reading]) -> None:
        runs = self._runs[point.table]
        run = runs[bisect_right(runs, point.address, key=lambda run: run.begin) - 1]
        reading = meaning[point.name]
        if point.bits:
            reading = _word_of(point.bits, meaning)
        elif point.scale_register:
            reading = _scaled(reading, meaning[point.scale_register])
        slot = _Slot(
            run, point.address - run.begin, 0xFFFF & ~mask(point), encoder(point), reading.value, point.counter
        )  # fmt: skip
        slot.write(self.sight, None)
        if reading.varies:
            self._live.append(slot)


def _runs(points: Iterable[Point], block: int) -> list[Run]:
    """The addresses that a table has: those of its points, and gaps of up to `block` between them."""
    ends: list[list[int]] = []
    for begin, end in sorted((point.address, point.address + point.width) for point in points):
        if ends and begin <= ends[-1][1] + block:
            ends[-1][1] = max(end, ends[-1][1])
        else:
            ends.append([begin, end])
    return [Run(begin, [0] * (end - begin)) for begin, end in ends]


def _word_of(bits: Mapping[str, int], meaning: Mapping[str, Reading]) -> Reading:
    """A word that is made of its bits."""
    parts = [(meaning[name].value, bit) for name, bit in bits.items()]

    def word(sight: Sight) -> Shown:
        return sum(bool(value(sight)) << bit for value, bit in parts)

    return Reading(word, varies=any(meaning[name].varies for name in bits))


def _scaled(reading: Reading, exponent: Reading) -> Reading:
    """A number whose power of ten is in another register."""

    def raw(sight: Sight) -> Shown:
        value, power = reading.value(sight), exponent.value(sight)
        if not isinstance(value, (int, float)) or not isinstance(power, (int, float)):
            return None
        return value / 10**power

    return Reading(raw, reading.varies)

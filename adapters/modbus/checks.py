"""What a decoded column is checked against: sentinels, scale registers, limits, plausible steps. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, log10, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.point import Point, width
from gateway.model import GOOD, Reason, bad

Values = NDArray[np.float64]
Qualities = NDArray[np.uint8]
Check = Callable[[Values, Qualities], None]
"""Looks at a whole column; what cannot be used becomes NaN with its reason in the quality."""

NO_DECIMAL: Final = 2**64 - 1  # stands for a BCD number with a digit above 9
_EXACT: Final = 2**53  # integers up to here are exact in a float64
_POWERS: Final = np.array([float(10**n) for n in range(23)])  # all powers of ten that a float64 holds exactly
_LARGEST_EXPONENT: Final = 10  # as SunSpec allows
_MOST_DECIMALS: Final = len(_POWERS) - 1 - _LARGEST_EXPONENT


@dataclass(slots=True)
class Memory:
    """What is known of a device from one poll to the next, by the names of its points."""

    exponents: dict[str, float] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)
    doubted: dict[str, float] = field(default_factory=dict)


def raw_checks(points: Sequence[Point], rows: Sequence[int], raw: NDArray[Any]) -> list[Check]:
    """Checks of numbers as the device sent them.

    rows: where the points stand in the column
    raw:  their slots, filled anew before every check
    """
    checks: list[Check] = []
    numbers = [(at, number) for at, point in enumerate(points) for number in _sentinels(point)]
    if numbers:
        at = np.array([at for at, _ in numbers], np.intp)
        row = np.array(rows, np.intp)[at]
        sentinel = np.array([number for _, number in numbers], raw.dtype)
        checks.append(lambda value, quality: _spoil(row[raw[at] == sentinel], Reason.NOT_A_VALUE, value, quality))
    wide = [at for at, point in enumerate(points) if width(point.type) == 64 and not point.lossy]
    if wide and raw.dtype.kind != "f":
        wide_at = np.array(wide, np.intp)
        wide_row = np.array(rows, np.intp)[wide_at]
        checks.append(lambda value, quality: _check_width(raw[wide_at], wide_row, value, quality))
    return checks


def checks_of(points: Sequence[Point], memory: Memory) -> list[Check]:
    """Checks of values, in the order in which they must be made."""
    rows = {point.name: row for row, point in enumerate(points)}
    checks: list[Check] = []
    with_sentinel = {point.name for point in points if point.not_a_value}
    bits = [(row, rows[point.word]) for row, point in enumerate(points) if point.word in with_sentinel]
    if bits:
        bit_rows, word_rows = np.array(bits, np.intp).T
        checks.append(lambda value, quality: _check_bits(bit_rows, word_rows, value, quality))
    for name, scale in dict.fromkeys((p.scale_register, p.scale) for p in points if p.scale_register):
        memory.exponents.setdefault(name, nan)
        users = [rows[p.name] for p in points if (p.scale_register, p.scale) == (name, scale)]
        checks.append(_Exponent(name, rows.get(name), np.array(users, np.intp), scale, memory))
    checks.append(lambda value, quality: _remember(rows, memory, value, quality))
    if any(point.min > -inf or point.max < inf for point in points):
        checks.append(_Limits(np.array([p.min for p in points]), np.array([p.max for p in points])))
    counters = [(row, point) for row, point in enumerate(points) if point.max_step < inf]
    if counters:
        checks.append(lambda value, quality: _check_steps(counters, memory, value, quality))
    return checks


def _sentinels(point: Point) -> list[float]:
    """A point's sentinels as they lie in its slot."""
    if point.type.startswith("int"):
        return [int(number) << 64 - width(point.type) for number in point.not_a_value]
    return [*point.not_a_value, *([NO_DECIMAL] if point.type.startswith("bcd") else [])]


def _spoil(rows: NDArray[np.intp], reason: Reason, value: Values, quality: Qualities) -> None:
    """Marks rows bad that were good."""
    rows = rows[quality[rows] == GOOD]
    value[rows], quality[rows] = np.nan, bad(reason)


def _remember(rows: Mapping[str, int], memory: Memory, value: Values, quality: Qualities) -> None:
    """Keeps the exponents of this column for points of other poll groups."""
    for name in memory.exponents:
        if name in rows and quality[rows[name]] == GOOD:
            memory.exponents[name] = value.item(rows[name])


@dataclass(frozen=True, slots=True)
class _Exponent:
    """Scales the points that share a scale register and a scale.

    An exponent of their own poll group counts only if it came with them; one of another group is held.
    """

    name: str
    row: int | None
    users: NDArray[np.intp]
    scale: float
    memory: Memory

    def __call__(self, value: Values, quality: Qualities) -> None:
        exponent, why = self.memory.exponents[self.name], bad(Reason.MISSING)
        if self.row is not None:
            exponent, why = value.item(self.row), quality.item(self.row)
        if isfinite(exponent) and not -_LARGEST_EXPONENT <= exponent <= _LARGEST_EXPONENT:
            exponent, why = nan, bad(Reason.NOT_A_VALUE)  # SunSpec says so by 0x8000
        if not isfinite(exponent):
            spoilt = self.users[quality[self.users] == GOOD]
            value[spoilt], quality[spoilt] = np.nan, why
            return
        # a scale like 0.001 joins the exponent, so that the number is rounded once
        decimals = round(log10(abs(self.scale)))
        is_decimal = abs(decimals) <= _MOST_DECIMALS and self.scale == float(f"1e{decimals}")
        power = int(exponent) + (decimals if is_decimal else 0)
        found = value[self.users] * (1.0 if is_decimal else self.scale)
        value[self.users] = found * _POWERS[power] if power >= 0 else found / _POWERS[-power]


@dataclass(frozen=True, slots=True)
class _Limits:
    """The least and the largest value of every point."""

    least: Values
    largest: Values

    def __call__(self, value: Values, quality: Qualities) -> None:
        _spoil(np.flatnonzero((value < self.least) | (value > self.largest)), Reason.OUT_OF_RANGE, value, quality)


def _check_bits(rows: NDArray[np.intp], words: NDArray[np.intp], value: Values, quality: Qualities) -> None:
    """Bits of a word that holds a sentinel mean nothing."""
    _spoil(rows[quality[words] == bad(Reason.NOT_A_VALUE)], Reason.NOT_A_VALUE, value, quality)


def _check_width(raw: NDArray[Any], rows: NDArray[np.intp], value: Values, quality: Qualities) -> None:
    """64-bit integers that a float64 cannot hold exactly."""
    _spoil(rows[(raw > _EXACT) | (raw < -_EXACT)], Reason.OUT_OF_RANGE, value, quality)


def _check_steps(counters: Sequence[tuple[int, Point]], memory: Memory, value: Values, quality: Qualities) -> None:
    """A counter that jumps, up or down, is bad until its next reading agrees with the jump."""
    for row, point in counters:
        if quality[row] != GOOD:
            continue
        new, last, doubted = value.item(row), memory.counters.get(point.name), memory.doubted.pop(point.name, None)
        if last is None or _is_step(point, last, new) or (doubted is not None and _is_step(point, doubted, new)):
            memory.counters[point.name] = new
            continue
        memory.doubted[point.name] = new
        value[row], quality[row] = np.nan, bad(Reason.OUT_OF_RANGE)


def _is_step(point: Point, last: float, new: float) -> bool:
    """Whether a counter may grow from `last` to `new`, over its end too."""
    step = new - last
    return 0 <= (step + point.modulus if step < 0 else step) <= point.max_step

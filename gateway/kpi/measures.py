"""Measured values → what capability follows from: counts, sums and ranges of subgroups, all of them whole. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import Binding, Measure
from gateway.kpi.facts import Series

HOUR_MS: Final = 3_600_000
LEAST: Final = 50
"""Fewer values say nothing about a process."""
MOST_AN_HOUR: Final = 100_000
_FARTHEST: Final = 2**23  # steps from the origin: squares of an hour stay within 64 bits
_D2: Final = (
    *(1.128, 1.693, 2.059, 2.326, 2.534, 2.704, 2.847, 2.970, 3.078, 3.173, 3.258, 3.336),
    *(3.407, 3.472, 3.532, 3.588, 3.640, 3.689, 3.735, 3.778, 3.819, 3.858, 3.895, 3.931),
)
"""Mean range of 2 … 25 values of a normal distribution, in standard deviations (ISO 7870-2)."""
INDICES: Final = ("cp", "cpk", "cm", "cmk")
SUBGROUPS: Final = (2, len(_D2) + 1)


class Hour(NamedTuple):
    """The values of one measure in one hour, in whole steps from an origin: value = origin + x · step.

    n, total, squares       how many, Σx, Σx²
    subgroup, groups, ranges  values in a subgroup; complete subgroups of consecutive values, Σ (highest − lowest)
    left_out                too far away to be a value of this measure, or more than an hour may have
    """

    hour: int
    n: int
    total: int
    squares: int
    subgroup: int
    groups: int
    ranges: int
    left_out: int
    origin: float
    step: float


def hour_of(series: Series, binding: Binding, measure: Measure, hour: int) -> Hour:
    """The sums of one hour.

    A polled tag shows its last value until there is a new one: there a reading counts where it differs from the one
    before. Subgroups are formed of consecutive values from the start of the hour on.

    Args:
        series: the facts of the hour, with the usable one before it.
        hour: since 1970, UTC.
    """
    time_ms, value = series.time_ms[series.usable], series.value[series.usable]
    counts = (time_ms >= hour * HOUR_MS) & (time_ms < (hour + 1) * HOUR_MS)
    if binding.hold.polled:
        counts &= np.diff(value, prepend=np.nan) != 0
    steps = np.rint((value[counts] - measure.origin) / measure.step)
    near = steps[np.abs(steps) <= _FARTHEST][:MOST_AN_HOUR].astype(np.int64)
    whole = near[: len(near) // measure.subgroup * measure.subgroup].reshape(-1, measure.subgroup)
    return Hour(
        hour=hour,
        n=len(near),
        total=int(near.sum()),
        squares=int((near * near).sum()),
        subgroup=measure.subgroup,
        groups=len(whole),
        ranges=int((whole.max(axis=1) - whole.min(axis=1)).sum()) if len(whole) else 0,
        left_out=len(steps) - len(near),
        origin=measure.origin,
        step=measure.step,
    )


@dataclass(frozen=True, slots=True)
class Capability:
    """What a process can do, by ISO 22400-2 no. 19–22.

    n, mean, deviation  of all values; the deviation is that of a sample
    within              standard deviation inside subgroups: mean range / d2
    cp, cpk             by `within`: what the process could do
    cm, cmk             by `deviation`: what the machine did
    reasons             key → why there is none
    """

    n: int
    left_out: int
    groups: int
    mean: float | None = None
    deviation: float | None = None
    within: float | None = None
    cp: float | None = None
    cpk: float | None = None
    cm: float | None = None
    cmk: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def capability(hours: Iterable[Hour], lsl: float | None, usl: float | None) -> Capability:
    """Capability over any hours, from their sums; exact up to the last division.

    lsl, usl: the limits, None: there is none on this side.
    """
    every = tuple(hours)
    n, groups = sum(one.n for one in every), sum(one.groups for one in every)
    left_out = sum(one.left_out for one in every)
    if not n:
        return Capability(0, left_out, 0, reasons=dict.fromkeys(INDICES, "no measured values"))
    mean, variance = _moments(every, n)
    deviation = sqrt(variance) if variance is not None else None
    within = sum(one.ranges * one.step / _D2[one.subgroup - 2] for one in every) / groups if groups else None
    found: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for both, least, spread, zero in (
        ("cp", "cpk", within, "no complete subgroup"),
        ("cm", "cmk", deviation, "one value"),
    ):
        why = _lacks(n, spread, zero)
        room = _room(float(mean), lsl, usl)
        found[both] = None if why or lsl is None or usl is None else (usl - lsl) / (6 * (spread or 1))
        found[least] = None if why else room / (3 * (spread or 1))
        reasons |= {key: why for key in (both, least) if why}
        if not why and found[both] is None:
            reasons[both] = "needs both limits"
    return Capability(n, left_out, groups, float(mean), deviation, within, **found, reasons=reasons)


def _lacks(n: int, spread: float | None, zero: str) -> str:
    if n < LEAST:
        return f"{n} values: needs {LEAST}"
    if spread is None:
        return zero
    return "" if spread > 0 else "all values are the same"


def _room(mean: float, lsl: float | None, usl: float | None) -> float:
    """From the mean to the nearest limit."""
    sides = [*([usl - mean] if usl is not None else []), *([mean - lsl] if lsl is not None else [])]
    return min(sides)


def _moments(hours: Iterable[Hour], n: int) -> tuple[Fraction, Fraction | None]:
    """Mean and variance of a sample, in fractions: hours may have other origins and steps."""
    total = squares = Fraction(0)
    for one in hours:
        origin, step = Fraction(one.origin), Fraction(one.step)
        total += one.n * origin + step * one.total
        squares += one.n * origin**2 + 2 * origin * step * one.total + step**2 * one.squares
    return total / n, (squares - total**2 / n) / (n - 1) if n > 1 else None


def hours_touched(fresh: NDArray[np.int64], known: Series) -> list[int]:
    """The hours whose sums new facts change: their own, and that of the reading that follows each."""
    following = np.searchsorted(known.time_ms[known.usable], fresh, "right")
    times = known.time_ms[known.usable]
    after = times[following[following < len(times)]]
    return [int(hour) for hour in np.unique(np.concatenate([fresh, after]) // HOUR_MS)]

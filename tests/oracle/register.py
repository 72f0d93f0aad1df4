"""Energy between any two moments: interpolated in fractions, rounded where it is cumulated."""

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from tests.oracle.machine import Meter, Report

TIE = Fraction(1, 1000)


def register(meter: Meter, reports: list[Report]) -> Callable[[int], tuple[int, bool]]:
    """A function that tells the whole mWh up to a moment, and whether floats may round it the other way."""
    usable = [(r.at_ms, Fraction(r.value) * meter.per_unit) for r in reports if isinstance(r.value, float | int)]
    modulus = meter.modulus * meter.per_unit
    times = [at for at, _ in usable]
    joints = [0]
    for (_, v0), (_, v1) in pairwise(usable):
        base, end = _climb(v0, v1, modulus)
        joints.append(joints[-1] + round(end) - round(base))

    def cumulated(at: int) -> tuple[int, bool]:
        index = bisect_right(times, at) - 1
        if index < 0:
            return 0, False
        if index == len(usable) - 1:
            return joints[-1], False
        (t0, v0), (t1, v1) = usable[index], usable[index + 1]
        base, end = _climb(v0, v1, modulus)
        exact = base + (end - base) * Fraction(at - t0, t1 - t0)
        return joints[index] + round(exact) - round(base), abs(exact % 1 - Fraction(1, 2)) < TIE

    return cumulated


def _climb(v0: Fraction, v1: Fraction, modulus: Fraction) -> tuple[Fraction, Fraction]:
    """From where to where a register went between two readings."""
    if v1 >= v0 or v0 - v1 <= max(Fraction(1000), v0 / 1_000_000):
        return v0, v1
    if modulus and modulus - v0 + v1 <= modulus / 2:
        return v0, v1 + modulus
    if 2 * v1 > v0:
        return v1, v1  # no meter starts that high: it was replaced by a used one
    return Fraction(0), v1

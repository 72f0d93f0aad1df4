"""Energy between any two moments: interpolated in fractions, rounded where it is cumulated."""

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

from tests.oracle.machine import Meter, Report

TIE = Fraction(1, 1000)
MOST = 10**15  # mWh, which is 1 TWh
Reading = tuple[int, Fraction]


class Register:
    """An energy meter by its readings. refused: moments of readings that grew as no meter can."""

    def __init__(self, meter: Meter, reports: list[Report]) -> None:
        usable = [(r.at_ms, Fraction(r.value) * meter.per_unit) for r in reports if isinstance(r.value, float | int)]
        self.modulus = meter.modulus * meter.per_unit
        spikes = self._spikes([value for _, value in usable])
        self.readings = [reading for i, reading in enumerate(usable) if i not in spikes]
        self.refused = [usable[i][0] for i in spikes]
        self.times = [at for at, _ in self.readings]
        self.joints = [0]
        for (_, v0), (t1, v1) in pairwise(self.readings):
            base, end = self._climb(v0, v1)
            self.joints.append(self.joints[-1] + round(end) - round(base))
            if self._leaps(v0, v1):
                self.refused.append(t1)

    def cumulated(self, at: int) -> tuple[int, bool]:
        """The whole mWh up to a moment, and whether floats may round it the other way."""
        index = bisect_right(self.times, at) - 1
        if index < 0:
            return 0, False
        if index == len(self.readings) - 1:
            return self.joints[-1], False
        (t0, v0), (t1, v1) = self.readings[index : index + 2]
        base, end = self._climb(v0, v1)
        exact = base + (end - base) * Fraction(at - t0, t1 - t0)
        return self.joints[index] + round(exact) - round(base), abs(exact % 1 - Fraction(1, 2)) < TIE

    def _climb(self, v0: Fraction, v1: Fraction) -> tuple[Fraction, Fraction]:
        """From where to where a register went between two readings."""
        return (v1, v1) if self._leaps(v0, v1) else self._claimed(v0, v1)

    def _leaps(self, v0: Fraction, v1: Fraction) -> bool:
        base, end = self._claimed(v0, v1)
        return end - base > MOST

    def _claimed(self, v0: Fraction, v1: Fraction) -> tuple[Fraction, Fraction]:
        if v1 >= v0 or v0 - v1 <= max(Fraction(1000), v0 / 1_000_000):
            return v0, v1
        if self.modulus and 0 <= self.modulus - v0 + v1 <= self.modulus / 2:
            return v0, v1 + self.modulus
        if 2 * v1 > v0:
            return v1, v1  # no meter starts that high: it was replaced by a used one
        return Fraction(0), v1

    def _spikes(self, values: list[Fraction]) -> list[int]:
        """Readings that leap away while the next one goes on from the reading before; of several in a row the first."""
        found: list[int] = []
        doubtful = False
        for i in range(1, len(values) - 1):
            before, value, after = values[i - 1 : i + 2]
            goes_on = self._claimed(before, after)[0] == before and not self._leaps(before, after)
            follows = self._claimed(value, after) == (value, after) and not self._leaps(value, after)
            was, doubtful = doubtful, self._leaps(before, value) and goes_on and not follows
            if doubtful and not was:
                found.append(i)
        return found

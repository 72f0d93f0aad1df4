"""A rate that changes in steps, and its exact sum: power and energy, flow and volume."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self


@dataclass(slots=True)
class Steps:
    """A rate in whole units (W, var, mL/min) over time; all columns are int64.

    at_ms  when each step begins
    rate   what holds from then on
    sums   rate times milliseconds up to then: whole numbers, so sums never round
    """

    at_ms: "array[int]" = field(default_factory=lambda: array("q"))
    rate: "array[int]" = field(default_factory=lambda: array("q"))
    sums: "array[int]" = field(default_factory=lambda: array("q"))

    def step(self, at_ms: int, rate: int) -> None:
        """Book a rate that holds from `at_ms` on; what was foreseen from then on is forgotten."""
        times = self.at_ms
        if times and times[-1] >= at_ms:
            self._forget(at_ms)
        if not times:
            total = 0
        elif self.rate[-1] == rate:
            return
        else:
            total = self.sums[-1] + self.rate[-1] * (at_ms - times[-1])
        times.append(at_ms)
        self.rate.append(rate)
        self.sums.append(total)

    def rate_at(self, at_ms: int) -> int:
        """The rate that holds from `at_ms` on; 0 before the first step."""
        step = bisect_right(self.at_ms, at_ms) - 1
        return self.rate[step] if step >= 0 else 0

    def sum_at(self, at_ms: int) -> int:
        """Rate times milliseconds from the beginning to `at_ms`, exact."""
        step = bisect_right(self.at_ms, at_ms) - 1
        return self.sums[step] + self.rate[step] * (at_ms - self.at_ms[step]) if step >= 0 else 0

    def between(self, from_ms: int, to_ms: int) -> int:
        """Rate times milliseconds from one moment to the other, exact."""
        return self.sum_at(to_ms) - self.sum_at(from_ms)

    def _forget(self, from_ms: int) -> None:
        first = bisect_left(self.at_ms, from_ms)
        del self.at_ms[first:], self.rate[first:], self.sums[first:]

    @classmethod
    def of(cls, steps: Iterable[tuple[int, int]]) -> Self:
        """From (ms, rate) pairs in time order."""
        made = cls()
        for at_ms, rate in steps:
            made.step(at_ms, rate)
        return made

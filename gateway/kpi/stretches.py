"""Stretches of time as columns, and how much of them lies before any moment: exact under every partition. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.facts import FOREVER_MS


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """n stretches [start, end) in order, none overlaps another. start_ms, end_ms: int64[n], UTC."""

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]

    @staticmethod
    def where(time_ms: NDArray[np.int64], is_so: NDArray[np.bool_]) -> "Stretches":
        """From each moment that is so until the next one that is not; the last one for ever."""
        changed = np.flatnonzero(np.diff(is_so, prepend=False))
        edges = np.append(time_ms[changed], FOREVER_MS)
        return Stretches(edges[:-1:2], edges[1::2])

    def until(self, at_ms: NDArray[np.int64], every_ms: int = 1) -> NDArray[np.int64]:
        """int64[m]: how many multiples of `every_ms` since 1970 lie in the stretches before each moment."""
        if not len(self.start_ms):
            return np.zeros(len(at_ms), np.int64)
        low = _multiples(self.start_ms, every_ms)
        sizes = _multiples(self.end_ms, every_ms) - low
        before = np.cumsum(sizes) - sizes
        last = np.searchsorted(self.start_ms, at_ms, "right") - 1
        own = _multiples(np.minimum(at_ms, self.end_ms[last]), every_ms) - low[last]
        return np.where(last < 0, 0, before[last] + own)

    def within(self, other: "Stretches") -> "Stretches":
        """What both have in common."""
        edges = np.unique(np.concatenate([self.start_ms, self.end_ms, other.start_ms, other.end_ms]))
        is_both = self.covers(edges) & other.covers(edges)
        return Stretches.where(edges, is_both)

    def covers(self, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[m]: whether each moment lies in one."""
        last = np.searchsorted(self.start_ms, at_ms, "right") - 1
        found: NDArray[np.bool_] = (last >= 0) & (at_ms < np.append(self.end_ms, 0)[last])
        return found


def _multiples(at_ms: NDArray[np.int64], every_ms: int) -> NDArray[np.int64]:
    """How many multiples of a span, from 0 on, lie before moments."""
    return at_ms if every_ms == 1 else -(-at_ms // every_ms)

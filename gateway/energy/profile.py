"""A load profile: energy over time as int64 columns, and which of it was measured. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MS_PER_MWH_TO_KW = 3.6
"""1 mWh is 3.6 J; 1 J in 1 ms is 1 kW."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """n intervals without gaps, of any length.

    edge_ms  int64[n+1]  where they begin and end, UTC ms
    mwh      int64[n]    energy of each
    known    bool[n]     it was measured; otherwise mwh is 0, or spread evenly over a hole in the readings
    """

    edge_ms: NDArray[np.int64]
    mwh: NDArray[np.int64]
    known: NDArray[np.bool_]

    @staticmethod
    def of(
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
        mwh: NDArray[np.int64],
        known: NDArray[np.bool_],
        span: tuple[int, int],
    ) -> "Profile":
        """Intervals in order and apart from each other inside a span; where there is none, nothing is known."""
        edges = union(start_ms, end_ms, np.array(span, np.int64))
        rows = np.searchsorted(edges, start_ms)
        energy, measured = np.zeros(len(edges) - 1, np.int64), np.zeros(len(edges) - 1, np.bool_)
        energy[rows], measured[rows] = mwh, known
        return Profile(edges, energy, measured)

    def __len__(self) -> int:
        return len(self.mwh)

    @property
    def total_mwh(self) -> int:
        """The energy of all of it."""
        return int(self.mwh.sum())

    @property
    def known_ms(self) -> int:
        """For how long energy was measured."""
        return int(np.diff(self.edge_ms)[self.known].sum())

    @property
    def span_ms(self) -> int:
        """How long all of it is."""
        return int(self.edge_ms[-1] - self.edge_ms[0])

    def at(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """mWh from the beginning to each moment, evenly spread inside an interval. int64[m] → int64[m].

        The cumulated value is rounded, so that any partition of time adds up to the whole.
        """
        row = np.clip(np.searchsorted(self.edge_ms, at_ms, "right") - 1, 0, len(self) - 1)
        since = np.clip(at_ms - self.edge_ms[row], 0, None)
        share = np.clip(since / (self.edge_ms[row + 1] - self.edge_ms[row]), 0.0, 1.0)
        before = np.concatenate([[0], np.cumsum(self.mwh)])[row]
        found: NDArray[np.int64] = before + np.rint(self.mwh[row] * share).astype(np.int64)
        return found

    def unknown_at(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """ms that were not measured, from the beginning to each moment. int64[m] → int64[m]."""
        lacking = np.where(self.known, 0, np.diff(self.edge_ms))
        row = np.clip(np.searchsorted(self.edge_ms, at_ms, "right") - 1, 0, len(self) - 1)
        since = np.clip(at_ms - self.edge_ms[row], 0, self.edge_ms[row + 1] - self.edge_ms[row])
        before = np.concatenate([[0], np.cumsum(lacking)])[row]
        found: NDArray[np.int64] = before + np.where(self.known[row], 0, since)
        return found

    def unknown_runs(self) -> list[tuple[int, int]]:
        """The stretches (start, end) in UTC ms that were not measured."""
        step = np.diff(np.concatenate([[0], (~self.known).astype(np.int8), [0]]))
        first, last = np.flatnonzero(step == 1), np.flatnonzero(step == -1)
        return list(zip(self.edge_ms[first].tolist(), self.edge_ms[last].tolist(), strict=True))


def summed(profiles: Sequence[Profile]) -> Profile:
    """The sum of profiles of one span, measured where all of them are."""
    edges = union(*(profile.edge_ms for profile in profiles))
    mwh = sum((np.diff(profile.at(edges)) for profile in profiles), np.zeros(len(edges) - 1, np.int64))
    lacking = sum((np.diff(profile.unknown_at(edges)) for profile in profiles), np.zeros(len(edges) - 1, np.int64))
    return Profile(edges, mwh, lacking == 0)


def rest(whole: Profile, parts: Sequence[Profile]) -> Profile:
    """What a profile has beyond its parts, of one span; measured where all of them are."""
    edges = union(whole.edge_ms, *(part.edge_ms for part in parts))
    together = summed([Profile(edges, np.zeros(len(edges) - 1, np.int64), np.ones(len(edges) - 1, np.bool_)), *parts])
    mwh = np.diff(whole.at(edges)) - together.mwh
    return Profile(edges, mwh, together.known & (np.diff(whole.unknown_at(edges)) == 0))


def union(*times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every moment of some columns once, in order."""
    every = np.sort(np.concatenate(times_ms), kind="stable")  # runs of sorted columns; np.unique would hash them
    once: NDArray[np.int64] = every[np.append(True, np.diff(every) > 0)]
    return once


def among(times_ms: NDArray[np.int64], found_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[n]: which moments stand in an ascending column."""
    if not len(found_ms):
        return np.zeros(len(times_ms), np.bool_)
    row = np.minimum(np.searchsorted(found_ms, times_ms), len(found_ms) - 1)
    same: NDArray[np.bool_] = found_ms[row] == times_ms
    return same


def kw(mwh: float, over_ms: int) -> float:
    """Mean power. mWh over ms → kW."""
    return mwh * _MS_PER_MWH_TO_KW / over_ms

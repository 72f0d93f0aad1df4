"""Segments and facts → minute buckets: int64 quantities that add up under any partition of time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import COUNTS, STOPS, AssetModel, TimeClass, fact_roles, is_timed
from gateway.kpi.counters import count_increments, energy_increments
from gateway.kpi.facts import Series
from gateway.kpi.segments import Segments

MINUTE_MS: Final = 60_000
_STOPPED: Final = np.array([*STOPS, TimeClass.MINOR_STOP], np.int8)
_KINDS: Final = (
    *("producing", "setup", "idle", "fault", "blocked", "starved"),
    *("planned_stop", "unknown", "minor_stop", "maintenance", "unplanned"),
)
_UNPLANNED: Final = _KINDS.index("unplanned")
_IN_PLANNED: Final = ("producing", "setup", "idle", "fault", "blocked", "starved", "minor_stop", "unknown")
_OUTSIDE: Final = ("planned_stop", "maintenance", "unplanned")
quantities: Final[tuple[str, ...]] = (
    "planned",
    *(f"time_{name}" for name in (*_IN_PLANNED, *_OUTSIDE, "order")),
    *("ideal_total", "ideal_good", "ideal_startup", "rated_total", "takt_total"),
    *("total", "output", "good", "scrap", "rework", "startup_scrap", "inspected", "passed"),
    *("stops", "minor_stops", "faults"),
    *(f"energy_{name}" for name in (*_IN_PLANNED, *_OUTSIDE)),
    *("energy", "facts", "facts_bad", "counter_anomalies"),
    *(f"dq_{name}" for name in ("expected", "received", "checked", "accurate", "in", "bad", "time", "live")),
)
"""Names of the additive quantities, in their stored order: times in µs, energies in mWh, the others counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """One row per minute of a range, ascending and without gaps.

    minute  int64[m]                     minutes since 1970, UTC
    values  int64[len(quantities), m]    one row of the array per quantity, in the order of `quantities`
    """

    minute: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.minute)

    def __getitem__(self, quantity: str) -> NDArray[np.int64]:
        """int64[m] of one quantity."""
        row: NDArray[np.int64] = self.values[quantities.index(quantity)]
        return row

    def total(self) -> dict[str, int]:
        """Each quantity summed over the range."""
        return dict(zip(quantities, self.values.sum(axis=1).tolist(), strict=True))


def buckets(asset: AssetModel, segs: Segments, facts: Mapping[str, Series], from_ms: int, to_ms: int) -> Buckets:
    """All minutes of a range at once; minutes that the range covers in part hold that part only.

    Args:
        asset: the model.
        segs: `segments(...)` of the same range.
        facts: role → facts, with the neighbours of the range (`slice_with_neighbours`).
        from_ms, to_ms: the range, UTC ms, [from, to).
    """
    minutes = _Minutes(from_ms, to_ms)
    plan = np.array(asset.calendar.planned(from_ms, to_ms), np.int64).reshape(-1)
    found = _counts(asset, facts, minutes) | _times_and_energy(asset, segs, facts, plan, minutes)
    found["facts"], unusable = _facts(asset, facts, minutes)
    found["facts_bad"] += unusable
    found["stops"] = minutes.sum(_stop_starts(segs, plan))
    return Buckets(minutes.minute, np.array([found.get(name, minutes.zeros) for name in quantities], np.int64))


class _Minutes:
    """The rows of a range; sums what happened or lasted into them."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self.from_ms, self.to_ms = from_ms, max(from_ms, to_ms)
        self.minute = np.arange(from_ms // MINUTE_MS, -(-self.to_ms // MINUTE_MS), dtype=np.int64)
        self.zeros = np.zeros(len(self.minute), np.int64)

    def rows(self, time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        return time_ms // MINUTE_MS - self.from_ms // MINUTE_MS

    def sum(self, time_ms: NDArray[np.int64], amount: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """What happened in [from, to), by minute; each event counts 1 or its amount."""
        inside = (time_ms >= self.from_ms) & (time_ms < self.to_ms)
        weights = None if amount is None else amount[inside]
        return _sums(self.rows(time_ms[inside]), weights, len(self.minute))

    @property
    def edges(self) -> NDArray[np.int64]:
        inner = np.append(self.minute, self.minute[-1:] + 1) * MINUTE_MS
        return np.clip(inner, self.from_ms, self.to_ms)


def _sums(rows: NDArray[np.int64], weights: NDArray[np.int64] | None, length: int) -> NDArray[np.int64]:
    # bincount adds in float64, which is exact up to 2**53: 104 days of µs or 9 TWh of mWh in one minute
    return np.rint(np.bincount(rows, weights, length)).astype(np.int64)


def _counts(asset: AssetModel, facts: Mapping[str, Series], minutes: _Minutes) -> dict[str, NDArray[np.int64]]:
    """Parts by the minute of the reading that shows them; any two counts give the third."""
    found: dict[str, NDArray[np.int64]] = {}
    rejected = minutes.zeros
    for role in COUNTS:
        if role in asset.bindings:
            grown = count_increments(facts.get(role, Series.empty()), asset.bindings[role], asset.ideal_cycle_us)
            found[role] = minutes.sum(grown.time_ms, grown.step)
            rejected = rejected + minutes.sum(grown.time_ms[grown.rejected])
    if len(found) == 2:
        found.setdefault("total", found.get("good", minutes.zeros) + found.get("scrap", minutes.zeros))
        found.setdefault("good", found["total"] - found.get("scrap", minutes.zeros))
        found.setdefault("scrap", found["total"] - found["good"])
    ideal_us = asset.ideal_cycle_us or 0
    ideals = {f"ideal_{role}": found.get(role, minutes.zeros) * ideal_us for role in ("total", "good")}
    return found | ideals | {"facts_bad": rejected}


def _facts(
    asset: AssetModel, facts: Mapping[str, Series], minutes: _Minutes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many facts there were, and how many of them were not usable."""
    every, unusable = minutes.zeros, minutes.zeros
    for role in fact_roles(asset):
        if role in facts:
            every = every + minutes.sum(facts[role].time_ms)
            unusable = unusable + minutes.sum(facts[role].time_ms[~facts[role].usable])
    return every, unusable


def _times_and_energy(
    asset: AssetModel, segs: Segments, facts: Mapping[str, Series], plan: NDArray[np.int64], minutes: _Minutes
) -> dict[str, NDArray[np.int64]]:
    """Time and energy of each class, cut at every edge of minute, segment and planned time."""
    ends = segs.end_ms[-1:]
    edges = np.unique(
        np.clip(np.concatenate([minutes.edges, segs.start_ms, ends, plan]), minutes.from_ms, minutes.to_ms)
    )
    start = edges[:-1]
    segment = np.searchsorted(segs.start_ms, start, "right") - 1
    covered = (segment >= 0) & (start < (ends[0] if len(ends) else minutes.from_ms))
    classes_of = np.append(segs.time_class, np.int8(TimeClass.UNKNOWN))
    time_class = np.where(covered, classes_of[segment], TimeClass.UNKNOWN)
    kind = np.where(np.searchsorted(plan, start, "right") % 2 == 1, time_class, _UNPLANNED)
    where = kind * len(minutes.minute) + minutes.rows(start)

    def table(amount: NDArray[np.int64]) -> NDArray[np.int64]:
        return _sums(where, amount, len(_KINDS) * len(minutes.minute)).reshape(
            len(_KINDS), -1 if len(minutes.minute) else 0
        )

    found: dict[str, NDArray[np.int64]] = {}
    if is_timed(asset):
        times = table(np.where(covered, np.diff(edges), 0)) * 1000
        found |= {f"time_{name}": row for name, row in zip(_KINDS, times, strict=True)}
        found["planned"] = sum((found[f"time_{name}"] for name in _IN_PLANNED), minutes.zeros)
    if "energy" in asset.bindings:
        grown = energy_increments(facts.get("energy", Series.empty()), asset.bindings["energy"])
        energy = table(np.diff(grown.at(edges)))
        found |= {f"energy_{name}": row for name, row in zip(_KINDS, energy, strict=True)}
        found["energy"] = energy.sum(axis=0)
    return found


def _stop_starts(segs: Segments, plan: NDArray[np.int64]) -> NDArray[np.int64]:
    """When, inside planned time, a stop followed a state that is none."""
    begins = np.isin(segs.time_class, _STOPPED) & ~np.isin(segs.before, [*_STOPPED, TimeClass.UNKNOWN])
    started = segs.start_ms[begins]
    planned: NDArray[np.bool_] = np.searchsorted(plan, started, "right") % 2 == 1
    return started[planned]

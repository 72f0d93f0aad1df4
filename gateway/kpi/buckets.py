"""Segments and facts → minute buckets: int64 quantities that add up under any partition of time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import STOPS, AssetModel, TimeClass, fact_roles, is_timed
from gateway.kpi.cells import MINUTE_MS, Cells, summed, within
from gateway.kpi.counters import Anomaly, Increments
from gateway.kpi.facts import Series
from gateway.kpi.intervals import Interval
from gateway.kpi.meter_time import metered_ms
from gateway.kpi.parts import Counted, grown, parts
from gateway.kpi.scores import Service, data_quality, scores
from gateway.kpi.segments import Segments
from gateway.kpi.slices import Slice, slices

__all__ = ["MINUTE_MS", "Buckets", "buckets", "quantities"]

_STOPPED: Final = np.array([*STOPS, TimeClass.MINOR_STOP], np.int8)
_KINDS: Final = (*(one.label for one in TimeClass), "unplanned")
_UNPLANNED: Final = len(TimeClass)
_IN_PLANNED: Final = ("producing", "setup", "idle", "fault", "blocked", "starved", "minor_stop", "unknown")
_OUTSIDE: Final = ("planned_stop", "maintenance", "unplanned")
quantities: Final[tuple[str, ...]] = (
    "planned",
    *(f"time_{name}" for name in (*_IN_PLANNED, *_OUTSIDE, "order")),
    *("ideal_total", "ideal_good", "ideal_startup", "rated_total", "takt_total"),
    *("total", "output", "good", "scrap", "rework", "startup_scrap", "inspected", "passed"),
    *("stops", "minor_stops", "faults"),
    *(f"energy_{name}" for name in (*_IN_PLANNED, *_OUTSIDE)),
    *("energy", "metered", "facts", "facts_bad", "counter_anomalies"),
    *(f"dq_{name}" for name in ("expected", "received", "checked", "accurate", "in", "bad", "time", "live")),
)
"""Names of the additive quantities, in their stored order: times in µs, energies in mWh, the others counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """One row per minute of a range, ascending and without gaps.

    minute  int64[m]                     minutes since 1970, UTC
    values  int64[len(quantities), m]    one row of the array per quantity, in the order of `quantities`
    slices  the same split by product and order, where the asset says what it makes
    """

    minute: NDArray[np.int64]
    values: NDArray[np.int64]
    slices: tuple[Slice, ...] = ()

    def __len__(self) -> int:
        return len(self.minute)

    def __getitem__(self, quantity: str) -> NDArray[np.int64]:
        """int64[m] of one quantity."""
        row: NDArray[np.int64] = self.values[quantities.index(quantity)]
        return row

    def total(self) -> dict[str, int]:
        """Each quantity summed over the range."""
        return dict(zip(quantities, self.values.sum(axis=1).tolist(), strict=True))


def buckets(
    asset: AssetModel,
    segs: Segments,
    facts: Mapping[str, Series],
    intervals: Sequence[Interval],
    from_ms: int,
    to_ms: int,
    texts: Mapping[float, str] = MappingProxyType({}),
    sessions: Mapping[int, Series] = MappingProxyType({}),
    horizon_ms: int | None = None,
) -> Buckets:
    """All minutes of a range at once; minutes that the range covers in part hold that part only.

    Where product or order change inside a minute, time and energy are split at the change to the millisecond; parts
    belong to what was said at the moment of the reading that shows them.

    Args:
        asset: the model.
        segs: `segments(...)` of the same range.
        facts: role → facts, with the neighbours of the range (`slice_with_neighbours`); `<role>_booked`: parts that
            people booked.
        intervals: what people said of stretches of time, at least all that touches the range.
        from_ms, to_ms: the range, UTC ms, [from, to).
        texts: what codes of texts stand for: the names of products and orders.
        sessions, horizon_ms: as of `segments(...)`; no horizon: time has passed up to the end of the range.
    """
    cells = Cells(asset, facts, intervals, from_ms, to_ms, texts)
    if not len(cells):
        return Buckets(cells.minute, np.zeros((len(quantities), len(cells.minute)), np.int64))
    calendar = _Plan.of(asset, from_ms, to_ms)
    counted = grown(asset, facts)
    found = parts(asset, counted, facts, cells)
    found |= _times_and_energy(asset, segs, counted.get("energy"), calendar, cells) | _starts(segs, calendar, cells)
    _add_facts(asset, facts, counted.get("energy"), cells, found)
    horizon_ms = to_ms if horizon_ms is None else horizon_ms
    service = Service(asset, cells, calendar.planned, min(to_ms, horizon_ms))
    found |= data_quality(scores(asset, facts, sessions, counted, service, cells, horizon_ms), cells)
    values = np.array([found.get(name, cells.zeros) for name in quantities], np.int64)
    return Buckets(cells.minute, cells.by_minute(values), slices(cells, values))


@dataclass(frozen=True, slots=True)
class _Plan:
    """int64[2k] each: starts and ends of planned time, and of maintenance."""

    planned: NDArray[np.int64]
    maintenance: NDArray[np.int64]

    @staticmethod
    def of(asset: AssetModel, from_ms: int, to_ms: int) -> "_Plan":
        found = asset.calendar.planned(from_ms, to_ms), asset.calendar.maintenance(from_ms, to_ms)
        planned, maintenance = (np.array(spans, np.int64).reshape(-1) for spans in found)
        return _Plan(planned, maintenance)

    def kinds(self, time_class: NDArray[np.int8], at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n]: what time of a class counts as, an index into `_KINDS`."""
        found = np.where(within(self.planned, at_ms), time_class.astype(np.int64), _UNPLANNED)
        return np.where(within(self.maintenance, at_ms), int(TimeClass.MAINTENANCE), found)


def _times_and_energy(
    asset: AssetModel, segs: Segments, meter: Increments | None, plan: _Plan, cells: Cells
) -> Counted:
    """Time and energy of each class, cut at every edge of cell, segment and plan."""
    ends = segs.end_ms[-1:]
    every = np.concatenate([cells.edges, segs.start_ms, ends, plan.planned, plan.maintenance])
    edges = np.unique(np.clip(every, cells.from_ms, cells.to_ms))
    start = edges[:-1]
    segment = np.searchsorted(segs.start_ms, start, "right") - 1
    covered = (segment >= 0) & (start < (ends[0] if len(ends) else cells.from_ms))
    classes_of = np.append(segs.time_class, np.int8(TimeClass.UNKNOWN))
    time_class = np.where(covered, classes_of[segment], np.int8(TimeClass.UNKNOWN))
    where = plan.kinds(time_class, start) * len(cells) + cells.cell(start)

    def table(amount: NDArray[np.int64]) -> NDArray[np.int64]:
        return summed(where, amount, len(_KINDS) * len(cells)).reshape(len(_KINDS), -1)

    found: Counted = {}
    if is_timed(asset):
        times = table(np.where(covered, np.diff(edges), 0)) * 1000
        found |= {f"time_{name}": row for name, row in zip(_KINDS, times, strict=True)}
        found["planned"] = sum((found[f"time_{name}"] for name in _IN_PLANNED), cells.zeros)
        has_order = np.array([name != "" for name in cells.orders])[cells.order]
        found["time_order"] = np.where(has_order, found["planned"], 0)
    if meter is not None:
        energy = table(np.diff(meter.at(edges)))
        found |= {f"energy_{name}": row for name, row in zip(_KINDS, energy, strict=True)}
        found["energy"] = energy.sum(axis=0)
        found["metered"] = metered_ms(meter, asset.bindings["energy"], cells.edges) * 1000
    return found


def _starts(segs: Segments, plan: _Plan, cells: Cells) -> Counted:
    """Stops, minor stops and faults by the cell in which they began, inside planned time."""
    in_plan = np.isin(plan.kinds(segs.time_class, segs.start_ms), (_UNPLANNED, TimeClass.MAINTENANCE), invert=True)
    is_start = in_plan & ~np.isin(segs.before, [*_STOPPED, TimeClass.UNKNOWN])
    minor = segs.time_class == TimeClass.MINOR_STOP
    failed = (
        in_plan & (segs.time_class == TimeClass.FAULT) & ~np.isin(segs.before, [TimeClass.FAULT, TimeClass.UNKNOWN])
    )
    return {
        "stops": cells.sum(segs.start_ms[is_start & np.isin(segs.time_class, _STOPPED)]),
        "minor_stops": cells.sum(segs.start_ms[is_start & minor]),
        "faults": cells.sum(segs.start_ms[failed]),
    }


def _add_facts(
    asset: AssetModel, facts: Mapping[str, Series], meter: Increments | None, cells: Cells, found: Counted
) -> None:
    """Counts the facts, those that were not usable, and what was strange about the energy register."""
    found["facts"] = cells.zeros
    for role in fact_roles(asset):
        if role in facts:
            found["facts"] = found["facts"] + cells.sum(facts[role].time_ms)
            found["facts_bad"] = found["facts_bad"] + cells.sum(facts[role].time_ms[~facts[role].usable])
    if meter is not None:
        found["facts_bad"] = found["facts_bad"] + cells.sum(meter.time_ms[meter.rejected])
        strange = cells.sum(meter.time_ms[meter.anomaly != Anomaly.NONE])
        found["counter_anomalies"] = found["counter_anomalies"] + strange

"""The numbers of the open minute, for board and terminal: the same calculation, never stored, never published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gateway.kpi.answer import Rules
from gateway.kpi.asset import AssetModel, TimeClass
from gateway.kpi.book import Derived
from gateway.kpi.buckets import quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import scores
from gateway.kpi.closing import spell
from gateway.kpi.counters import energy_increments
from gateway.kpi.facts import Series
from gateway.kpi.group import Group, combined
from gateway.kpi.posting import minute_of
from gateway.kpi.rollup import window_sums
from gateway.kpi.worker import Worker

_EVERY_S: Final = 2.0
_BUSY_SHARE: Final = 0.1  # of the worker's time at most
_POWER_MS: Final = 60_000
_FRESH_MS: Final = 60_000  # a power reading older than this says nothing about now
_US_PER_H: Final = 3.6e9
_HOUR_MS: Final = 3_600_000
LIVE: Final = "minute"
"""The board shows live what it can show of every minute."""


@dataclass(slots=True)
class Live:
    """Keeps the last numbers of each asset and recomputes those that changed."""

    worker: Worker
    rules: Rules
    _due_at: float = float("-inf")
    _assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    _sums: dict[str, dict[str, int]] = field(default_factory=dict)
    _horizons: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, now_s: float) -> bool:
        """Whether `refresh` should run again."""
        return now_s >= self._due_at

    def refresh(self) -> dict[str, Any]:
        """`assets` and `lines` of the board's snapshot."""
        for name, book in self.worker.books.items():
            seen = (self.worker.horizon_ms(name), sum(len(column.tail) for column in book.columns.values()))
            if self._horizons.get(name) != seen:
                self._horizons[name] = seen
                self._assets[name] = self._asset(name)
        return {
            "assets": list(self._assets.values()),
            "lines": [self._group(group) for group in self.worker.groups if group.owner.startswith("line/")],
        }

    def plan(self, started_s: float, ended_s: float) -> None:
        """Says how long the last refresh took; the next one is due so that all together stay a small share."""
        self._due_at = max(started_s + _EVERY_S, ended_s + (ended_s - started_s) / _BUSY_SHARE)

    def _asset(self, name: str) -> dict[str, Any]:
        book, now_ms = self.worker.books[name], self.worker.horizon_ms(name)
        model = book.model
        head = {"asset": name, "line": model.line, "area": self.worker.plant.site.areas.get(model.line, "")}
        title, start_ms, _ = window(model.calendar, now_ms)
        progress = book.now()
        if progress is None or now_ms <= max(start_ms, progress.first_ms):
            lacks = {kpi: need for kpi, need in self.rules.needs[name].items() if need}
            window_now = {"window": title, "window_from_ms": start_ms} if now_ms > 0 else {}  # no presence yet
            return head | {"state": None, "class": "unknown", "reasons": lacks} | window_now
        open_ms = max(progress.closed_ms, start_ms, progress.first_ms)
        found = self.worker.derive(name, min(open_ms, now_ms), now_ms)
        stored = window_sums(self.worker.store, name, start_ms, max(start_ms, minute_of(open_ms)))
        totals = zip(quantities, stored, found.buckets.values.sum(axis=1).tolist(), strict=True)
        sums = {key: closed + opened for key, closed, opened in totals}
        self._sums[name] = sums
        result = self.rules.kpis(name, sums, model.calendar.business_date(now_ms), LIVE)
        return (
            head
            | self._state(model, found, now_ms)
            | {"window": title, "window_from_ms": max(start_ms, progress.first_ms)}
            | {key: sums[key] if self._counts(model, key) else None for key in ("total", "good", "scrap")}
            | {"target": target(model, sums), "open": _open(found, open_ms)}
            | dict(zip(("kw", "kw_ms"), self._kw(name, now_ms), strict=True))
            | {"kpis": result.values, "reasons": result.reasons, "factors": result.factors}
            | {"status": result.status, "scores": scores(sums)}
        )

    @staticmethod
    def _counts(model: AssetModel, key: str) -> bool:
        known = {role for role in ("total", "good", "scrap") if role in model.bindings}
        return key in known or len(known) == 2

    def _state(self, model: AssetModel, found: Derived, now_ms: int) -> dict[str, Any]:
        """State, class, since when, and the segments that kpi.db does not have yet."""
        rows = spell(model, found.segments, self.worker.store)
        if not rows:
            return {"state": None, "class": TimeClass.UNKNOWN.label, "since_ms": None, "segments": []}
        start, _, kind, text, _ = rows[-1]
        if len(rows) == 1:
            start = self.worker.store.began(model.name, start, kind, text)
        segments = [(a, b, one) for a, b, one, *_ in rows]
        return {"state": text or None, "class": kind, "since_ms": start, "segments": segments}

    def _kw(self, name: str, now_ms: int) -> tuple[float | None, int | None]:
        """The power reading where there is a fresh one, else the energy of the last minute or more; and its time."""
        book = self.worker.books[name]
        time_ms, value = self.worker.power.get(name, (0, 0.0))
        if now_ms - time_ms <= _FRESH_MS and "power" in book.model.bindings:
            return value * book.model.bindings["power"].scale_to_si / 1000, time_ms
        if "energy" not in book.columns:
            return None, time_ms or None
        energy = book.columns["energy"].tail
        known = energy.at(np.flatnonzero(energy.usable))
        last_ms = max(time_ms, int(known.time_ms[-1]) if len(known) else 0)
        return _mean_kw(known, book.model, now_ms), last_ms or None

    def _group(self, group: Group) -> dict[str, Any]:
        parts = {name: self._sums[name] for name in group.members if name in self._sums}
        name = group.owner.partition("/")[2]
        if not parts:
            return {"line": name, "kpis": {}, "reasons": {}}
        now_ms = max(self.worker.horizon_ms(member) for member in parts)
        sums = combined(group, parts)
        result = self.rules.kpis(group.owner, sums, group.calendar.business_date(now_ms), LIVE)
        known = {"line": name, "kpis": result.values, "reasons": result.reasons}
        return known | {"status": result.status, "scores": scores(sums)}


def window(calendar: Calendar, now_ms: int) -> tuple[str, int, int]:
    """Name, start and end of the current shift, or of the business day between shifts or where there are none."""
    shift = calendar.shift_at(now_ms)
    if shift:
        return f"shift {shift.name}", shift.start_ms, shift.end_ms
    day = calendar.day_at(now_ms)
    return "today", day.start_ms, day.end_ms


def target(model: AssetModel, sums: Mapping[str, int]) -> int | None:
    """Good parts that the planned time so far should have given."""
    return None if model.target_per_h is None else round(model.target_per_h * sums["planned"] / _US_PER_H)


def _open(found: Derived, open_ms: int) -> dict[str, Any]:
    """The electricity since `open_ms` by hour and class, kWh: what the stored hours do not hold yet."""
    hours: dict[int, dict[str, float]] = {}
    for name in (one for one in quantities if one.startswith("energy_")):
        for minute, mwh in zip(found.buckets.minute.tolist(), found.buckets[name].tolist(), strict=True):
            if mwh:
                kwh, kind = hours.setdefault(minute // 60 * _HOUR_MS, {}), name.removeprefix("energy_")
                kwh[kind] = kwh.get(kind, 0.0) + mwh / 1e6
    return {"from_ms": open_ms, "energy": [{"hour_ms": hour, "kwh": kwh} for hour, kwh in hours.items()]}


def _mean_kw(known: Series, model: AssetModel, now_ms: int) -> float | None:
    if len(known) < 2 or now_ms - known.time_ms[-1] > _FRESH_MS:
        return None
    first = max(0, int(np.searchsorted(known.time_ms, known.time_ms[-1] - _POWER_MS, "right")) - 1)
    used_mwh = int(energy_increments(known.at(slice(first, None)), model.bindings["energy"]).step.sum())
    span_ms = int(known.time_ms[-1] - known.time_ms[first])
    return used_mwh / 1e6 / (span_ms / 3.6e6) if span_ms >= _POWER_MS / 2 else None

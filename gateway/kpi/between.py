"""Any range to the millisecond, computed from the facts: for comparisons with a truth known elsewhere."""

from dataclasses import dataclass

import numpy as np

from gateway.kpi.answer import Rules
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.worker import Worker


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a role around a range: its newest usable fact at or before each end, None: there is none."""

    at_start_ms: int | None
    at_end_ms: int | None


@dataclass(frozen=True, slots=True)
class Between:
    """An asset's numbers over a range.

    sums           quantity → sum, see `gateway.kpi.buckets.quantities`
    kpis, reasons  as on the board
    roles          role → evidence at both ends
    state_changes  how often the state's raw value changed in (from, to]
    """

    from_ms: int
    to_ms: int
    sums: dict[str, int]
    kpis: dict[str, float | None]
    reasons: dict[str, str]
    roles: dict[str, Evidence]
    state_changes: int


def between(worker: Worker, rules: Rules, asset: str, from_ms: int, to_ms: int) -> Between:
    """See `Engine.between`."""
    model = worker.books[asset].model
    sums = worker.derive(asset, from_ms, to_ms).buckets.total()
    facts = worker.facts(asset, from_ms, to_ms)
    found = rules.kpis(asset, sums, model.calendar.business_date(from_ms))
    roles = {role: Evidence(_last(series, from_ms), _last(series, to_ms)) for role, series in facts.items()}
    changes = _changes(facts.get("state", Series.empty()), from_ms, to_ms)
    return Between(from_ms, to_ms, sums, found.values, found.reasons, roles, changes)


def spans(worker: Worker, asset: str) -> dict[str, tuple[int, int]]:
    """First and newest usable fact of each role that has any."""
    found: dict[str, tuple[int, int]] = {}
    for role, series in worker.facts(asset, 0, FOREVER_MS).items():
        known = series.time_ms[series.usable]
        if len(known):
            found[role] = int(known[0]), int(known[-1])
    return found


def _last(series: Series, at_ms: int) -> int | None:
    known = series.time_ms[series.usable & (series.time_ms <= at_ms)]
    return int(known[-1]) if len(known) else None


def _changes(states: Series, from_ms: int, to_ms: int) -> int:
    times, values = states.time_ms[states.usable], states.value[states.usable]
    changed = times[1:][values[1:] != values[:-1]]
    return int(np.count_nonzero((changed > from_ms) & (changed <= to_ms)))

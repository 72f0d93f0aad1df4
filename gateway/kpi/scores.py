"""The counts behind the data-quality scores of a range, by role and of the whole asset. Pure."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import AssetModel, fact_roles, is_timed
from gateway.kpi.cells import Cells, summed, within
from gateway.kpi.checks import Amiss, verdict
from gateway.kpi.counters import Increments
from gateway.kpi.facts import Series
from gateway.kpi.parts import grown
from gateway.kpi.watch import Heard, Watch, due

COUNTED: Final = ("expected", "received", "checked", "accurate", "in", "bad", "time", "live")
Scores = NDArray[np.int64]
"""int64[8, c]: one row for each name of `COUNTED`, one column per cell."""


class Service:
    """The cells of a range, as far as the asset's tags are asked for: planned time; of mere meters all time."""

    def __init__(self, asset: AssetModel, cells: Cells, planned: NDArray[np.int64], end_ms: int) -> None:
        """planned: int64[2k], start and end of planned time. end_ms: nothing is known from here on."""
        self._cells, self._end_ms = cells, end_ms
        self._planned = planned if is_timed(asset) else np.array([cells.from_ms, cells.to_ms], np.int64)
        every = np.concatenate([cells.edges, self._planned, [end_ms]])
        edges = np.unique(np.clip(every, cells.from_ms, min(cells.to_ms, max(end_ms, cells.from_ms))))
        inside = within(self._planned, edges[:-1])
        self.start, self.end = edges[:-1][inside], edges[1:][inside]
        self._where = cells.cell(self.start)

    def sum(self, amount: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[c]: amounts of the stretches from `start` to `end`, by cell."""
        return summed(self._where, amount, len(self._cells))

    def count(self, time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[c]: moments in service, by cell."""
        return self._cells.sum(time_ms[within(self._planned, time_ms) & (time_ms < self._end_ms)])


def data_quality(found: Mapping[str, Scores], cells: Cells) -> dict[str, NDArray[np.int64]]:
    """The sums over all roles: dq_<name> → int64[c] for each name of `COUNTED`."""
    whole = sum(found.values(), np.zeros((len(COUNTED), len(cells)), np.int64))
    return {f"dq_{name}": row for name, row in zip(COUNTED, whole, strict=True)}


def scores(
    asset: AssetModel,
    facts: Mapping[str, Series],
    sessions: Mapping[int, Series],
    counted: Mapping[str, Increments],
    service: Service,
    cells: Cells,
    horizon_ms: int,
) -> dict[str, Scores]:
    """What is counted of each role that a tag gives, in service.

    expected, received  values that were due, and that came; reported on change: one a second, come while the session
                        of their source was up
    checked, accurate   readings to which a rule applies, and that keep to all of them
    in, bad             readings, and those that are unusable, grow as nothing can, or stood still for too long
    time, live          µs: how long the role was watched, and how long its newest value was not too old

    Args:
        facts, sessions: all that the range depends on.
        counted: role → what its readings count.
        horizon_ms: up to here time has passed for the journal.
    """
    watch, amiss = Watch(asset, facts, sessions, horizon_ms), Amiss(asset, counted, cells.from_ms, cells.to_ms)
    found: dict[str, Scores] = {}
    for role in fact_roles(asset):
        if asset.bindings[role].kind == "booked":
            continue
        series = facts.get(role, Series.empty())
        said = verdict(asset, role, series, counted.get(role), amiss)
        count = service.count(series.time_ms)
        checked = accurate = cells.zeros
        if said.wrong is not None:
            checked, accurate = count, service.count(series.time_ms[~said.wrong])
        watched = _watched(watch.heard(role), service, cells)
        found[role] = np.array([*watched[:2], checked, accurate, count, service.count(series.time_ms[said.bad])])
        found[role] = np.concatenate([found[role], watched[2:]])
    return found


def by_role(
    asset: AssetModel,
    facts: Mapping[str, Series],
    sessions: Mapping[int, Series],
    span: tuple[int, int],
    horizon_ms: int,
) -> dict[str, NDArray[np.int64]]:
    """role → int64[8]: the counts of a whole range, which add up to the asset's own."""
    cells = Cells(asset, facts, (), *span, {})
    planned = np.array(asset.calendar.planned(*span), np.int64).reshape(-1)
    service = Service(asset, cells, planned, min(span[1], horizon_ms))
    found = scores(asset, facts, sessions, grown(asset, facts), service, cells, horizon_ms)
    return {role: counts.sum(axis=1) for role, counts in found.items()}


def _watched(heard: Heard | None, service: Service, cells: Cells) -> NDArray[np.int64]:
    """int64[4, c]: expected, received, time, live."""
    if heard is None:
        return np.zeros((4, len(cells)), np.int64)
    start, end, every_ms = service.start, service.end, heard.every_ms
    amounts = (
        due(start, end, every_ms),
        heard.came.until(end, every_ms) - heard.came.until(start, every_ms),
        (end - start) * 1000,
        (heard.fresh.until(end) - heard.fresh.until(start)) * 1000,
    )
    return np.array([service.sum(amount) for amount in amounts], np.int64)

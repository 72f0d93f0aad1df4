"""Models and random histories of machines for the tests of the pure KPI steps."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gateway.kpi.asset import AssetModel, Binding, Hold, TimeClass
from gateway.kpi.buckets import MINUTE_MS, Buckets, buckets, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.facts import Series, slice_with_neighbours
from gateway.kpi.intervals import Interval
from gateway.kpi.segments import Segments, reach_ms, segments
from gateway.walltime import Span

T0 = 1_780_000_020_000  # a whole minute
SESSION = 99
UNWATCHED = Hold(polled=False)
ON_CHANGE = Hold(polled=False, session=SESSION)
POLLED = Hold(polled=True, period_ms=1000)
STATES: Mapping[str, TimeClass] = {
    "1": TimeClass.PRODUCING,
    "2": TimeClass.SETUP,
    "3": TimeClass.IDLE,
    "4": TimeClass.FAULT,
    "5": TimeClass.BLOCKED,
    "6": TimeClass.STARVED,
    "7": TimeClass.PLANNED_STOP,
}
KINDS = {"state": "level", "total": "counter", "good": "counter", "scrap": "counter", "energy": "counter"}
OPTIONAL = {"alive": "level", "startup": "level"}


def machine(*roles: str, hold: Hold = UNWATCHED, **changes: Any) -> AssetModel:
    """A machine with these roles (all five by default), 2 s per part, energy in kWh, always planned."""
    bindings = {
        role: Binding(role, number, (KINDS | OPTIONAL)[role], 65536, 1e6 if role == "energy" else 1.0, False, hold)
        for number, role in enumerate(roles or KINDS)
    }
    settings: dict[str, Any] = {
        "name": "press-07",
        "bindings": bindings,
        "state_map": STATES,
        "ideal_cycle_us": 2_000_000,
        "calendar": Calendar.always("UTC"),
    }
    return AssetModel(**(settings | changes))


@dataclass(frozen=True)
class History:
    """Facts of a machine with the presence of its source, and the range in which they lie."""

    model: AssetModel
    facts: Mapping[str, Series]
    session: Series
    horizon_ms: int
    end_ms: int
    intervals: tuple[Interval, ...] = ()

    def segments(self, from_ms: int, to_ms: int) -> Segments:
        """Computed from nothing but the neighbourhood of the range, as the engine does."""
        facts, sessions = self.around(from_ms, to_ms)
        return segments(self.model, facts, self.intervals, sessions, from_ms, to_ms, self.horizon_ms)

    def buckets(self, from_ms: int, to_ms: int) -> Buckets:
        """Computed from nothing but the neighbourhood of the range."""
        facts, sessions = self.around(from_ms, to_ms)
        return buckets(
            self.model,
            self.segments(from_ms, to_ms),
            facts,
            self.intervals,
            from_ms,
            to_ms,
            sessions=sessions,
            horizon_ms=self.horizon_ms,
        )

    def around(self, from_ms: int, to_ms: int) -> tuple[dict[str, Series], dict[int, Series]]:
        """Facts and presence with all that a range depends on."""
        wide = (from_ms - reach_ms(self.model), to_ms + reach_ms(self.model))
        return self.near(*wide), {SESSION: slice_with_neighbours(self.session, *wide)}

    def near(self, from_ms: int, to_ms: int) -> dict[str, Series]:
        return {role: slice_with_neighbours(series, from_ms, to_ms) for role, series in self.facts.items()}


def series(points: Mapping[int, float | None]) -> Series:
    """Facts at seconds after T0; None is a bad reading."""
    values = [np.nan if value is None else value for value in points.values()]
    return Series.of([T0 + round(second * 1000) for second in points], values)


def history(
    model: AssetModel,
    end_s: float,
    session: Mapping[int, float | None] | None = None,
    horizon_s: float | None = None,
    **facts: Mapping[int, float | None],
) -> History:
    """A history written down by hand, in seconds after T0."""
    end_ms = T0 + round(end_s * 1000)
    horizon_ms = end_ms if horizon_s is None else T0 + round(horizon_s * 1000)
    made = {role: series(points) for role, points in facts.items()}
    return History(model, made, series(session or {}), horizon_ms, end_ms)


SPAN_MS = 900_000
SHIFT = Calendar("UTC", shifts=(("late", Span(1230, 1238)),), breaks=(Span(1233, 1234),))  # 20:30 to 20:38
"""T0 is a Thursday, 20:27 UTC."""
_TIMES = st.lists(st.integers(-120_000, SPAN_MS + 120_000), max_size=25, unique=True).map(sorted)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Anything that a machine may report: gaps, bad readings, resets, jitter, late starts, lost sessions."""
    hold = draw(st.sampled_from([UNWATCHED, ON_CHANGE, Hold(polled=True, period_ms=20_000)]))
    roles = draw(st.sampled_from([(), ("state", "total", "good", "energy"), ("state", "energy"), ("good", "scrap")]))
    ideal_us = draw(st.sampled_from([None, 2_000_000]))
    model = machine(
        *roles, hold=hold, calendar=draw(st.sampled_from([Calendar.always("UTC"), SHIFT])), ideal_cycle_us=ideal_us
    )
    facts = {role: draw(_reports(role)) for role in model.bindings}
    session = draw(_series(st.sampled_from([1.0, 1.0, 1.0, 0.0])))
    newest = max([T0, *(int(one.time_ms[-1]) for one in (*facts.values(), session) if len(one))])
    horizon_ms = newest + draw(st.integers(0, 200_000))
    return History(model, facts, session, horizon_ms, T0 + SPAN_MS)


def _reports(role: str) -> st.SearchStrategy[Series]:
    if role == "state":
        return _series(st.sampled_from([1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, np.nan]))
    step = st.integers(0, 20_000).map(lambda n: n / 1e4) if role == "energy" else st.integers(0, 9).map(float)
    return _series(st.one_of(step, step, step, st.sampled_from([np.nan, -0.0004, -40.0, 60_000.0])), cumulate=True)


@st.composite
def _series(draw: st.DrawFn, values: st.SearchStrategy[float], cumulate: bool = False) -> Series:
    times = draw(_TIMES)
    column = np.array([draw(values) for _ in times])
    if cumulate:
        column = np.where(np.isnan(column), np.nan, np.abs(50 + np.nancumsum(column)))
    return Series.of(np.array(times, np.int64) + T0, column)


def adds_up(what: History, cuts: Sequence[int]) -> None:
    """A history cut anywhere has the sums of the whole one."""
    edges = [T0, *sorted(T0 + cut for cut in cuts), T0 + SPAN_MS]
    parts = [what.buckets(start, end).total() for start, end in itertools.pairwise(edges)]
    summed = {name: sum(part[name] for part in parts) for name in quantities}
    assert summed == what.buckets(T0, T0 + SPAN_MS).total()


def alone_as_among_others(what: History) -> Iterator[tuple[int, Buckets, Buckets]]:
    """A minute computed alone is the same; gives each minute as it is alone, and among all."""
    whole = what.buckets(T0, T0 + SPAN_MS)
    for row, minute in enumerate(whole.minute.tolist()):
        alone = what.buckets(minute * MINUTE_MS, (minute + 1) * MINUTE_MS)
        assert alone.values[:, 0].tolist() == whole.values[:, row].tolist()
        yield minute, alone, whole

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.asset import AssetModel, TimeClass
from gateway.kpi.facts import Series
from gateway.kpi.intervals import Interval, Kind, cover, in_force, latest
from gateway.kpi.segments import settled
from tests.unit.gateway.kpi.machines import T0, History, history, machine, series
from tests.unit.gateway.kpi.test_states import assert_part_of_whole

REASONS = {
    "mechanical": TimeClass.FAULT,
    "mechanical/bearing": TimeClass.FAULT,
    "changeover": TimeClass.SETUP,
    "service": TimeClass.MAINTENANCE,
    "meeting": TimeClass.PLANNED_STOP,
}


def span(name: str, kind: Kind, from_s: float, to_s: float, value: str = "", **more: int) -> Interval:
    return Interval(name, kind, T0 + round(from_s * 1000), T0 + round(to_s * 1000), value, **more)  # type: ignore[arg-type]


def press(minor_s: int = 0) -> AssetModel:
    return machine("state", reasons=REASONS, minor_stop_ms=minor_s * 1000)


def seen(what: History, *intervals: Interval) -> list[tuple[float, float, str, str]]:
    """Start and end in seconds, class, reason."""
    found = replace(what, intervals=intervals).segments(T0, what.end_ms)
    rows = zip(found.start_ms, found.end_ms, found.time_class, found.reason, strict=True)
    return [((a - T0) / 1000, (b - T0) / 1000, TimeClass(kind).label, found.reasons[why]) for a, b, kind, why in rows]


STOPPED = {0: 1, 20: 3, 60: 1}
"""Producing, idle from 20 s to 60 s, producing."""


def test_a_reason_names_the_part_of_a_stop_that_lies_in_its_time() -> None:
    what = history(press(), 80, state=STOPPED)
    assert seen(what, span("a", "stop", 10, 40, "no pallets")) == [
        (0, 20, "producing", ""),
        (20, 40, "idle", "no pallets"),
        (40, 60, "idle", ""),
        (60, 80, "producing", ""),
    ]


def test_a_reason_with_a_class_changes_that_of_the_stop_and_of_unknown_time_but_not_of_production() -> None:
    what = history(press(), 80, state={0: 1, 20: 3, 40: None, 60: 1})
    assert seen(what, span("a", "stop", 0, 80, "mechanical/bearing")) == [
        (0, 20, "producing", ""),
        (20, 40, "fault", "mechanical/bearing"),
        (40, 60, "fault", "mechanical/bearing"),
        (60, 80, "producing", ""),
    ]


def test_a_reason_survives_a_stop_whose_edges_move() -> None:
    reason = span("a", "stop", 20, 60, "mechanical")
    before, after = history(press(), 80, state=STOPPED), history(press(), 80, state={0: 1, 15: 3, 55: 1})
    assert [row for row in seen(before, reason) if row[3]] == [(20, 60, "fault", "mechanical")]
    assert [row for row in seen(after, reason) if row[3]] == [(20, 55, "fault", "mechanical")]


def test_a_planned_stop_covers_its_time_and_what_overruns_it_is_not_planned() -> None:
    what = history(press(), 80, state=STOPPED)
    assert seen(what, span("a", "planned", 10, 40, "meeting")) == [
        (0, 10, "producing", ""),
        (10, 20, "planned_stop", "meeting"),  # it ran on
        (20, 40, "planned_stop", "meeting"),
        (40, 60, "idle", ""),
        (60, 80, "producing", ""),
    ]


def test_a_reason_that_is_not_planned_inside_a_planned_stop_stays_planned() -> None:
    what = history(press(), 80, state=STOPPED)
    found = seen(what, span("a", "stop", 20, 60, "mechanical"), span("b", "planned", 30, 50, "audit"))
    assert [row[2:] for row in found] == [
        ("producing", ""),
        ("fault", "mechanical"),
        ("planned_stop", "audit"),
        ("fault", "mechanical"),
        ("producing", ""),
    ]


def test_a_reason_does_not_take_a_planned_state_out_of_the_plan() -> None:
    what = history(press(), 40, state={0: 7, 20: 3})
    assert seen(what, span("a", "stop", 0, 40, "mechanical")) == [
        (0, 20, "planned_stop", "mechanical"),
        (20, 40, "fault", "mechanical"),
    ]


def test_planned_maintenance_is_maintenance() -> None:
    what = history(press(), 40, state={0: 3})
    assert [row[2] for row in seen(what, span("a", "planned", 0, 20, "service"))] == ["maintenance", "idle"]


def test_of_two_reasons_for_one_moment_the_one_that_starts_last_counts() -> None:
    what = history(press(), 60, state={0: 3})
    found = seen(what, span("a", "stop", 0, 60, "first"), span("b", "stop", 20, 40, "second"))
    assert [row[3] for row in found] == ["first", "second", "first"]


def test_a_withdrawn_interval_says_nothing() -> None:
    what = history(press(), 40, state={0: 3})
    booked = span("a", "stop", 0, 40, "mechanical")
    withdrawn = replace(booked, revision=1, usable=False)
    assert seen(what, booked, withdrawn) == [(0, 40, "idle", "")]


def test_intervals_are_told_where_no_fact_ever_came() -> None:
    what = history(press(), 40)
    found = seen(what, span("a", "planned", 10, 20, "audit"))
    assert [row[2] for row in found] == ["unknown", "planned_stop", "unknown"]


@pytest.mark.parametrize(("length_s", "expected"), [(29.999, "minor_stop"), (30, "idle"), (31, "idle")])
def test_a_stop_shorter_than_the_threshold_is_minor(length_s: float, expected: str) -> None:
    states = Series.of([T0, T0 + 10_000, T0 + 10_000 + round(length_s * 1000)], [1, 3, 1])
    what = History(press(minor_s=30), {"state": states}, series({}), T0 + 100_000, T0 + 100_000)
    assert [row[2] for row in seen(what)] == ["producing", expected, "producing"]


def test_a_stop_is_measured_whole_through_all_its_states() -> None:
    what = history(press(minor_s=30), 100, state={0: 1, 10: 3, 20: 4, 35: 5, 45: 1, 60: 4, 70: 6, 80: 1})
    assert [row[2] for row in seen(what)] == [
        *("producing", "idle", "fault", "blocked", "producing"),
        *("minor_stop", "minor_stop", "producing"),
    ]


def test_a_stop_is_measured_beyond_the_range_that_is_asked_for() -> None:
    what = history(press(minor_s=60), 300, state={0: 1, 50: 3, 110: 1, 150: 3, 200: 1})
    found = what.segments(T0 + 60_000, T0 + 100_000)
    assert found.time_class.tolist() == [TimeClass.IDLE]
    assert found.before.tolist() == [TimeClass.IDLE]
    assert what.segments(T0 + 160_000, T0 + 190_000).time_class.tolist() == [TimeClass.MINOR_STOP]


@pytest.mark.parametrize("end", [None, 2, 7])
def test_a_stop_ends_with_unknown_time_set_up_and_planned_stops(end: float | None) -> None:
    what = history(press(minor_s=30), 90, state={0: 1, 10: 3, 35: end, 60: 3})
    assert seen(what)[1][2] == "minor_stop"
    assert seen(what)[-1][2] == "idle"


def test_an_open_stop_is_minor_while_it_is_short_and_its_minutes_are_not_settled() -> None:
    model = press(minor_s=30)
    facts = {"state": series({0: 1, 10: 3, 25: 4})}
    cases = ((35, "minor_stop", 10), (39.999, "minor_stop", 10), (40, "fault", 40), (60, "fault", 60))
    for horizon_s, kind, until_s in cases:
        horizon_ms = T0 + round(horizon_s * 1000)
        found = History(model, facts, series({}), horizon_ms, horizon_ms).segments(T0, horizon_ms)
        assert TimeClass(found.time_class[-1]).label == kind
        assert settled(model, facts, (), {}, horizon_ms) == T0 + until_s * 1000


def test_a_stop_that_was_a_changeover_is_set_up_and_a_short_fault_stays_a_minor_stop() -> None:
    what = history(press(minor_s=60), 80, state=STOPPED)
    changeover, mechanical = (seen(what, span("a", "stop", 20, 60, code)) for code in ("changeover", "mechanical"))
    assert [row[2] for row in changeover] == ["producing", "setup", "producing"]
    assert mechanical[1] == (20, 60, "minor_stop", "mechanical")


def test_what_was_before_a_stop_is_seen_through_unknown_time() -> None:
    what = history(press(), 100, state={0: 1, 10: None, 20: 3, 40: None, 50: 4, 60: None, 90: 1})
    found = what.segments(T0, what.end_ms)
    assert [TimeClass(one).label for one in found.time_class] == [
        *("producing", "unknown", "idle", "unknown", "fault", "unknown", "producing")
    ]
    assert [TimeClass(one).label for one in found.before] == [
        *("unknown", "producing", "producing", "idle", "idle", "fault", "fault")
    ]


_KINDS = st.sampled_from(["stop", "planned"])
_INTERVALS = st.lists(
    st.builds(
        lambda name, kind, start, length, value, revision, usable: Interval(
            name, kind, T0 + start * 1000, T0 + (start + length) * 1000, value, revision, usable
        ),
        st.sampled_from("abcdef"),
        _KINDS,
        st.integers(-100, 900),
        st.integers(1, 400),
        st.sampled_from([*REASONS, "other"]),
        st.integers(0, 2),
        st.sampled_from([True, True, False]),
    ),
    max_size=8,
)
_STATES = st.dictionaries(st.integers(-300, 1000), st.sampled_from([1, 2, 3, 4, 7, None]), max_size=20)


@given(_INTERVALS, st.randoms(use_true_random=False), st.integers(0, 8))
def test_the_newest_revisions_do_not_depend_on_order_duplicates_or_splitting(
    every: list[Interval], rng: "object", cut: int
) -> None:
    shuffled = [*every, *every[:cut]]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert latest(shuffled) == latest([*latest(every[:cut]), *latest(every[cut:])]) == latest(every)


@given(_INTERVALS, st.integers(-100, 900), st.integers(1, 500))
def test_the_interval_that_started_last_covers_a_moment(every: list[Interval], first: int, length: int) -> None:
    from_ms, to_ms = T0 + first * 1000, T0 + (first + length) * 1000
    found = in_force(every, "stop", from_ms, to_ms)
    at = np.arange(from_ms, to_ms, 1000)
    for moment, index in zip(at.tolist(), cover(found, at).tolist(), strict=True):
        on = [one for one in latest(every) if one.kind == "stop" and one.usable and one.from_ms <= moment < one.to_ms]
        expected = max(on, key=lambda one: (one.from_ms, one.id), default=None)
        assert (found[index] if index >= 0 else None) == expected


@given(_STATES, _INTERVALS, st.integers(0, 800), st.integers(1, 300), st.sampled_from([0, 45, 300]))
def test_any_part_of_a_range_shows_the_same_reasons_and_minor_stops(
    states: dict[int, float | None], booked: list[Interval], first: int, length: int, minor_s: int
) -> None:
    ordered = dict(sorted(states.items()))
    what = replace(history(press(minor_s), 900, state=ordered, horizon_s=950), intervals=tuple(booked))
    assert_part_of_whole(what, T0 + first * 1000, T0 + min(first + length, 900) * 1000)

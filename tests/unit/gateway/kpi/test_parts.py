"""Parts: kinds of counts, bookings in balance, start-up, ideal times; and what stops and plans count."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.kpi.asset import AssetModel, Binding, TimeClass
from gateway.kpi.calendar import Calendar, Window
from gateway.kpi.facts import Series
from gateway.kpi.intervals import Interval
from gateway.walltime import Span
from tests.unit.gateway.kpi.machines import T0, UNWATCHED, History, history, machine

US = 1_000_000
MORE = {"rework": "counter", "inspected": "increment", "passed": "pulse", "startup": "level"}


def with_more(model: AssetModel, *roles: str, **changes: object) -> AssetModel:
    more = {role: Binding(role, 70 + n, MORE[role], hold=UNWATCHED) for n, role in enumerate(roles)}
    return replace(model, bindings={**model.bindings, **more}, **changes)  # type: ignore[arg-type]


def booked(what: History, **amounts: dict[int, float]) -> History:
    """With bookings: second → amount."""
    facts = {
        f"{role}_booked": Series.of([T0 + 1000 * s for s in rows], list(rows.values()), seq=np.arange(len(rows)) + 9)
        for role, rows in amounts.items()
    }
    return replace(what, facts={**what.facts, **facts})


def press(*roles: str) -> History:
    """Ten parts in half a minute, eight of them good."""
    counts = {"total": {-1: 0, 30: 10}, "good": {-1: 0, 30: 8}, "scrap": {-1: 0, 30: 2}}
    return history(machine(*roles), 120, **{role: counts[role] for role in roles})  # type: ignore[arg-type]


def counts(what: History) -> tuple[int, ...]:
    sums = what.buckets(T0, T0 + 120_000).total()
    return tuple(sums[name] for name in ("total", "good", "scrap", "rework"))


def test_scrap_that_is_booked_later_was_counted_good_before() -> None:
    late = booked(press("total", "good"), scrap={90: 3})
    assert counts(late) == (10, 5, 5, 0)
    assert late.buckets(T0, T0 + 120_000)["scrap"].tolist() == [2, 3]
    assert late.buckets(T0, T0 + 120_000)["good"].tolist() == [8, -3]


def test_rework_that_is_booked_does_not_enter_the_total_again() -> None:
    assert counts(booked(press("good", "scrap"), rework={90: 2})) == (10, 6, 2, 2)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ({"total": 4}, (14, 12, 2, 0)),
        ({"good": 4}, (14, 12, 2, 0)),
        ({"scrap": 4, "good": -4}, (10, 4, 6, 0)),
        ({"scrap": 4, "good": 0}, (14, 8, 6, 0)),
        ({"total": 5, "good": 3}, (15, 11, 4, 0)),
        ({"total": 5, "good": 3, "scrap": 1}, (15, 11, 3, 0)),
    ],
)
def test_what_is_booked_for_one_moment_is_balanced(amounts: dict[str, float], expected: tuple[int, ...]) -> None:
    rows = {role: {60: float(amount)} for role, amount in amounts.items()}
    assert counts(booked(press("total", "good"), **rows)) == expected


def test_a_booking_that_is_withdrawn_counts_nothing() -> None:
    what = press("total", "good")
    gone = Series.of([T0 + 60_000], [3.0], [False], [9], [1])
    assert counts(replace(what, facts={**what.facts, "scrap_booked": gone})) == (10, 8, 2, 0)


def test_where_the_machine_gives_one_count_only_bookings_stand_alone() -> None:
    assert counts(booked(press("total"), scrap={60: 3.0})) == (10, 0, 3, 0)


def test_a_count_that_people_alone_book_is_known() -> None:
    what = press("total")
    by_hand = Binding("scrap", -1, "booked")
    what = replace(what, model=replace(what.model, bindings={**what.model.bindings, "scrap": by_hand}))
    assert counts(what) == (10, 10, 0, 0)
    assert counts(booked(what, scrap={60: 3.0})) == (10, 7, 3, 0)


def test_rework_is_neither_good_nor_scrap() -> None:
    model = with_more(machine("total", "good"), "rework")
    what = history(model, 60, total={-1: 0, 30: 10}, good={-1: 0, 30: 6}, rework={-1: 0, 30: 1})
    assert counts(what) == (10, 6, 3, 1)


def test_inspected_and_passed_parts_are_counted_by_their_kind() -> None:
    model = with_more(machine("state"), "inspected", "passed")
    sums = history(model, 60, inspected={5: 4, 50: 3}, passed={5: 1, 6: 1, 7: 0}).buckets(T0, T0 + 60_000).total()
    assert (sums["inspected"], sums["passed"]) == (7, 2)


def test_scrap_while_the_machine_starts_up_is_counted_apart() -> None:
    model = with_more(machine("total", "good"), "startup")
    counted = {-1: 0.0, 20: 10.0, 50: 30.0}
    what = history(model, 60, startup={-5: 1, 30: 0}, total=counted, good={-1: 0, 20: 4, 50: 22})
    sums = what.buckets(T0, T0 + 60_000).total()
    assert (sums["scrap"], sums["startup_scrap"], sums["ideal_startup"]) == (8, 6, 6 * 2 * US)


def test_rated_and_takt_time_multiply_all_parts() -> None:
    what = press("total", "good")
    what = replace(what, model=replace(what.model, rated_per_h=1800.0, takt_us=3 * US))
    sums = what.buckets(T0, T0 + 120_000).total()
    assert (sums["rated_total"], sums["takt_total"], sums["output"]) == (20 * US, 30 * US, 10)


def test_strange_counters_are_counted() -> None:
    what = history(
        machine("total", "energy", ideal_cycle_us=None),
        60,
        total={1: 65_530, 9: 4, 20: 1, 30: 9e9},
        energy={1: 9, 2: 1},
    )
    sums = what.buckets(T0, T0 + 60_000).total()
    assert sums["counter_anomalies"] == 3  # rolled over, reset, and the meter was reset
    assert sums["facts_bad"] == 0


def test_a_short_stop_is_minor_wherever_minutes_cut_it_and_a_long_one_is_not() -> None:
    model = replace(machine("state"), minor_stop_ms=30_000)
    what = history(
        model, 300, state={-1: 1, 50: 3, 75: 1, 100: 3, 110: 4, 130.001: 1, 200: 4, 240: 1, 250: 3, 255: 4, 260: 1}
    )
    found = what.buckets(T0, T0 + 300_000)
    assert found["time_minor_stop"].tolist() == [10 * US, 15 * US, 0, 0, 10 * US]
    assert found["minor_stops"].tolist() == [1, 0, 0, 0, 1]
    assert found["stops"].tolist() == [1, 1, 0, 1, 1]
    assert found["faults"].tolist() == [0, 1, 0, 1, 0]


def test_planned_stops_and_maintenance_are_no_planned_time_and_start_no_stop() -> None:
    model = replace(machine("state"), reasons={"service": TimeClass.MAINTENANCE})
    said = (
        Interval("a", "planned", T0 + 60_000, T0 + 90_000, "meeting"),
        Interval("b", "planned", T0 + 120_000, T0 + 130_000, "service"),
    )
    what = replace(history(model, 180, state={-1: 1, 70: 4, 85: 1, 125: 4}), intervals=said)
    sums = what.buckets(T0, T0 + 180_000).total()
    assert sums["time_planned_stop"] == 30 * US
    assert sums["time_maintenance"] == 10 * US
    assert sums["planned"] == 140 * US
    assert sums["faults"] == 1  # it overran the maintenance
    assert sums["time_fault"] == 50 * US


def test_a_machine_that_is_first_seen_in_fault_has_started_none() -> None:
    sums = (
        history(machine("state"), 120, state={10: 4, 40: 1, 50: 4, 60: None, 80: 4}).buckets(T0, T0 + 120_000).total()
    )
    assert (sums["stops"], sums["faults"]) == (1, 1)
    assert sums["time_unknown"] == 30 * US


def test_a_fault_that_begins_in_a_maintenance_window_is_none() -> None:
    window = Window(Span(1230, 1232), frozenset(range(7)))  # from 20:30; T0 is 20:27
    model = machine("state", calendar=replace(Calendar.always("UTC"), maintenance_windows=(window,)))
    sums = history(model, 600, state={0: 1, 200: 4, 210: 1, 400: 4, 410: 1}).buckets(T0, T0 + 600_000).total()
    assert (sums["stops"], sums["faults"]) == (1, 1)
    assert sums["time_maintenance"] == 120 * US
    assert sums["planned"] == 480 * US

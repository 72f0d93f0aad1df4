import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.asset import TimeClass
from gateway.kpi.buckets import MINUTE_MS, buckets, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import evaluate
from gateway.kpi.facts import Series, merge, touched
from gateway.kpi.segments import reach_ms
from tests.unit.gateway.kpi.machines import (
    ON_CHANGE,
    POLLED,
    SHIFT,
    SPAN_MS,
    T0,
    History,
    adds_up,
    alone_as_among_others,
    histories,
    history,
    machine,
)

US = 1_000_000
KWH = 1_000_000  # in mWh
CLASSES = [one.label for one in TimeClass] + ["unplanned"]


@given(histories(), st.lists(st.integers(0, SPAN_MS), max_size=6))
@settings(deadline=None, max_examples=150)
def test_any_partition_of_time_adds_up_to_the_whole(what: History, cuts: list[int]) -> None:
    adds_up(what, cuts)


@given(histories())
@settings(deadline=None, max_examples=80)
def test_a_minute_computed_alone_is_the_minute_computed_among_others(what: History) -> None:
    assert len(list(alone_as_among_others(what))) == SPAN_MS // MINUTE_MS


@given(histories())
@settings(deadline=None, max_examples=80)
def test_classes_and_unknown_time_fill_the_period(what: History) -> None:
    sums = what.buckets(T0, T0 + SPAN_MS).total()
    passed_ms = min(what.horizon_ms, T0 + SPAN_MS) - T0
    assert sum(sums[f"time_{name}"] for name in CLASSES) == passed_ms * 1000
    assert sums["planned"] == passed_ms * 1000 - sums["time_planned_stop"] - sums["time_unplanned"]


@given(histories())
@settings(deadline=None, max_examples=80)
def test_energy_is_the_sum_of_its_classes(what: History) -> None:
    sums = what.buckets(T0, T0 + SPAN_MS).total()
    assert sums["energy"] == sum(sums[f"energy_{name}"] for name in CLASSES)


@given(histories())
@settings(deadline=None, max_examples=80)
def test_bounds_enclose_the_value(what: History) -> None:
    results = evaluate(what.buckets(T0, T0 + SPAN_MS).total())
    for one in ("availability", "oee"):
        value = results[one].value
        if value is not None:
            low, high = results[f"{one}_low"].value, results[f"{one}_high"].value
            assert low is not None
            assert high is not None
            assert low <= value <= high


@given(histories(), st.data())
@settings(deadline=None, max_examples=100)
def test_a_late_fact_changes_nothing_outside_the_range_that_it_touches(what: History, data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(sorted(what.facts)))
    time_ms = data.draw(st.integers(T0, min(T0 + SPAN_MS, what.horizon_ms)))
    late = Series.of([time_ms], [data.draw(st.sampled_from([1.0, 4.0, 60.0, np.nan]))])
    merged = merge(what.facts[role], late)
    after = History(what.model, {**what.facts, role: merged}, what.session, what.horizon_ms, what.end_ms)
    low, high = touched(merged, time_ms, counter=what.model.bindings[role].kind != "level")
    old, new = what.buckets(T0, T0 + SPAN_MS), after.buckets(T0, T0 + SPAN_MS)
    scored = np.array([name.startswith("dq_") for name in quantities])
    changed = (old.values != new.values) & ((new.minute < low // MINUTE_MS) | (new.minute > high // MINUTE_MS))
    assert not changed[~scored].any()
    reach = reach_ms(what.model) + max(binding.hold.period_ms for binding in what.model.bindings.values())
    near = (new.minute >= (low - reach) // MINUTE_MS) & (new.minute <= (high + reach) // MINUTE_MS)
    assert not changed[:, ~near].any()


def test_a_count_belongs_to_the_minute_of_the_reading_that_shows_it() -> None:
    what = history(machine("total", "good"), 120, total={-5: 10, 59.999: 12, 60: 15, 119: 15}, good={-5: 0, 60: 4})
    found = what.buckets(T0, T0 + 120_000)
    assert found["total"].tolist() == [2, 3]
    assert found["good"].tolist() == [0, 4]
    assert found["scrap"].tolist() == [2, -1]
    assert found["ideal_total"].tolist() == [2 * 2 * US, 3 * 2 * US]
    assert found["ideal_good"].tolist() == [0, 4 * 2 * US]


def test_the_first_reading_of_a_counter_only_sets_its_base() -> None:
    what = history(machine("total", "good"), 60, total={10: 41_000, 20: 41_003}, good={10: 5})
    assert what.buckets(T0, T0 + 60_000).total()["total"] == 3


@pytest.mark.parametrize(
    ("bound", "third", "expected"), [("total good", "scrap", 2), ("total scrap", "good", 3), ("good scrap", "total", 7)]
)
def test_any_two_counts_give_the_third(bound: str, third: str, expected: int) -> None:
    first, second = bound.split()
    model = machine(first, second)
    what = history(model, 60, **{first: {-1: 0, 10: 5}, second: {-1: 0, 10: 5 - expected if expected < 5 else 2}})
    assert what.buckets(T0, T0 + 60_000).total()[third] == expected


def test_one_count_alone_says_nothing_about_the_others() -> None:
    sums = history(machine("state", "total"), 60, total={-1: 0, 10: 5}).buckets(T0, T0 + 60_000).total()
    assert (sums["total"], sums["good"], sums["scrap"]) == (5, 0, 0)


def test_energy_is_cut_at_minutes_and_at_changes_of_state() -> None:
    what = history(
        machine("state", "energy"), 120, state={-1: 1, 30: 3, 90: 1}, energy={-60: 100, 0: 100, 120: 101.2, 130: 101.2}
    )
    found = what.buckets(T0, T0 + 120_000)
    assert found["energy"].tolist() == [600_000, 600_000]
    assert found["energy_producing"].tolist() == [300_000, 300_000]
    assert found["energy_idle"].tolist() == [300_000, 300_000]


def test_a_register_bridges_an_outage_and_its_energy_is_of_unknown_use() -> None:
    what = history(
        machine("state", "energy", hold=POLLED),
        600,
        state={-1: 1, 0: 1, 600: 1},
        energy={-1: 50, 0: 50, 600: 51},
    )
    sums = what.buckets(T0, T0 + 600_000).total()
    assert sums["energy"] == KWH
    assert sums["energy_producing"] == 5_000  # 3 of 600 s
    assert sums["energy_unknown"] == KWH - 5_000


def test_a_bad_reading_ends_what_is_known_but_not_the_count() -> None:
    what = history(
        machine("state", "total", "good"),
        60,
        state={-1: 1, 20: None, 40: 1},
        total={-1: 7, 20: None, 40: 9},
        good={-1: 7, 40: 9},
    )
    sums = what.buckets(T0, T0 + 60_000).total()
    assert (sums["time_producing"], sums["time_unknown"]) == (40 * US, 20 * US)
    assert (sums["total"], sums["facts"], sums["facts_bad"]) == (2, 5, 2)


def test_ten_minutes_of_silence_are_unknown_time_with_both_bounds() -> None:
    ups = dict.fromkeys([*range(0, 301, 30), *range(900, 1201, 30)], 1.0)
    parts = {
        float(second): min(second, 300) / 2 + max(0, second - 900) / 2 for second in [*range(301), *range(900, 1201)]
    }
    what = history(machine("state", "total", "good", hold=ON_CHANGE), 1200, ups, state={0: 1}, total=parts, good=parts)
    sums = what.buckets(T0, T0 + 1_200_000).total()
    assert (sums["time_producing"], sums["time_unknown"]) == (600 * US, 600 * US)
    results = evaluate(sums)
    assert results["availability"].value == results["availability_low"].value == 0.5
    assert results["availability_high"].value == 1.0
    assert results["oee"].value == results["oee_low"].value == pytest.approx(0.5, abs=0.002)
    assert results["oee_high"].value == pytest.approx(1.0, abs=0.002)
    assert results["coverage"].value == 0.5


def test_stops_count_once_in_the_minute_in_which_they_start() -> None:
    states = {-1.0: 1, 50: 4, 70: 3, 80: None, 100: 4, 130: 1, 140: 2, 150: 6}
    found = history(machine("state"), 180, state=states).buckets(T0, T0 + 180_000)
    assert found["stops"].tolist() == [1, 0, 1]


def test_time_outside_the_calendar_is_unplanned_and_planned_stops_are_not_planned_busy_time() -> None:
    what = history(machine("state", calendar=SHIFT), 900, state={0: 1, 250: 7, 310: 1})
    sums = what.buckets(T0, T0 + 900_000).total()
    assert sums["time_unplanned"] == (900 - 420) * US  # shift of 8 minutes with a break of one
    assert sums["time_planned_stop"] == 60 * US
    assert sums["planned"] == sums["time_producing"] == 360 * US


def test_a_stop_outside_planned_time_is_no_stop() -> None:
    what = history(machine("state", calendar=SHIFT), 900, state={0: 1, 10: 4, 185: 1, 200: 4})
    assert what.buckets(T0, T0 + 900_000).total()["stops"] == 1


def test_nothing_is_counted_beyond_the_horizon() -> None:
    what = history(machine("state"), 120, horizon_s=90, state={0: 1})
    assert what.buckets(T0, T0 + 120_000)["planned"].tolist() == [60 * US, 30 * US]


def test_an_asset_with_meters_only_has_no_planned_time() -> None:
    sums = history(machine("energy"), 60, energy={0: 1, 60: 2}).buckets(T0, T0 + 60_000).total()
    assert (sums["planned"], sums["time_unknown"], sums["energy_unknown"]) == (0, 0, KWH)


def test_a_range_without_time_has_no_rows() -> None:
    what = history(machine(), 60, state={0: 1})
    assert len(what.buckets(T0, T0)) == 0
    assert set(what.buckets(T0, T0).total().values()) == {0}


def test_a_range_inside_a_minute_gives_that_part_of_it() -> None:
    found = history(machine("state"), 60, state={0: 1}).buckets(T0 + 10_000, T0 + 25_000)
    assert found.minute.tolist() == [T0 // MINUTE_MS]
    assert found["time_producing"].tolist() == [15 * US]


def test_a_day_of_minutes_is_in_order_and_complete() -> None:
    what = history(machine("state", calendar=Calendar.always("UTC")), 86_400, state={0: 1})
    found = buckets(what.model, what.segments(T0, T0 + 86_400_000), what.facts, (), T0, T0 + 86_400_000)
    assert np.diff(found.minute).tolist() == [1] * 1439
    assert found["time_producing"].tolist() == [60 * US] * 1440

"""What is counted of the data: due and come, checked and right, read and bad, watched and fresh."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.asset import AssetModel, Binding, Hold
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import evaluate, scores
from gateway.kpi.scores import COUNTED, by_role
from gateway.kpi.stretches import Stretches
from gateway.walltime import Span
from tests.unit.gateway.kpi.machines import (
    ON_CHANGE,
    POLLED,
    SPAN_MS,
    T0,
    UNWATCHED,
    History,
    histories,
    history,
    machine,
)

EVERY_10_S = Hold(polled=True, period_ms=10_000)


def counts(what: History, role: str = "", end_s: float = 60) -> dict[str, int]:
    """Counts of a role over the first seconds; of the whole asset."""
    span = (T0, T0 + round(end_s * 1000))
    if not role:
        return {name: what.buckets(*span).total()[f"dq_{name}"] for name in COUNTED}
    facts, sessions = what.around(*span)
    found = by_role(what.model, facts, sessions, span, what.horizon_ms)[role]
    return dict(zip(COUNTED, found.tolist(), strict=True))


def checked(model: AssetModel, role: str, **checks: float) -> AssetModel:
    binding: Binding = replace(model.bindings[role], **checks)  # type: ignore[arg-type]
    return replace(model, bindings={**model.bindings, role: binding})


# sufficient ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase_s", [0, 0.3, 5, 9.999])
@pytest.mark.parametrize("missing", [(), (3,), (3, 4), (1, 3, 5), (2, 3, 4, 5)])
def test_each_poll_that_is_missing_is_one_value_less_wherever_the_polls_fall(
    phase_s: float, missing: tuple[int, ...]
) -> None:
    polls = {-10 + phase_s + 10 * n: 5.0 for n in range(14) if n not in missing}
    found = counts(history(machine("energy", hold=EVERY_10_S), 60, horizon_s=200, energy=polls))  # type: ignore[arg-type]
    assert (found["expected"], found["received"]) == (6, 6 - len(missing))


def test_a_poll_that_is_late_by_less_than_half_a_period_is_not_missing_and_two_at_once_are_not_two() -> None:
    late = {0: 1.0, 10: 1.0, 24.9: 1.0, 30: 1.0, 30.1: 1.0, 40: 1.0, 50: 1.0, 60: 1.0}
    found = counts(history(machine("energy", hold=EVERY_10_S), 60, horizon_s=90, energy=late))  # type: ignore[arg-type]
    assert found["received"] == found["expected"] == 6
    assert found["in"] == 7


def test_readings_that_are_no_value_do_not_count_as_received() -> None:
    polls = {10 * n: None if n in (2, 3) else 5.0 for n in range(8)}
    found = counts(history(machine("energy", hold=EVERY_10_S), 60, horizon_s=90, energy=polls))
    assert (found["expected"], found["received"], found["in"], found["bad"]) == (6, 4, 6, 2)


def test_a_poll_that_is_not_late_yet_does_not_count_as_missing() -> None:
    polls = {0: 5.0, 10: 5.0, 20: 5.0}
    model = machine("energy", hold=EVERY_10_S)
    received = {s: counts(history(model, 60, horizon_s=s, energy=polls))["received"] for s in (30, 34, 36, 60)}
    due = {s: counts(history(model, 60, horizon_s=s, energy=polls))["expected"] for s in (30, 34, 36, 60)}
    assert due == {30: 3, 34: 4, 36: 4, 60: 6}
    assert received == {30: 3, 34: 4, 36: 3, 60: 3}


def test_of_a_role_that_reports_on_change_the_seconds_count_in_which_its_session_was_up() -> None:
    session = {0: 1, 30: 1, 40: 0, 50: 2, 80: 1}
    what = history(machine("state", hold=ON_CHANGE), 60, session, horizon_s=80, state={0: 1})
    found = counts(what)  # what lies between its last sign of life and the loss is not proven
    assert (found["expected"], found["received"]) == (60, 40)
    assert (found["time"], found["live"]) == (60_000_000, 40_000_000)


def test_nothing_is_expected_of_a_source_that_nobody_watches() -> None:
    found = counts(history(machine("state", "total", hold=UNWATCHED), 60, state={0: 1}, total={0: 1, 30: 5}))
    assert (found["expected"], found["time"], found["in"]) == (0, 0, 3)


def test_only_planned_time_counts_but_of_mere_meters_all_time() -> None:
    night = Calendar("UTC", shifts=(("late", Span(1227, 1228)),))  # one minute, the first
    polls = {10 * n: 5.0 for n in range(14)}
    press = machine("total", hold=EVERY_10_S, calendar=night)
    meter = machine("energy", hold=EVERY_10_S, calendar=night)
    assert counts(history(press, 120, horizon_s=140, total=polls), end_s=120)["expected"] == 6
    assert counts(history(meter, 120, horizon_s=140, energy=polls), end_s=120)["expected"] == 12


# live ---------------------------------------------------------------------------------------------------------------


def test_a_polled_value_is_fresh_for_three_periods_and_until_a_bad_reading() -> None:
    model = machine("energy", hold=EVERY_10_S)
    assert counts(history(model, 60, energy={0: 5.0}))["live"] == 30_000_000
    assert counts(history(model, 60, energy={0: 5.0, 15: None}))["live"] == 15_000_000


def test_a_value_that_was_never_reported_is_not_live_but_pulses_are_while_the_session_is_up() -> None:
    session = {0: 1, 30: 1, 60: 1}
    model = machine("state", "total", hold=ON_CHANGE)
    pulses = replace(model, bindings={**model.bindings, "total": replace(model.bindings["total"], kind="pulse")})
    what = history(pulses, 60, session, state={20: 1})
    assert counts(what, "state")["live"] == 40_000_000
    assert counts(what, "total")["live"] == 60_000_000


def test_a_machine_that_says_it_is_gone_is_neither_heard_nor_fresh() -> None:
    what = history(
        machine("state", "alive", hold=ON_CHANGE), 60, {0: 1, 30: 1, 60: 1}, state={0: 1}, alive={0: 1, 45: 0}
    )
    assert (counts(what, "state")["received"], counts(what, "state")["live"]) == (45, 45_000_000)


# accurate and clean -------------------------------------------------------------------------------------------------


def test_a_range_makes_readings_right_or_wrong_and_without_a_rule_nothing_is_checked() -> None:
    temperature = {5: 20.0, 15: 20.5, 25: 99.0, 35: None, 45: -3.0}
    model = machine("startup")
    bare = counts(history(model, 60, startup=temperature))
    ranged = counts(history(checked(model, "startup", low=0, high=50), 60, startup=temperature))
    assert (bare["checked"], bare["in"], bare["bad"]) == (0, 5, 1)
    assert (ranged["checked"], ranged["accurate"], ranged["bad"]) == (5, 2, 1)


def test_a_count_that_cannot_be_is_neither_accurate_nor_clean_but_a_roll_over_is_both() -> None:
    jump = counts(history(machine("total"), 60, total={0: 10, 10: 12, 20: 30_000, 30: 30_001}))
    assert (jump["checked"], jump["accurate"], jump["in"], jump["bad"]) == (4, 3, 4, 1)
    rolled = counts(history(machine("total"), 60, total={0: 65_530, 10: 65_534, 20: 2}))
    assert (rolled["accurate"], rolled["bad"]) == (3, 0)


def test_a_state_that_the_map_does_not_know_is_not_accurate() -> None:
    found = counts(history(machine("state"), 60, state={0: 1, 10: 77, 20: 4}))
    assert (found["checked"], found["accurate"], found["bad"]) == (3, 2, 0)


def test_counts_that_make_no_sum_are_wrong_in_their_minute() -> None:
    seconds = range(0, 60, 5)
    fine: dict[str, Any] = {
        "total": {s: s // 5 for s in seconds},
        "good": {s: s // 5 for s in seconds},
        "scrap": dict.fromkeys(seconds, 0),
    }
    stuck: dict[str, Any] = {**fine, "good": dict.fromkeys(seconds, 0)}
    model = machine("total", "good", "scrap")
    assert counts(history(model, 60, **fine))["accurate"] == counts(history(model, 60, **fine))["checked"] == 36
    assert counts(history(model, 60, **stuck))["accurate"] == 0


def test_counters_that_are_read_a_moment_apart_still_make_a_sum() -> None:
    total, good = {0: 0, 20: 10, 40: 20, 59: 30, 80: 40}, {1: 0, 21: 10, 41: 20, 61: 30, 81: 40}
    what = history(machine("total", "good", "scrap"), 120, total=total, good=good, scrap={0: 0, 119: 0})
    assert counts(what, end_s=120)["accurate"] == counts(what, end_s=120)["checked"] == 12


def test_a_value_that_stands_still_for_longer_than_its_limit_is_not_clean() -> None:
    flat = checked(machine("energy"), "energy", flat_ms=20_000)
    found = counts(history(flat, 60, energy={0: 1.0, 10: 2.0, 20: 2.0, 30: 2.0, 40: 2.0, 50: 3.0}))
    assert (found["in"], found["bad"]) == (6, 1)
    assert found["accurate"] == 6


# all of them --------------------------------------------------------------------------------------------------------


@given(histories())
@settings(deadline=None, max_examples=80)
def test_no_score_leaves_0_to_1_and_no_part_is_more_than_its_whole(what: History) -> None:
    found = what.buckets(T0, T0 + SPAN_MS)
    for part, whole in (
        ("received", "expected"),
        ("accurate", "checked"),
        ("bad", "in"),
        ("live", "time"),
        ("checked", "in"),
    ):
        assert (found[f"dq_{part}"] >= 0).all()
        assert (found[f"dq_{part}"] <= found[f"dq_{whole}"]).all()
    assert all(0 <= score <= 1 for score in scores(found.total()).values())


@given(histories(), st.lists(st.integers(1, SPAN_MS - 1), max_size=3, unique=True))
@settings(deadline=None, max_examples=60)
def test_the_roles_add_up_to_the_asset_over_any_partition_of_time(what: History, cuts: list[int]) -> None:
    edges = [T0, *(T0 + cut for cut in sorted(cuts)), T0 + SPAN_MS]
    parts = np.zeros(len(COUNTED), np.int64)
    for span in itertools.pairwise(edges):
        facts, sessions = what.around(*span)
        parts += sum(by_role(what.model, facts, sessions, span, what.horizon_ms).values(), np.zeros_like(parts))
    assert dict(zip(COUNTED, parts.tolist(), strict=True)) == counts(what, end_s=SPAN_MS / 1000)


def test_scores_that_are_bad_make_every_kpi_uncertain_or_bad() -> None:
    polls = {s: 5.0 + s for s in range(60)}
    whole = history(machine("energy", hold=POLLED), 60, horizon_s=60, energy=polls)
    torn = history(machine("energy", hold=POLLED), 60, horizon_s=60, energy={s: v for s, v in polls.items() if s % 10})
    half = history(machine("energy", hold=POLLED), 60, horizon_s=60, energy={s: v for s, v in polls.items() if s < 30})
    found = [evaluate(what.buckets(T0, T0 + 60_000).total())["energy"].status for what in (whole, torn, half)]
    assert found == ["good", "uncertain", "bad"]


_EDGES = st.lists(st.integers(0, 500), unique=True, max_size=12).map(sorted)


@given(_EDGES, _EDGES, st.integers(1, 40))
def test_stretches_are_counted_like_a_list_of_moments(a: list[int], b: list[int], every: int) -> None:
    one, other = (
        Stretches(np.array(edges[: len(edges) // 2 * 2 : 2], np.int64), np.array(edges[1::2], np.int64))
        for edges in (a, b)
    )
    at = np.arange(510)
    inside = [
        {t for s, e in zip(some.start_ms, some.end_ms, strict=True) for t in range(s, e)} for some in (one, other)
    ]
    assert one.until(at, every).tolist() == [sum(t < x and t % every == 0 for t in inside[0]) for x in at.tolist()]
    assert set(at[one.within(other).covers(at)].tolist()) == inside[0] & inside[1]


def test_what_is_so_for_ever_has_no_end() -> None:
    found = Stretches.where(np.array([5, 10, 20]), np.array([True, False, True]))
    assert found.covers(np.array([4, 5, 9, 10, 20, 2**40])).tolist() == [False, True, True, False, True, True]

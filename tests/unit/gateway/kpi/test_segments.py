from dataclasses import replace

import numpy as np
import pytest

from gateway.kpi.asset import Binding, TimeClass
from gateway.kpi.facts import Series, text_code
from gateway.kpi.segments import RENEWED, RESUMED, settled
from tests.unit.gateway.kpi.machines import ON_CHANGE, POLLED, SESSION, T0, UNWATCHED, History, history, machine, series

Seen = list[tuple[float, float, str]]


def seen(what: History, from_s: float = 0, to_s: float | None = None) -> Seen:
    """Segments in seconds after T0."""
    found = what.segments(T0 + round(from_s * 1000), what.end_ms if to_s is None else T0 + round(to_s * 1000))
    columns = (found.start_ms.tolist(), found.end_ms.tolist(), found.time_class.tolist())
    return [
        ((start - T0) / 1000, (end - T0) / 1000, TimeClass(kind).label)
        for start, end, kind in zip(*columns, strict=True)
    ]


def test_a_polled_value_holds_until_the_next_and_at_most_three_periods() -> None:
    what = history(machine("state", hold=POLLED), 20, state={0: 1, 1: 1, 2: 4, 10: 1, 12.5: 1})
    assert seen(what) == [
        (0, 2, "producing"),
        (2, 5, "fault"),
        (5, 10, "unknown"),
        (10, 15.5, "producing"),
        (15.5, 20, "unknown"),
    ]


def test_without_a_watched_session_a_value_holds_until_the_next() -> None:
    what = history(machine("state", hold=UNWATCHED), 5000, state={0: 1, 3000: 4})
    assert seen(what) == [(0, 3000, "producing"), (3000, 5000, "fault")]


def test_a_value_that_reports_on_change_holds_while_its_session_says_up() -> None:
    ups = dict.fromkeys(range(0, 301, 30), 1.0)
    assert seen(history(machine("state", hold=ON_CHANGE), 300, ups, state={0: 1})) == [(0, 300, "producing")]


def test_a_lost_session_makes_time_unknown_from_the_last_proof_of_life_until_it_is_up_again() -> None:
    session = {0: 1, 30: 1, 60: 1, 85: 0, 200: 1, 230: 1}
    what = history(machine("state", hold=ON_CHANGE), 240, session, state={0: 1})
    assert seen(what) == [(0, 60, "producing"), (60, 200, "unknown"), (200, 240, "producing")]


def test_a_lost_session_counts_even_when_it_is_back_soon() -> None:
    what = history(machine("state", hold=ON_CHANGE), 120, {0: 1, 30: 1, 60: 1, 70: 0, 90: 1}, state={0: 1})
    assert seen(what) == [(0, 60, "producing"), (60, 90, "unknown"), (90, 120, "producing")]


def test_a_gateway_that_was_away_proves_nothing_of_that_time_for_values_stamped_on_arrival() -> None:
    session = {0: 1, 30: 1, 55: RESUMED, 85: 1}
    what = history(machine("state", hold=ON_CHANGE), 100, session, state={0: 1})
    assert seen(what) == [(0, 30, "producing"), (30, 55, "unknown"), (55, 100, "producing")]


@pytest.mark.parametrize(("again", "unknown"), [(RESUMED, []), (RENEWED, [(30, 55, "unknown")])])
def test_values_with_source_time_bridge_a_short_absence_if_their_session_was_kept(again: float, unknown: Seen) -> None:
    what = history(
        machine("state", hold=replace(ON_CHANGE, source_time=True)), 100, {0: 1, 30: 1, 55: again, 85: 1}, state={0: 1}
    )
    assert [one for one in seen(what) if one[2] == "unknown"] == unknown


def test_proofs_too_far_apart_prove_nothing_between_them() -> None:
    session = {0: 1, 30: 1, 106: 1, 136: 1}
    what = history(machine("state", hold=ON_CHANGE), 140, session, state={0: 1})
    assert seen(what) == [(0, 30, "producing"), (30, 106, "unknown"), (106, 140, "producing")]


def test_a_value_holds_only_while_the_assets_own_alive_tag_is_true() -> None:
    model = machine("state", "alive", hold=ON_CHANGE)
    ups = dict.fromkeys(range(0, 301, 30), 1.0)
    what = history(model, 300, ups, state={0: 1, 200: 4}, alive={10: 1, 100: 0, 150: 1, 250: None})
    assert seen(what) == [
        (0, 10, "unknown"),
        (10, 100, "producing"),
        (100, 150, "unknown"),
        (150, 200, "producing"),
        (200, 250, "fault"),
        (250, 300, "unknown"),
    ]
    assert seen(history(model, 300, ups, state={0: 1})) == [(0, 300, "unknown")]


def test_the_facts_of_the_asset_itself_are_proof_of_life() -> None:
    what = history(
        machine("state", "total", hold=ON_CHANGE), 150, {0: 1}, state={0: 1}, total={60: 1, 120: 2, 130: None}
    )
    assert seen(what) == [(0, 150, "producing")]


def test_facts_of_another_source_prove_nothing() -> None:
    model = machine("state", hold=ON_CHANGE)
    meter = Binding("energy", 7, "counter", 0, 1e6, False, POLLED)
    model = machine("state", hold=ON_CHANGE, bindings={**model.bindings, "energy": meter})
    what = history(model, 150, {0: 1}, state={0: 1}, energy={60: 1, 120: 2})
    assert seen(what) == [(0, 150, "unknown")]


def test_the_horizon_is_proof_of_life_only_as_long_as_the_next_one_may_still_come() -> None:
    model = machine("state", hold=ON_CHANGE)
    assert seen(history(model, 70, {0: 1}, 70, state={0: 1})) == [(0, 70, "producing")]
    assert seen(history(model, 70, {0: 1}, 76, state={0: 1})) == [(0, 70, "unknown")]


def test_no_segment_reaches_beyond_the_horizon() -> None:
    assert seen(history(machine("state"), 60, horizon_s=42, state={0: 1})) == [(0, 42, "producing")]
    assert seen(history(machine("state"), 60, horizon_s=-1, state={-9: 1})) == []


def test_a_bad_reading_makes_time_unknown_until_the_next_good_one() -> None:
    what = history(machine("state"), 60, state={0: 1, 20: None, 50: 3})
    assert seen(what) == [(0, 20, "producing"), (20, 50, "unknown"), (50, 60, "idle")]


def test_a_bad_reading_is_not_the_state_zero() -> None:
    what = history(machine("state", state_map={"0": TimeClass.IDLE}), 60, state={0: 0, 20: None})
    assert seen(what) == [(0, 20, "idle"), (20, 60, "unknown")]


def test_time_before_the_first_fact_and_without_any_is_unknown() -> None:
    assert seen(history(machine("state"), 60, state={10: 1})) == [(0, 10, "unknown"), (10, 60, "producing")]
    assert seen(history(machine("state"), 60)) == [(0, 60, "unknown")]
    assert seen(history(machine("energy"), 60, energy={0: 1})) == [(0, 60, "unknown")]


def test_a_state_that_is_not_mapped_is_unknown_but_keeps_its_value() -> None:
    what = history(machine("state"), 60, state={0: 1, 30: 77})
    found = what.segments(T0, what.end_ms)
    assert found.time_class.tolist() == [TimeClass.PRODUCING, TimeClass.UNKNOWN]
    assert found.state.tolist() == [1.0, 77.0]


def test_neighbours_of_the_same_state_are_one_segment_and_other_states_of_the_same_class_another() -> None:
    model = machine("state", state_map={"1": TimeClass.PRODUCING, "2": TimeClass.PRODUCING})
    what = history(model, 60, state={0: 1, 10: 1, 20: 2, 30: 2})
    assert seen(what) == [(0, 20, "producing"), (20, 60, "producing")]


def test_text_states_are_mapped_by_their_text() -> None:
    binding = Binding("state", 1, is_text=True)
    model = machine(bindings={"state": binding}, state_map={"EXECUTE": TimeClass.PRODUCING, "ABORTED": TimeClass.FAULT})
    codes = [text_code(text) for text in ("EXECUTE", "ABORTED", "HELLO")]
    what = History(model, {"state": Series.of(T0 + np.arange(3) * 10_000, codes)}, series({}), T0 + 30_000, T0 + 30_000)
    assert seen(what) == [(0, 10, "producing"), (10, 20, "fault"), (20, 30, "unknown")]


def test_a_part_of_the_range_shows_the_same_states_as_the_whole() -> None:
    session = {0: 1, 30: 1, 60: 1, 85: 0, 200: 1, 230: 1}
    what = history(machine("state", hold=ON_CHANGE), 240, session, state={-20: 4, 0: 1, 220: 3})
    assert seen(what, 70, 225) == [(70, 200, "unknown"), (200, 220, "producing"), (220, 225, "idle")]


@pytest.mark.parametrize(
    ("hold", "last_s", "horizon_s", "expected_s"),
    [(POLLED, 100, 102, 100), (POLLED, 100, 110, 110), (UNWATCHED, 100, 999, 999), (ON_CHANGE, 100, 160, 120)],
)
def test_results_are_settled_up_to_where_the_next_fact_may_still_change_them(
    hold: object, last_s: float, horizon_s: float, expected_s: float
) -> None:
    facts = {"state": series({0: 1, last_s: 1})}
    sessions = {SESSION: series({90: 1, 120: 1})}
    assert (
        settled(machine("state", hold=hold), facts, (), sessions, T0 + round(horizon_s * 1000))
        == T0 + expected_s * 1000
    )


@pytest.mark.parametrize(("presence", "horizon_s"), [({90: 1, 130: 0}, 140), ({90: 1}, 176)])
def test_nothing_more_is_awaited_from_a_session_that_is_lost(
    presence: dict[int, float | None], horizon_s: float
) -> None:
    facts = {"state": series({0: 1, 100: 1})}
    horizon_ms = T0 + round(horizon_s * 1000)
    assert settled(machine("state", hold=ON_CHANGE), facts, (), {SESSION: series(presence)}, horizon_ms) == horizon_ms

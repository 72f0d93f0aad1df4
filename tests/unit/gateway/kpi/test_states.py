import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.kpi.asset import AssetModel, TimeClass
from gateway.kpi.config import AssetConfig
from gateway.kpi.facts import Series, text_code
from gateway.kpi.model import dump, load
from gateway.kpi.roles import build_models, check_models
from gateway.kpi.segments import segments, settled
from gateway.kpi.states import state_text
from gateway.model import Site, Tag, TagTable, TagType
from tests.unit.gateway.kpi.machines import POLLED, T0, History, history, series

TAGS = TagTable(
    enumerate(
        [
            Tag("mill/word", TagType.INT, period_ms=1000),
            Tag("mill/speed", TagType.FLOAT, "rpm", period_ms=1000),
            Tag("mill/power", TagType.FLOAT, "W", period_ms=1000),
            Tag("mill/mode", TagType.TEXT),
            Tag("mill/alarm", TagType.BOOL),
            Tag("mill/running", TagType.BOOL),
            Tag("mill/parts", TagType.INT, counter=True),
            Tag("mill/code", TagType.INT),
        ]
    )
)


def model_of(state: dict[str, Any], **changes: Any) -> AssetModel:
    config = {"mill": AssetConfig.model_validate({"state": state, **changes})}
    return build_models(config, {}, {}, TAGS, Site("plant", "UTC"))["mill"]


def problems(state: dict[str, Any]) -> dict[str, str]:
    config = {"mill": AssetConfig.model_validate({"state": state})}
    found = check_models(config, {}, {}, TAGS, Site("plant", "UTC"))
    return {".".join(map(str, one.path)).removeprefix("assets.mill."): one.problem for one in found}


def words(what: History) -> list[tuple[float, float, str, str]]:
    """Start and end in seconds, class, and the state as people read it."""
    found = what.segments(T0, what.end_ms)
    texts = {text_code(text): text for text in ("EXECUTE", "Manual", "Auto", "Held")}
    rows = zip(found.start_ms, found.end_ms, found.time_class, found.rule, found.state, strict=True)
    return [
        (
            (a - T0) / 1000,
            (b - T0) / 1000,
            TimeClass(kind).label,
            state_text(what.model, int(rule), float(state), texts.__getitem__),
        )
        for a, b, kind, rule, state in rows
    ]


def classes(model: AssetModel, **values: float | str) -> list[str]:
    """The class of one moment at which the roles have these values."""
    facts = {
        role.replace("_", "."): Series.of([T0], [text_code(value) if isinstance(value, str) else value])
        for role, value in values.items()
    }
    found = segments(model, facts, (), {}, T0, T0 + 100, T0 + 100)
    return [TimeClass(one).label for one in found.time_class.tolist()]


@pytest.mark.parametrize(
    ("speed", "expected"),
    [(9.99, "idle"), (10.0, "producing"), (3000.0, "producing"), (0.5, "idle"), (-0.1, "unknown"), (0.0, "setup")],
)
def test_a_measured_value_is_a_state_by_the_range_it_lies_in(speed: float, expected: str) -> None:
    model = model_of({"tag": "speed", "producing": ">= 10 rpm", "idle": ["0.1..9.5", "> 9.5"], "setup": 0})
    assert classes(model, state=speed) == [expected]


def test_power_is_compared_in_the_unit_that_the_user_writes() -> None:
    model = model_of({"tag": "power", "producing": "> 5kW", "otherwise": "idle"})
    assert [classes(model, state=watts) for watts in (5000.0, 5000.1, 0.0)] == [["idle"], ["producing"], ["idle"]]


def test_a_range_is_named_and_not_every_value_in_it() -> None:
    model = model_of({"tag": "speed", "producing": ">= 10", "idle": "< 10"})
    what = history(model, 5, state={0: 11, 1: 12.5, 2: 13, 3: 1, 4: 0})
    assert words(what) == [(0, 3, "producing", "speed >= 10"), (3, 5, "idle", "speed < 10")]


def test_measured_values_that_no_range_holds_are_one_stretch_of_unknown_time() -> None:
    model = model_of({"tag": "speed", "producing": ">= 10"})
    assert words(history(model, 3, state={0: 1, 1: 2, 2: 3})) == [(0, 3, "unknown", "")]


@pytest.mark.parametrize(
    ("word", "expected"),
    [(1, "producing"), (0b1001, "fault"), (8, "fault"), (4, "idle"), (0, "idle"), (2**40 + 1, "producing")],
)
def test_bits_of_a_status_word_are_asked_in_the_order_fault_before_producing(word: int, expected: str) -> None:
    model = model_of({"tag": "word", "producing": "bit 0", "fault": "bit 3", "otherwise": "idle"})
    assert classes(model, state=float(word)) == [expected]


def test_the_first_of_several_tags_that_has_an_answer_decides() -> None:
    model = model_of(
        {
            "first_of": [
                {"tag": "alarm", "fault": True},
                {"tag": "mode", "maintenance": "Manual"},
                {"tag": "running", "producing": True, "otherwise": "idle"},
            ]
        }
    )
    assert list(model.bindings) == ["state.1", "state.2", "state.3"]
    modes = Series.of([T0, T0 + 20_000], [text_code("Auto"), text_code("Manual")])
    facts = {"state.1": series({0: 0, 30: 1, 40: 0}), "state.2": modes, "state.3": series({0: 0, 10: 1})}
    assert words(History(model, facts, series({}), T0 + 50_000, T0 + 50_000)) == [
        (0, 10, "idle", "running: otherwise"),
        (10, 20, "producing", "running = 1"),
        (20, 30, "maintenance", "Manual"),
        (30, 40, "fault", "alarm = 1"),
        (40, 50, "maintenance", "Manual"),
    ]


def test_a_tag_behind_a_silent_one_decides_nothing() -> None:
    model = model_of(
        {"first_of": [{"tag": "alarm", "fault": True}, {"tag": "running", "producing": True, "otherwise": "idle"}]}
    )
    facts = {"state.1": series({0: 0, 10: None, 20: 1}), "state.2": series({0: 1})}
    what = History(model, facts, series({}), T0 + 40_000, T0 + 40_000)
    assert [row[:3] for row in words(what)] == [(0, 10, "producing"), (10, 20, "unknown"), (20, 40, "fault")]


@pytest.mark.parametrize(
    ("state", "expected"), [("EXECUTE", "producing"), ("Execute", "producing"), ("ABORTED", "fault")]
)
def test_packml_states_are_known_by_name(state: str, expected: str) -> None:
    assert classes(model_of({"tag": "mode", "map": "packml"}), state=state) == [expected]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(6, "producing"), (9, "fault"), (4, "idle"), (5, "starved"), (0, "unknown"), (18, "unknown")],
)
def test_packml_states_are_known_by_number(number: int, expected: str) -> None:
    assert classes(model_of({"tag": "code", "map": "packml"}), state=float(number)) == [expected]


def test_what_the_user_maps_himself_goes_before_the_standard() -> None:
    model = model_of({"tag": "code", "map": "packml", "blocked": 5, "setup": [15, 3]})
    assert [classes(model, state=float(n))[0] for n in (5, 15, 6)] == ["blocked", "setup", "producing"]


def test_a_machine_produces_while_its_counter_moves_and_stopped_with_its_last_part() -> None:
    model = model_of({"counter": "parts", "idle_after": "30s"})
    what = history(model, 200, state={0: 7, 10: 8, 30: 9, 50: 10, 60: 10, 120: 11, 140: 12}, horizon_s=200)
    assert [row[:3] for row in words(what)] == [
        (0, 10, "idle"),
        (10, 50, "producing"),
        (50, 120, "idle"),
        (120, 140, "producing"),
        (140, 200, "idle"),
    ]
    assert words(what)[1][3] == "parts moves"


def test_a_counter_that_moved_just_now_still_moves() -> None:
    model = model_of({"counter": "parts", "idle_after": "30s"})
    what = history(model, 60, state={0: 7, 10: 8, 40: 9}, horizon_s=60)
    assert [row[:3] for row in words(what)] == [(0, 10, "idle"), (10, 60, "producing")]
    facts = {"state": what.facts["state"]}
    assert settled(model, facts, (), {}, T0 + 60_000) == T0 + 40_000
    assert settled(model, facts, (), {}, T0 + 71_000) == T0 + 71_000


def test_a_counter_that_is_reset_to_zero_has_not_made_a_part() -> None:
    model = model_of({"counter": "parts", "idle_after": "30s", "otherwise": "starved"})
    what = history(model, 60, state={0: 7, 20: 0, 50: 0}, horizon_s=60)
    assert [row[:3] for row in words(what)] == [(0, 60, "starved")]


def test_a_counter_that_is_silent_says_nothing() -> None:
    model = model_of({"counter": "parts", "idle_after": "30s"})
    polled = replace(model, bindings={"state": replace(model.bindings["state"], hold=POLLED)})
    what = history(
        polled, 20, state={second: 100 + second for second in (0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)}
    )
    assert [row[:3] for row in words(what)] == [
        (0, 1, "idle"),
        (1, 6, "producing"),
        (6, 10, "unknown"),
        (10, 20, "producing"),
    ]


def test_a_counter_is_heard_again_with_the_first_good_reading_after_a_bad_one() -> None:
    model = model_of({"counter": "parts", "idle_after": "3s"})
    what = history(model, 30, state={5: 1, 10: None, 15: 1, 20: None, 22: None, 24: 2}, horizon_s=30)
    assert [row[:3] for row in words(what)] == [
        (0, 5, "unknown"),
        (5, 10, "idle"),
        (10, 15, "unknown"),
        (15, 20, "idle"),
        (20, 24, "unknown"),
        (24, 30, "idle"),  # it grew once, more than 3 s ago
    ]


_SECONDS = st.lists(st.integers(-300, 900), min_size=1, max_size=30, unique=True).map(sorted)


@given(_SECONDS, st.data(), st.integers(0, 600), st.integers(1, 300), st.sampled_from([0, 40_000]))
def test_any_part_of_a_range_shows_what_the_whole_shows(
    seconds: list[int], data: st.DataObject, first: int, length: int, minor_ms: int
) -> None:
    model = replace(model_of({"counter": "parts", "idle_after": "30s"}), minor_stop_ms=minor_ms)
    steps = [data.draw(st.sampled_from([0, 0, 1, 2, -5])) for _ in seconds]
    register = [
        None if data.draw(st.integers(0, 9)) == 0 else value for value in np.abs(50 + np.cumsum(steps)).tolist()
    ]
    counter = dict(zip(seconds, register, strict=True))
    what = history(model, 900, state=counter, horizon_s=1000)
    assert_part_of_whole(what, T0 + first * 1000, T0 + (first + length) * 1000)


def assert_part_of_whole(what: History, from_ms: int, to_ms: int) -> None:
    """Classes, reasons and what came before are the same, however the range is cut."""
    whole, part = what.segments(T0, what.end_ms), what.segments(from_ms, to_ms)
    at = np.arange(from_ms, min(to_ms, what.end_ms), 1000)
    in_whole = np.searchsorted(whole.start_ms, at, "right") - 1
    in_part = np.searchsorted(part.start_ms, at, "right") - 1
    assert whole.time_class[in_whole].tolist() == part.time_class[in_part].tolist()
    assert [whole.reasons[n] for n in whole.reason[in_whole]] == [part.reasons[n] for n in part.reason[in_part]]
    inside = (whole.start_ms >= from_ms) & (whole.start_ms < to_ms)
    own = part.start_ms > from_ms
    assert whole.before[inside & (whole.start_ms > from_ms)].tolist() == part.before[own].tolist()


@pytest.mark.parametrize(
    ("state", "path", "problem"),
    [
        ({"tag": "speed", "producing": "> 10 kW"}, "state.producing", "the tag is in rpm, not in kW"),
        ({"tag": "speed", "producing": "bit 1"}, "state.producing", "only a whole number has bits"),
        ({"tag": "speed", "idle": "9..1"}, "state.idle", "write the smaller one first"),
        ({"tag": "speed", "idle": "fast"}, "state.idle", "'fast' is not a number, but the tag is"),
        ({"counter": "mode", "idle_after": "9s"}, "state.counter", "is a text: a counter is a number"),
        ({"counter": "part", "idle_after": "9s"}, "state.counter", "did you mean 'mill/parts'?"),
        ({"first_of": [{"tag": "alarm", "idle": 0}, {"tag": "runing"}]}, "state.first_of.1.tag", "mill/running"),
        ({"first_of": [{"tag": "alarm"}]}, "state.first_of.0", "no state is mapped"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named_with_what_to_write(state: dict[str, Any], path: str, problem: str) -> None:
    assert problem in problems(state)[path]


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"producing": [1]}, "write either `tag`"),
        ({"tag": "a", "counter": "b", "idle_after": "1s"}, "write either `tag`"),
        ({"counter": "b"}, "needs `idle_after`"),
        ({"counter": "b", "idle_after": "1s", "idle": 0}, "only `otherwise`"),
        ({"tag": "a", "idle_after": "1s"}, "is for a `counter`"),
        ({"tag": "a", "first_of": [{"tag": "b", "idle": 1}]}, "write everything under `first_of`"),
        ({"tag": "a", "otherwise": "stopped"}, "'producing'"),
    ],
)
def test_a_state_that_is_half_written_is_refused(state: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AssetConfig.model_validate({"state": state})


def test_rules_survive_the_record_and_change_the_hash() -> None:
    found = model_of({"tag": "speed", "producing": "> 10", "otherwise": "idle"}, minor_stop="2min", rated="60/h")
    known = load(dump(found, TAGS), found.hash, TAGS)
    assert known == found
    assert json.loads(dump(found, TAGS))["rules"][0]["high"] is None
    other = model_of({"tag": "speed", "producing": "> 11", "otherwise": "idle"}, minor_stop="2min", rated="60/h")
    assert other.hash != found.hash


def test_text_that_looks_like_a_condition_is_a_state_of_a_text_tag() -> None:
    assert classes(model_of({"tag": "mode", "idle": "> 10", "fault": "bit 3"}), state="> 10") == ["idle"]

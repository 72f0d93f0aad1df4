import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.kpi.asset import Measure, TimeClass, describe
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.config import AssetConfig, LineConfig
from gateway.kpi.model import dump, load
from gateway.kpi.roles import AssetModel, KpiConfigError, available, build_models, check_models
from gateway.model import Site, Tag, TagTable, TagType
from gateway.walltime import Span

TAGS = [
    Tag("press-07/state", TagType.TEXT, source="cell"),
    Tag("press-07/good_count", TagType.INT, counter=True, modulus=65536, source="cell"),
    Tag("press-07/total_count", TagType.INT, counter=True, modulus=65536, source="cell"),
    Tag("press-07/import_energy", TagType.FLOAT, "kWh", counter=True, period_ms=1000, source="meter"),
    Tag("press-07/active_power", TagType.FLOAT, "kW", period_ms=1000, source="meter"),
    Tag("press-07/running", TagType.BOOL, source="cell"),
    Tag("press-07/voltage", TagType.FLOAT, "V", period_ms=1000, source="meter"),
    Tag("press-07/job", TagType.TEXT, source="cell"),
    Tag("source/cell/session", TagType.BOOL),
    Tag("source/meter/session", TagType.BOOL),
]
PRESS: dict[str, Any] = {
    "line": "stamping",
    "state": {"tag": "state", "producing": ["EXECUTE"], "setup": ["SETUP"], "fault": ["ABORTED"], "idle": ["IDLE"]},
    "total": "total_count",
    "good": "good_count",
    "energy": {"electricity": "import_energy"},
    "power": "active_power",
    "ideal_cycle_time": "1.8s",
}
SESSION = 10 + [tag.name for tag in TAGS].index("source/cell/session")
LINES: dict[str, dict[str, Any]] = {"stamping": {"area": "press-shop"}}
BEYOND = {
    *("minor_stop_rate", "loss_startup", "equipment_load", "takt_attainment", "rework_ratio", "first_pass_yield"),
}
NIGHTS = {"shifts": {"night": "22:00-06:00"}}


def arguments(press: dict[str, Any], lines: dict[str, Any], calendars: dict[str, Any]) -> tuple[Any, ...]:
    return (
        {"press-07": AssetConfig.model_validate(press)},
        {name: LineConfig.model_validate(line) for name, line in lines.items()},
        {name: CalendarConfig.model_validate(one) for name, one in calendars.items()},
        TagTable(enumerate(TAGS, 10)),
        Site("bac-ninh-1", "Asia/Ho_Chi_Minh"),
    )


def build(lines: dict[str, Any] = LINES, calendars: dict[str, Any] | None = None, **changes: Any) -> AssetModel:
    return build_models(*arguments(PRESS | changes, lines, calendars or {}))["press-07"]


def problems(lines: dict[str, Any] = LINES, calendars: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
    found = check_models(*arguments(PRESS | changes, lines, calendars or {}))
    return {".".join(one.path): one.problem for one in found}


def test_an_asset_binds_its_roles_to_its_own_tags() -> None:
    model = build()
    assert {role: binding.tag_name for role, binding in model.bindings.items()} == {
        "state": "press-07/state",
        "total": "press-07/total_count",
        "good": "press-07/good_count",
        "energy": "press-07/import_energy",
        "power": "press-07/active_power",
    }
    assert model.bindings["good"].kind == "counter"
    assert model.bindings["good"].modulus == 65536
    assert model.bindings["energy"].scale_to_si == 1e6
    assert model.bindings["power"].scale_to_si == 1e3
    assert (model.ideal_cycle_us, model.target_per_h, model.line) == (1_800_000, 2000.0, "stamping")


def test_polled_tags_hold_by_their_period_and_others_by_their_session() -> None:
    model = build()
    assert (model.bindings["state"].hold.polled, model.bindings["state"].hold.session) == (False, SESSION)
    assert (model.bindings["energy"].hold.polled, model.bindings["energy"].hold.period_ms) == (True, 1000)


def test_a_tag_of_another_asset_is_named_whole() -> None:
    assert build(power="press-07/active_power").bindings["power"].tag_name == "press-07/active_power"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"tag": "state", "producing": [True, 7], "idle": ["off"]}, {"true": 0, "7": 0, "off": 2}),
        ({"tag": "running", "producing": [True], "idle": [False]}, {"1": 0, "0": 2}),
        ({"tag": "good_count", "producing": [3, 4.5, "6"]}, {"3": 0, "4.5": 0, "6": 0}),
    ],
)
def test_states_are_written_as_the_tag_reports_them(states: dict[str, Any], expected: dict[str, int]) -> None:
    assert build(state=states).state_map == {raw: TimeClass(number) for raw, number in expected.items()}


def test_the_target_of_the_user_wins_over_the_ideal_time() -> None:
    assert build(target="400/h").target_per_h == 400.0
    assert build(target="7/min").target_per_h == 420.0
    assert build(ideal_cycle_time=None).target_per_h is None


def test_the_power_that_an_asset_can_draw_bounds_its_energy_register() -> None:
    assert build().bindings["energy"].most_w == 0
    assert build(max_power="60kW").bindings["energy"].most_w == 60_000
    assert build(max_power="1.5 MW").bindings["energy"].most_w == 1_500_000
    assert build(max_power="60kW").hash != build().hash
    found = problems(max_power="60kW", energy={})
    assert found["assets.press-07.max_power"] == "is for the energy register: add `energy`, or remove it"


def test_the_calendar_is_the_assets_own_then_its_lines_then_the_default() -> None:
    calendars = {"nights": NIGHTS, "default": {"days": "mon-fri"}, "own": {"days": "sun"}}
    assert build(calendars=calendars).calendar.days == frozenset(range(5))
    assert build({"stamping": {"calendar": "nights"}}, calendars).calendar.shifts == (("night", Span(1320, 1800)),)
    assert build(calendars=calendars, calendar="own").calendar.days == {6}
    assert build().calendar.days == frozenset(range(7))


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"good": "god_count"}, "good", "no tag 'press-07/god_count'; did you mean 'press-07/good_count'?"),
        ({"state": {"tag": "stat", "idle": ["x"]}}, "state.tag", "did you mean 'press-07/state'?"),
        ({"energy": {"electricity": "voltage"}}, "energy.electricity", "unit 'V': energy needs one of Wh, kWh"),
        ({"power": "import_energy"}, "power", "unit 'kWh': power needs one of W, kW"),
        ({"total": "state"}, "total", "is a text: total needs a number"),
        ({"line": "stampin"}, "line", "no line 'stampin'; did you mean 'stamping'?"),
        ({"calendar": "nights"}, "calendar", "no calendar 'nights'"),
        ({"state": {"tag": "state"}}, "state", "no state is mapped"),
        ({"state": {"tag": "state", "idle": ["A"], "fault": ["A"]}}, "state.idle", "'A' is already fault"),
        ({"state": {"tag": "running", "idle": ["A"]}}, "state.idle", "'A' is not a number, but the tag is"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path_and_what_to_do(
    changes: dict[str, Any], path: str, problem: str
) -> None:
    assert problem in problems(**changes)[f"assets.press-07.{path}"]
    with pytest.raises(KpiConfigError):
        build(**changes)


def test_lines_name_calendars_and_assets_that_exist() -> None:
    lines = {"stamping": {"calendar": "weekend", "flow": "serial", "constraint": "press-08"}}
    assert problems(lines) == {
        "lines.stamping.calendar": "no calendar 'weekend'; known are default",
        "lines.stamping.constraint": "no asset 'press-08'; did you mean 'press-07'?",
    }


def test_the_constraint_of_a_line_stands_on_it() -> None:
    lines = {name: {"flow": "serial", "constraint": "press-07"} for name in ("stamping", "welding")}
    assert problems(lines) == {
        "lines.welding.constraint": "'press-07' is not on this line: give it `line: welding`, or name one that is"
    }


def test_an_alive_tag_is_bound_like_a_role_and_is_no_text() -> None:
    assert build(alive="running").bindings["alive"].tag_name == "press-07/running"
    assert problems(alive="state") == {"assets.press-07.alive": "'press-07/state' is a text: alive needs a bool"}


def test_every_problem_is_found_at_once() -> None:
    assert len(problems(good="x", power="y", line="z")) == 3


def test_the_hash_changes_with_everything_that_changes_a_number_and_with_nothing_else() -> None:
    base = build().hash
    assert build(target="1/h", line=None).hash == base
    for change in (
        {"ideal_cycle_time": "1.9s"},
        {"good": None},
        {"good": "total_count"},
        {"state": PRESS["state"] | {"blocked": ["HELD"]}},
        {"state": PRESS["state"] | {"idle": [], "fault": ["ABORTED", "IDLE"]}},
    ):
        assert build(**change).hash != base
    assert build(calendars={"default": NIGHTS}).hash != base
    assert json.loads(describe(build()))["ideal_cycle_us"] == 1_800_000


def test_an_asset_with_everything_has_every_kpi() -> None:
    lacks = {kpi for kpi, need in available(build()).items() if need}
    assert lacks == BEYOND


def test_what_is_beyond_the_common_roles_says_what_it_takes() -> None:
    needs = available(build())
    assert needs["minor_stop_rate"] == "needs `minor_stop`, the length from which a stop is a real one"
    assert needs["first_pass_yield"] == "needs `inspected`; needs `passed`"
    assert needs["loss_startup"] == "needs `startup`"
    assert needs["takt_attainment"] == "needs `takt_time`"
    without = available(build(state={"tag": "state", "producing": ["EXECUTE"], "idle": ["IDLE"]}))
    assert without["setup_ratio"] == without["nee"] == "needs states that are `setup`"
    assert without["mtbf"] == "needs states or reasons that are `fault`"


def test_what_is_missing_is_said_for_each_kpi() -> None:
    needs = available(build(good=None, ideal_cycle_time=None, state=None))
    assert needs["throughput"] == needs["energy"] == needs["co2e"] == ""
    assert needs["availability"] == "needs `state`"
    assert needs["oee"] == "needs `good`, or `total` and `scrap`; needs `ideal_cycle_time`"


def test_a_line_needs_times_and_counts_of_every_machine_and_energy_of_any() -> None:
    compressor = build(state=None, total=None, good=None, ideal_cycle_time=None)
    without_meter = build(energy={})
    assert {kpi for kpi, need in available(without_meter, compressor).items() if need} == BEYOND
    assert available(without_meter, build(good=None))["oee"] == "needs `good`, or `total` and `scrap`"
    assert available(compressor)["availability"] == "needs `state`"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"shifts": {"a": "06:00-14:00", "b": "13:00-20:00"}}, "'a' and 'b' overlap"),
        ({"shifts": {"a": "06:00-14:00", "b": "22:00-06:30"}}, "'b' and 'a' overlap"),
        ({"shifts": {"a": "6-14"}}, 'write it like "06:00-14:00"'),
        ({"shifts": {"a": 21600}}, 'write it like "06:00-14:00"'),
        ({"breaks": ["24:30-25:00"]}, "from 00:00 to 24:00"),
        ({"days": "mon-sut"}, "'mon-sut' are not weekdays"),
        ({"days": 5}, "are not weekdays"),
        ({"holidays": ["2026-02-30"]}, "holidays"),
        ({"brakes": []}, "brakes"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        CalendarConfig.model_validate(section)


@pytest.mark.parametrize(
    ("text", "days"), [("mon-sat", range(6)), ("sat-mon", (5, 6, 0)), (["mon", "thu"], (0, 3)), ("Sun", (6,))]
)
def test_days_are_a_range_a_list_or_a_name(text: object, days: Any) -> None:
    assert CalendarConfig.model_validate({"days": text}).days == frozenset(days)


def test_three_shifts_that_meet_do_not_overlap() -> None:
    shifts = {"day": "06:00-14:00", "evening": "14:00-22:00", "night": "22:00-06:00"}
    assert len(CalendarConfig.model_validate({"shifts": shifts}).shifts) == 3
    assert CalendarConfig.model_validate({"shifts": {"all": "06:00-06:00"}}).shifts["all"] == Span(360, 1800)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"max_power": "60"}, "like 60kW"),
        ({"max_power": "0kW"}, "like 60kW"),
        ({"target": "400"}, "400/h or 7/min"),
        ({"target": "0/h"}, "400/h or 7/min"),
        ({"gud": "x"}, "gud"),
    ],
)
def test_an_asset_that_cannot_be_is_refused(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AssetConfig.model_validate(section)


def test_a_serial_line_needs_its_constraint() -> None:
    with pytest.raises(ValidationError, match="a serial line needs `constraint`"):
        LineConfig.model_validate({"flow": "serial"})


def test_the_last_asset_of_a_line_stands_on_it_and_the_line_is_serial() -> None:
    lines = {name: {"flow": "serial", "constraint": "press-07", "last": "press-07"} for name in ("stamping", "welding")}
    assert problems(lines)["lines.welding.last"].startswith("'press-07' is not on this line")
    with pytest.raises(ValidationError, match="`last` is for a serial line: add `flow: serial`"):
        LineConfig.model_validate({"last": "press-07"})


def test_a_constraint_makes_no_parallel_line_serial() -> None:
    with pytest.raises(ValidationError, match="`constraint` is for a serial line: add `flow: serial`"):
        LineConfig.model_validate({"constraint": "press-07"})


def test_checks_and_measures_are_bound_to_roles_and_come_back_from_a_record() -> None:
    model = build(
        measures={"torque": {"tag": "voltage", "lsl": 9, "usl": 11}},
        checks={"total": {"flat_line": "4h"}, "torque": {"min": 0, "max": 100}},
    )
    torque, total = model.bindings["measure.torque"], model.bindings["total"]
    assert (torque.kind, torque.low, torque.high, torque.flat_ms) == ("measure", 0, 100, 0)
    assert (total.low, total.high, total.flat_ms) == (-math.inf, math.inf, 4 * 3_600_000)
    assert model.measures == {"torque": Measure(9, 11, 5, 2e-6)}
    tags = TagTable(enumerate(TAGS, 10))
    again = load(dump(model, tags), model.hash, tags)
    assert (again.measures, again.bindings["total"].flat_ms) == (model.measures, total.flat_ms)
    assert (again.bindings["measure.torque"].high, again.bindings["total"].low) == (100, -math.inf)


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"checks": {"totla": {"min": 0}}}, "checks.totla", "no role 'totla' with a tag; did you mean 'total'?"),
        ({"checks": {"power": {"min": 0}}}, "checks.power", "no role 'power' with a tag"),
        ({"checks": {"state": {"max": 3}}}, "checks.state", "'press-07/state' is a text: it has no `min` and `max`"),
        ({"measures": {"d": {"tag": "gauge", "lsl": 1, "usl": 2}}}, "measures.d.tag", "no tag 'press-07/gauge'"),
        ({"measures": {"d": {"tag": "job", "lsl": 1, "usl": 2}}}, "measures.d.tag", "needs a number"),
    ],
)
def test_what_is_checked_or_measured_must_be_there(changes: dict[str, Any], path: str, problem: str) -> None:
    found = problems(**changes)
    assert problem in found[f"assets.press-07.{path}"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checks": {"total": {}}}, "needs `min`, `max` or `flat_line`"),
        ({"checks": {"total": {"min": 2, "max": 1}}}, "`min` must be less than `max`"),
        ({"measures": {"d": {"tag": "voltage"}}}, "needs `lsl` or `usl`"),
        ({"measures": {"d": {"tag": "voltage", "usl": 2}}}, "with one limit it needs `resolution`"),
        ({"measures": {"d": {"tag": "voltage", "lsl": 3, "usl": 2}}}, "`lsl` must be less than `usl`"),
        ({"measures": {"d": {"tag": "voltage", "lsl": 1, "usl": 2, "resolution": 1e-9}}}, "at least a millionth"),
        ({"measures": {"d": {"tag": "voltage", "lsl": 1, "usl": 2, "subgroup": 26}}}, "less than or equal to 25"),
    ],
)
def test_checks_and_measures_that_cannot_be_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        build(**changes)

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.asset import TimeClass
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import (
    CATALOGUE,
    LOSSES,
    NO_GRID_FACTOR,
    STANDARD,
    Catalogue,
    Element,
    Gate,
    combine,
    elements,
    evaluate,
)
from gateway.kpi.factors import Factor
from gateway.kpi.needs import available
from tests.unit.gateway.kpi.machines import T0, history, machine

CASES = sorted((Path(__file__).parents[3] / "cases" / "kpi").glob("*.yaml"))
GRID = Factor(0.6592, "grid_electricity 2023: 0.6592 tCO2/MWh (letter 1726/BĐKH-PTCBT, secondary)")
US = 1_000_000


def given_sums(given: dict[str, float]) -> dict[str, int]:
    """Bucket sums of a published example."""
    times = {f"time_{key.removesuffix('_s')}": round(value * US) for key, value in given.items() if key.endswith("_s")}
    counts = {key: round(value) for key, value in given.items() if not key.endswith("_s")}
    parts = {"total": "total", "good": "good", "startup_scrap": "startup"}
    ideals = {f"ideal_{parts[key]}": round(n * given["ideal_s"] * US) for key, n in counts.items() if key in parts}
    return times | counts | ideals | {"planned": round(given["planned_s"] * US)}


def measured_sums(case: dict[str, Any]) -> dict[str, int]:
    """Bucket sums of an example that is given as events."""
    states = {"running": TimeClass.PRODUCING, "stopped": TimeClass.IDLE}
    model = machine("state", "total", "scrap", ideal_cycle_us=case["ideal_s"] * US)
    model = machine(
        bindings=model.bindings,
        state_map={str(number): state for number, state in enumerate(states.values())},
        ideal_cycle_us=case["ideal_s"] * US,
    )
    numbers = {word: float(number) for number, word in enumerate(states)}
    events = {second: numbers[word] for second, word in case["state"].items()}
    end_s = case["planned_s"]
    what = history(model, end_s, state=events, total=case["total"], scrap=case["scrap"])
    return what.buckets(T0, T0 + end_s * 1000).total()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_published_example_gives_its_published_result(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    sums = given_sums(case["given"]) if "given" in case else measured_sums(case)
    results = evaluate(sums)
    assert {name: sums[name] for name in case.get("sums", {})} == case.get("sums", {})
    for name, value in case["expected"].items():
        assert results[name].value == pytest.approx(value, abs=case.get("tolerance", 0.0001)), name


def test_there_are_published_examples() -> None:
    assert len(CASES) >= 11


@pytest.mark.parametrize("path", [path for path in CASES if path.stem not in {"tv05", "tv12"}], ids=lambda p: p.stem)
def test_oee_is_the_product_of_its_factors(path: Path) -> None:
    found = evaluate(given_sums(yaml.safe_load(path.read_text())["given"]))
    factors = [found[name].value for name in ("availability", "effectiveness", "quality_rate")]
    assert None not in factors
    assert found["oee"].value == pytest.approx(factors[0] * factors[1] * factors[2])  # type: ignore[operator]


def test_ratios_of_sums_are_not_means_of_ratios() -> None:
    short = given_sums({"planned_s": 100, "producing_s": 100, "ideal_s": 1, "total": 100, "good": 100})
    long = given_sums({"planned_s": 900, "producing_s": 450, "ideal_s": 1, "total": 450, "good": 450})
    assert evaluate(combine([short, long]))["availability"].value == 0.55


def test_a_serial_line_has_the_time_and_counts_of_its_constraint_and_the_energy_of_all() -> None:
    press = {"planned": 60, "time_producing": 30, "good": 7, "energy": 500}
    robot = {"planned": 60, "time_producing": 60, "good": 9, "energy": 200}
    sums = combine([press, robot], constraint=press)
    assert (sums["time_producing"], sums["planned"], sums["good"], sums["energy"]) == (30, 60, 7, 700)


def test_what_leaves_a_serial_line_leaves_its_last_asset() -> None:
    press, packer = {"planned": 60, "output": 30}, {"planned": 90, "output": 28}
    assert combine([press, packer], constraint=press)["output"] == 30
    assert combine([press, packer], constraint=press, last=packer)["output"] == 28
    assert combine([press, packer])["output"] == 58


def test_the_first_pass_yield_of_a_serial_line_is_the_product_over_its_assets() -> None:
    steps = [{"inspected": 100, "passed": 90}, {"inspected": 100, "passed": 80}, {}]
    found = evaluate(combine(steps, constraint=steps[0]), steps=steps)["first_pass_yield"]
    assert (found.value, found.method) == (0.9 * 0.8, "product over 2 machines")
    assert evaluate({}, steps=[{}])["first_pass_yield"].reason == "no inspected parts"


@pytest.mark.parametrize(
    ("kpi", "reason"),
    [
        ("availability", "no planned time"),
        ("effectiveness", "no producing time"),
        ("quality_rate", "no parts"),
        ("oee", "no planned time"),
        ("throughput", "no planned time"),
        ("sec", "no good parts"),
        ("idle_energy_share", "no energy"),
        ("carbon_intensity", "no good parts"),
        ("coverage", "no planned time"),
        ("oee_low", "no planned time"),
        ("availability_classic", "no planned time"),
        ("technical_efficiency", "no producing time and no delays"),
        ("utilization_efficiency", "time_producing + time_setup"),
        ("nee", "no planned time"),
        ("first_pass_yield", "no inspected parts"),
        ("mtbf", "no failure in 0 h of operation: at least that"),
        ("data_clean", "nothing came in"),
        ("availability_high", "no planned time"),
    ],
)
def test_nothing_to_divide_by_gives_no_value_but_a_reason(kpi: str, reason: str) -> None:
    result = evaluate({}, GRID)[kpi]
    assert result.value is None
    assert result.reason.startswith(reason)


def test_no_output_in_planned_time_is_an_oee_of_zero() -> None:
    assert evaluate({"planned": 60 * US})["oee"].value == 0.0


def test_speed_above_the_ideal_is_not_capped() -> None:
    sums = given_sums({"planned_s": 100, "producing_s": 100, "ideal_s": 2, "total": 60, "good": 60})
    results = evaluate(sums)
    assert results["effectiveness"].value == results["oee"].value == results["oee_high"].value == 1.2


def test_a_speed_above_the_ideal_makes_the_ideal_time_suspect_and_oee_with_it() -> None:
    fast = evaluate(given_sums({"planned_s": 200, "producing_s": 100, "ideal_s": 2, "total": 60, "good": 60}))
    slow = evaluate(given_sums({"planned_s": 200, "producing_s": 100, "ideal_s": 2, "total": 50, "good": 50}))
    for kpi in ("effectiveness", "performance_classic", "oee", "nee", "teep", "ooe", "oee_classic"):
        assert fast[kpi].flags == ("ideal_cycle_suspect",), kpi
        assert slow[kpi].flags == (), kpi
    assert fast["availability"].flags == ()


def test_more_good_parts_than_parts_are_refused_and_oee_is_flagged() -> None:
    sums = given_sums({"planned_s": 100, "producing_s": 100, "ideal_s": 1, "total": 50, "good": 60})
    found = evaluate(sums)
    assert found["quality_rate"].value is found["quality_rate_weighted"].value is None
    assert "good parts exceed all parts" in found["quality_rate"].reason
    assert found["oee"].flags == ("good_exceeds_total",)
    assert "good parts exceed" in evaluate({"total": 5, "good": 6})["quality_rate"].reason
    assert evaluate({"total": 6, "good": 6})["quality_rate"].value == 1.0


def test_shares_of_parts_above_all_parts_are_refused() -> None:
    found = evaluate({"total": 5, "good": 3, "scrap": 6, "rework": 7, "inspected": 4, "passed": 5})
    for kpi, reason in (
        ("scrap_ratio", "scrap"),
        ("rework_ratio", "rework"),
        ("first_pass_yield", "more parts passed"),
    ):
        assert found[kpi].value is None
        assert found[kpi].reason.startswith(reason)
        assert found[kpi].flags == ("parts_exceed_total",)


def test_more_scrap_than_parts_gives_no_value_below_zero_but_the_losses_still_add_up() -> None:
    sums = given_sums({"planned_s": 100, "producing_s": 100, "ideal_s": 1, "total": 50, "good": -10}) | {"energy": 5}
    found = evaluate(sums, GRID)
    below = (
        "oee",
        "oee_classic",
        "nee",
        "teep",
        "ooe",
        "quality_rate",
        "quality_rate_weighted",
        "sec",
        "carbon_intensity",
    )
    for kpi in below:
        assert found[kpi].value is None, kpi
        assert "more parts were scrapped or taken back than were made" in found[kpi].reason
        assert "parts_below_zero" in found[kpi].flags, kpi
    assert found["oee_low"].value is found["oee_high"].value is None
    assert (found["availability"].value, found["energy"].value) == (1.0, 5e-6)
    assert found["loss_speed"].value == 50.0
    assert found["loss_defects"].value == 60.0
    jitter = evaluate({"energy": -3, "good": 5})
    assert jitter["sec"].value == -6e-7  # a meter that jitters is no matter of parts


def test_values_are_the_nearest_numbers_to_their_sums() -> None:
    sums = {"energy": 55_869, "time_setup": 1_044_151_000, "planned": 36_000_000_000, "output": 7, "good": 3}
    found = evaluate(sums)
    assert found["energy"].value == 0.055869
    assert found["loss_setup"].value == 1044.151
    assert found["throughput"].value == 0.7
    assert found["sec"].value == 0.018623


def test_quality_over_several_products_is_weighted_by_their_time() -> None:
    sums = {"total": 110, "good": 100, "ideal_total": 10 * 60 + 100 * 1, "ideal_good": 5 * 60 + 95 * 1}
    found = evaluate(sums)["quality_rate"]
    assert (found.value, found.method) == (395 / 700, "weighted by ideal time")
    lacking = {"quality_rate_weighted": "needs `ideal_cycle_time`"}
    plain = evaluate(sums, needs=lacking)["quality_rate"]
    assert (plain.value, plain.method) == (100 / 110, "iso")


TIMES = ("producing", "setup", "idle", "fault", "blocked", "starved", "minor_stop", "unknown")


@given(st.tuples(*[st.integers(0, 10**9)] * len(TIMES)), st.tuples(*[st.integers(0, 10**9)] * 3))
def test_the_six_losses_and_the_unknown_time_add_up_to_the_planned_time(
    times: tuple[int, ...], ideals: tuple[int, ...]
) -> None:
    sums = {f"time_{name}": time for name, time in zip(TIMES, times, strict=True)} | {"planned": sum(times)}
    sums |= dict(zip(("ideal_total", "ideal_good", "ideal_startup"), ideals, strict=True))
    found = evaluate(sums)
    losses_s = sum(found[kpi].value or 0.0 for kpi in LOSSES)
    assert losses_s == pytest.approx((sums["planned"] - sums["ideal_good"]) / 1e6, abs=1e-6)


@given(st.tuples(*[st.integers(0, 10**9)] * len(TIMES)), st.tuples(*[st.integers(0, 10**9)] * 2))
def test_a_value_lies_between_its_bounds(times: tuple[int, ...], ideals: tuple[int, int]) -> None:
    sums = {f"time_{name}": time for name, time in zip(TIMES, times, strict=True)} | {"planned": sum(times)}
    found = evaluate(sums | {"ideal_total": max(ideals), "ideal_good": min(ideals)})
    for row in STANDARD.rows:
        one = found[row.kpi.id]
        if row.kpi.is_bounded and one.value is not None:
            assert one.low is not None, row.kpi.id
            assert one.high is not None, row.kpi.id
            assert one.low <= one.value <= one.high, row.kpi.id
    if sums["time_unknown"] == 0:
        assert found["oee"].low == found["oee"].value


def test_unknown_time_may_belong_to_the_parts_that_were_counted() -> None:
    found = evaluate({"planned": 1000, "time_producing": 500, "time_unknown": 200, "ideal_total": 490})
    assert (found["effectiveness_low"].value, found["effectiveness_high"].value) == (0.7, 0.98)


def test_without_a_failure_there_is_no_mean_but_how_long_there_was_none() -> None:
    found = evaluate({"time_producing": 90 * 3600 * US, "time_setup": 10 * 3600 * US})
    assert (found["mtbf"].value, found["mtbf"].reason) == (None, "no failure in 100 h of operation: at least that")
    assert found["mttf"].reason == "no failure in 90 h of production: at least that"
    assert found["mttr"].reason == "no failure"
    assert found["inherent_availability"].value == 1.0


def test_the_open_interval_may_count_as_one_more_failure() -> None:
    sums = {"time_producing": 90 * 3600 * US, "time_setup": 10 * 3600 * US, "faults": 4, "time_fault": 8 * 3600 * US}
    plus_one = Catalogue.of(elements(divisor="FE+1"))
    assert (evaluate(sums)["mtbf"].value, evaluate(sums)["mttr"].value) == (25.0, 2.0)
    assert evaluate(sums, catalogue=plus_one)["mtbf"].value == 20.0
    assert evaluate({"time_producing": 3600 * US}, catalogue=plus_one)["mtbf"].value == 1.0


def test_which_class_of_time_counts_as_what_is_a_setting() -> None:
    moved = Catalogue.of(
        elements(
            {"minor_stop": Element.APT, "blocked": Element.ADOT, "starved": Element.PDOT, "planned_stop": Element.ADOT}
        )
    )
    sums = {
        "planned": 1000,
        **{f"time_{name}": 100 for name in ("minor_stop", "blocked", "starved", "fault", "setup")},
        "time_producing": 500,
        "time_planned_stop": 60,
        "time_maintenance": 40,
    }
    found, standard = evaluate(sums, catalogue=moved), evaluate(sums)
    assert standard["availability"].value == 500 / 1000
    assert found["availability"].value == 600 / (1000 - 100 + 60)
    assert standard["technical_efficiency"].value == 500 / 900
    assert found["technical_efficiency"].value == 600 / 700
    assert found["allocation_efficiency"].value == 800 / 960
    assert found["availability_classic"].value == standard["availability_classic"].value == 600 / 1000
    assert found["ooe"] == standard["ooe"]


@pytest.mark.parametrize(
    ("good", "status"), [(100, "good"), (95, "good"), (94, "uncertain"), (80, "uncertain"), (79, "bad")]
)
def test_the_least_score_says_how_good_every_kpi_is(good: int, status: str) -> None:
    sums = {"planned": 60 * US, "dq_in": 100, "dq_checked": 100, "dq_accurate": good}
    found = evaluate(sums)
    assert {one.status for one in found.values()} == {status}
    assert found["data_accurate"].value == good / 100
    assert found["data_live"].reason == "no time was watched"


def test_the_gate_is_a_setting_and_without_scores_there_is_no_status() -> None:
    sums = {"dq_expected": 10, "dq_received": 9}
    assert evaluate(sums, catalogue=Catalogue.of(elements(), gate=Gate(0.9, 0.5)))["oee"].status == "good"
    assert evaluate({"planned": 60 * US})["oee"].status == ""


def test_a_minute_has_the_kpis_of_a_board_and_an_hour_has_them_all() -> None:
    minute, hour, every = (evaluate({}, window=window) for window in ("minute", "hour", ""))
    assert {"oee", "oee_low", "energy", "coverage", "effectiveness_low"} <= set(minute)
    assert not {"mtbf", "teep", "loss_speed", "quality_rate_weighted"} & set(minute)
    assert list(hour) == list(every)
    assert set(minute) < set(hour)


def test_a_minute_takes_flags_and_values_of_kpis_that_it_does_not_list() -> None:
    found = evaluate({"total": 110, "good": 100, "ideal_total": 700, "ideal_good": 395}, window="minute")
    assert found["quality_rate"].value == 395 / 700


def test_every_result_names_its_method() -> None:
    assert {kpi for kpi, one in evaluate({}).items() if not one.method} == set()


def test_bounds_take_unknown_time_as_down_and_as_up() -> None:
    sums = {"planned": 1000, "time_producing": 500, "time_unknown": 200, "ideal_good": 400}
    found = evaluate(sums)
    assert (found["availability"].low, found["availability"].high) == (0.5, 0.7)
    assert (found["oee"].low, found["oee"].high) == (0.4, 0.6)
    assert evaluate(sums | {"ideal_good": 900})["oee"].high == 1.0


def test_energy_is_per_good_part_and_carbon_names_its_factor() -> None:
    sums = {"energy": 5_000_000, "good": 20, "energy_idle": 400_000, "energy_unplanned": 100_000, "energy_setup": 9}
    found = evaluate(sums, GRID)
    assert found["energy"].value == 5.0
    assert found["sec"].value == 0.25
    assert found["idle_energy_share"].value == 0.1
    assert found["co2e"].value == pytest.approx(3.296)
    assert found["carbon_intensity"].value == pytest.approx(0.1648)
    assert found["co2e"].factors == found["carbon_intensity"].factors == (GRID.label,)
    assert found["sec"].factors == ()


def test_throughput_is_per_planned_hour() -> None:
    assert evaluate({"total": 100, "output": 100, "planned": 900 * US})["throughput"].value == 400.0


def test_without_a_pack_there_is_no_carbon_value_but_advice() -> None:
    assert evaluate({"energy": 5, "good": 1})["co2e"].reason == NO_GRID_FACTOR


def test_what_an_asset_lacks_is_the_reason_of_its_missing_values() -> None:
    needs = available(machine("state", "total"))
    results = evaluate({"planned": 1, "total": 1}, GRID, needs)
    assert results["oee"].reason == results["oee_high"].reason == "needs `good`, or `total` and `scrap`"
    assert results["throughput"].value is not None


def test_every_row_is_made_of_bucket_quantities_and_says_what_it_needs() -> None:
    for row in STANDARD.rows:
        bounds = [formula for formula in (row.low, row.high) if formula]
        for formula in (row.formula, *bounds):
            assert set(formula.names) <= set(quantities), row.kpi.id
    assert [kpi.id for kpi in CATALOGUE] == list(available(machine()))
    assert len({kpi.id for kpi in CATALOGUE}) == len(CATALOGUE)

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.kpi.asset import TimeClass
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import CATALOGUE, NO_GRID_FACTOR, combine, evaluate
from gateway.kpi.factors import Factor
from gateway.kpi.roles import available
from tests.unit.gateway.kpi.machines import T0, history, machine

CASES = sorted((Path(__file__).parents[3] / "cases" / "kpi").glob("*.yaml"))
GRID = Factor(0.6592, "grid_electricity 2023: 0.6592 tCO2/MWh (letter 1726/BĐKH-PTCBT, secondary)")
US = 1_000_000


def given_sums(given: dict[str, float]) -> dict[str, int]:
    """Bucket sums of a published example."""
    times = {f"time_{key.removesuffix('_s')}": round(value * US) for key, value in given.items() if key.endswith("_s")}
    counts = {key: round(given[key]) for key in ("total", "good")}
    ideals = {f"ideal_{key}": round(count * given["ideal_s"] * US) for key, count in counts.items()}
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
    assert len(CASES) >= 8


@pytest.mark.parametrize("path", [path for path in CASES if path.stem != "tv05"], ids=lambda path: path.stem)
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
        ("availability_high", "no planned time"),
    ],
)
def test_nothing_to_divide_by_gives_no_value_but_a_reason(kpi: str, reason: str) -> None:
    result = evaluate({}, GRID)[kpi]
    assert (result.value, result.reason) == (None, reason)


def test_no_output_in_planned_time_is_an_oee_of_zero() -> None:
    assert evaluate({"planned": 60 * US})["oee"].value == 0.0


def test_speed_above_the_ideal_is_not_capped() -> None:
    sums = given_sums({"planned_s": 100, "producing_s": 100, "ideal_s": 2, "total": 60, "good": 60})
    results = evaluate(sums)
    assert results["effectiveness"].value == results["oee"].value == results["oee_high"].value == 1.2


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
    assert evaluate({"total": 100, "planned": 900 * US})["throughput"].value == 400.0


def test_without_a_pack_there_is_no_carbon_value_but_advice() -> None:
    assert evaluate({"energy": 5, "good": 1})["co2e"].reason == NO_GRID_FACTOR


def test_what_an_asset_lacks_is_the_reason_of_its_missing_values() -> None:
    needs = available(machine("state", "total"))
    results = evaluate({"planned": 1, "total": 1}, GRID, needs)
    assert results["oee"].reason == results["oee_high"].reason == "needs `good`, or `total` and `scrap`"
    assert results["throughput"].value is not None


def test_every_row_is_made_of_bucket_quantities_and_says_what_it_needs() -> None:
    for kpi in CATALOGUE:
        assert {*kpi.numerator, *kpi.denominator, *kpi.high} <= set(quantities)
    assert [kpi.id for kpi in CATALOGUE] == list(available(machine()))


def test_the_guide_names_every_kpi_and_every_quantity() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "kpi.md").read_text()
    names = [*(kpi.id for kpi in CATALOGUE), *quantities]
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_the_examples_of_the_guide_are_right() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "kpi.md").read_text()
    example = yaml.safe_load(guide.split("```yaml example\n")[1].split("```")[0])
    results = evaluate(example["sums"], GRID)
    shown = example["results"]
    assert {name: round(results[name].value or 0, 4) for name in shown} == shown
    assert {kpi.id for kpi in CATALOGUE} <= set(shown)

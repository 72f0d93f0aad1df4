"""KPIs of the user's own, and the settings that shape the catalogue."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config import ConfigError, load
from gateway.kpi.catalogue import STANDARD, Expression, FormulaError, elements, evaluate
from gateway.kpi.needs import available
from gateway.kpi.query import KpiReader
from gateway.kpi.settings import KpiSettings, catalogue_of
from tests.unit.gateway.kpi.kit import START, Kit, fed
from tests.unit.gateway.kpi.machines import machine

KNOWN = elements()
OWN = {
    "parts_per_kwh": {"formula": "good / energy_kwh", "unit": "1/kWh", "title": "Good parts per kWh"},
    "waiting": {"formula": "(time_blocked_h + time_starved_h) / planned_h", "windows": ["shift", "day"]},
}


def settings(**more: object) -> KpiSettings:
    return KpiSettings.model_validate({"kpis": OWN, **more})


def test_a_formula_over_summed_quantities_stands_among_the_others() -> None:
    found = evaluate({"good": 30, "energy": 2_000_000}, catalogue=settings().catalogue())
    assert (found["parts_per_kwh"].value, found["parts_per_kwh"].method) == (15.0, "own formula")
    assert found["sec"].value == 2 / 30


def test_times_and_energies_are_in_the_unit_of_their_name() -> None:
    sums = {"planned": 7_200_000_000, "time_setup": 90_000_000, "time_producing": 3_600_000_000, "energy_idle": 500_000}
    for text, value in {
        "planned_h": 2,
        "planned_min": 120,
        "time_setup_s": 90,
        "AUPT_min": 61.5,
        "energy_idle_kwh": 0.5,
        "-planned_h + 3 * (time_producing_h - 0.5)": -0.5,
    }.items():
        assert Expression.parse(text, KNOWN).fraction(sums)[0] == pytest.approx(value), text


@pytest.mark.parametrize(
    "text", ["good / energy_kwh", "1 + good / energy_kwh", "good / (total / energy_kwh)", "good / (good - good)"]
)
def test_nothing_to_divide_by_is_a_reason(text: str) -> None:
    catalogue = KpiSettings.model_validate({"kpis": {"mine": {"formula": text}}}).catalogue()
    found = evaluate({"good": 3, "total": 3}, catalogue=catalogue)["mine"]
    assert found.value is None
    assert found.reason == f"a divisor in {text} is 0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("good / enrgy_kwh", "no quantity 'enrgy_kwh': did you mean 'energy_kwh'?"),
        ("1 + good / 0", "'good / 0' divides by 0"),
        ("good / 0.0", "'good / 0.0' divides by 0"),
        ("good / planned", "did you mean 'planned_h' or 'planned_min' or 'planned_s'?"),
        ("good / energy", "did you mean 'energy_kwh'?"),
        ("zzzzz", "see the list"),
        ("good /", "is no formula"),
        ("good; total", "is no formula"),
        ("1 / 2", "names no quantity"),
        ("__import__('os').system('true')", "cannot stand in a formula"),
        ("good.real", "cannot stand in a formula"),
        ("abs(good)", "cannot stand in a formula"),
        ("good ** 9", "cannot stand in a formula"),
        ("good if total_x else 1", "cannot stand in a formula"),
        ("[good]", "cannot stand in a formula"),
        ("'a' * good", "cannot stand in a formula"),
        ("True * good", "cannot stand in a formula"),
    ],
)
def test_what_a_formula_must_not_be_is_said_at_the_start(text: str, problem: str) -> None:
    with pytest.raises(FormulaError) as caught:
        Expression.parse(text, KNOWN)
    assert problem in str(caught.value)
    with pytest.raises(ValidationError):
        KpiSettings.model_validate({"kpis": {"mine": {"formula": text}}})


@pytest.mark.parametrize("name", ["oee", "oee_low", "availability_high", "Mine", "9th", "a-b"])
def test_a_name_must_be_free_and_fit_into_stores(name: str) -> None:
    with pytest.raises(ValidationError, match=r"own: take another name|should match pattern"):
        KpiSettings.model_validate({"kpis": {name: {"formula": "good"}}})


def test_its_needs_follow_from_its_quantities() -> None:
    needs = available(machine("state", "total"), catalogue=settings().catalogue())
    assert needs["parts_per_kwh"] == "needs `energy: {electricity: …}`; needs `good`, or `total` and `scrap`"
    assert needs["waiting"] == ""


def test_it_is_published_where_it_says() -> None:
    catalogue = settings().catalogue()
    shown = {
        window: set(evaluate({}, catalogue=catalogue, window=window)) & set(OWN) for window in ("minute", "hour", "day")
    }
    assert shown == {"minute": set(), "hour": {"parts_per_kwh"}, "day": set(OWN)}


def test_settings_travel_as_text_to_readers_in_other_processes() -> None:
    given = settings(
        time_elements={"blocked": "ADOT"}, mtbf_divisor="FE+1", data_quality={"good": 0.9, "uncertain": 0.5}
    )
    one, other = given.catalogue(), catalogue_of(given.catalogue().settings)
    assert one.rows == other.rows
    assert one.gate == other.gate
    assert catalogue_of("").rows == STANDARD.rows


def test_the_gate_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        settings(data_quality={"good": 0.5, "uncertain": 0.8})


def test_the_engine_publishes_it_and_readers_know_it(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(4000)), catalogue=settings().catalogue()))
    reader = KpiReader(path)
    hour, *_ = reader.kpis("press", "hour", START - 3_600_000, START + 3_600_000)
    value = hour.values["parts_per_kwh"]
    assert value == hour.sums["good"] / (hour.sums["energy"] / 1e6)
    assert kit.inbox.kpi("press", "hour", "parts_per_kwh")[0] == (hour.start_ms, 0, value)
    names = {tag.name: tag.unit for _, tag in kit.inbox.tags}
    assert names["press/kpi/hour/parts_per_kwh"] == "1/kWh"
    assert "press/kpi/minute/parts_per_kwh" not in names
    reader.close()


def test_what_is_wrong_in_the_config_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    lines = [
        "site: plant",
        "sources: {}",
        "kpis:",
        "  oee: { formula: good }",
        "  mine: { formula: good / enery_kwh }",
        "time_elements: { broken: ADOT }",
        "data_quality: { good: 0.5, uncertain: 0.9 }",
    ]
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        load(file)
    said = str(caught.value)
    assert f"{file}:4: kpis.oee: 'oee' is a KPI of Lineside's own" in said
    assert f"{file}:5: kpis.mine.formula: no quantity 'enery_kwh': did you mean 'energy_kwh'?" in said
    assert f"{file}:6: time_elements.broken: " in said
    assert f"{file}:7: data_quality: `uncertain` must not be above `good`" in said

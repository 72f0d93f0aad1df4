"""`lineside baseline fit | show | compare`, from what is typed to what is printed."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gateway.commands.baseline import app
from gateway.ports import Unusable
from tests.unit.gateway.energy.stored_plant import FIRST, Plant

BASE, SLOPE = 120.0, 0.25


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)


def said(*arguments: object) -> str:
    found = call(*arguments)
    assert found.exit_code == 0, found.output
    return found.stdout


def parsed(*arguments: object) -> Any:
    return json.loads(said(*arguments, "--json"))


def day(number: int) -> str:
    return (FIRST + timedelta(number)).isoformat()


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """30 days on the line, then 10 that take 30 kWh less, then 10 that take 30 more; scatter of 5 kWh."""
    rng = np.random.default_rng(1)
    plant = Plant(tmp_path)
    total = rng.integers(100, 1000, 50)
    change = np.repeat([0, 0, 0, -30, 30], 10)
    kwh = BASE + SLOPE * total + rng.normal(0, 5, 50) + change
    plant.days("press", [{"kwh": e, "total": int(x)} for e, x in zip(kwh.tolist(), total.tolist(), strict=True)])
    plant.lives("press", 0, 50)
    return plant


def fit(plant: Plant, *more: object, drivers: str = "total") -> Result:
    head = ("fit", plant.config, "press", "--owner", "press", "--drivers", drivers, "--from", day(0), "--to", day(30))
    return call(*head, *more)


def test_fit_finds_the_line_and_stores_it_with_all_that_it_rests_on(plant: Plant) -> None:
    made = json.loads(fit(plant, "--static", "shifts=3", "--by", "an", "--note", "old drive", "--json").stdout)
    assert (made["name"], made["version"], made["by"], made["note"]) == ("press", 1, "an", "old drive")
    assert abs(made["model"]["base"] - BASE) < 10
    assert abs(made["model"]["slopes"][0] - SLOPE) < 0.02
    assert made["static"] == {"shifts": "3"}
    assert len(made["periods"]) == made["statistics"]["n"] == 30
    assert made["ranges"]["total"][0] >= 100
    assert {check["level"] for check in made["checks"]} == {"ok"}
    assert parsed("show", plant.config, "press") == made
    assert (plant.path.parent / "baselines" / "press" / "1.json").is_file()


def test_fit_prints_line_statistics_checks_and_static_factors(plant: Plant) -> None:
    text = fit(plant, "--static", "shifts=3").stdout
    for part in ("press v1", "Ê = ", "·total kWh", "R²", "CV(RMSE)", "n 30", "static factor shifts: 3", "significance"):
        assert part in text


def test_show_lists_every_version(plant: Plant) -> None:
    assert "no baseline yet" in said("show", plant.config)
    fit(plant)
    fit(plant, drivers="total")
    text = said("show", plant.config)
    assert "press v1" in text
    assert "press v2" in text
    assert [one["version"] for one in parsed("show", plant.config)] == [1, 2]
    assert parsed("show", plant.config, "press", "--version", 1)["version"] == 1


def test_compare_begins_where_the_baseline_ended_and_tells_saving_and_excess(plant: Plant) -> None:
    fit(plant)
    saved = parsed("compare", plant.config, "press", "--to", day(40))
    assert len(saved["periods"]) == 10
    assert saved["periods"][0]["start"].startswith(day(30))
    assert abs(saved["savings"] - 300) < saved["uncertainty_95"] < 60
    assert saved["is_certain"]
    assert saved["enpi"] == saved["energy"] / saved["expected"] < 1
    assert saved["periods"][-1]["cusum"] == pytest.approx(-saved["savings"])
    assert {one["direction"] for one in saved["drifts"]} == {"less"}
    more = parsed("compare", plant.config, "press", "--from", day(40), "--to", day(50))
    assert abs(more["savings"] + 300) < more["uncertainty_95"]
    assert more["enpi"] > 1
    assert {one["direction"] for one in more["drifts"]} == {"more"}
    assert more["drifts"][0]["since"].startswith(day(40))


def test_compare_in_words_states_every_sign(plant: Plant) -> None:
    fit(plant)
    text = said("compare", plant.config, "press", "--to", day(40))
    for part in (
        "(below 100 % is better)",
        "(above 0 is)",
        "saved ",
        "(95 %)",
        "(down is a saving)",
        "change: less energy than expected",
    ):
        assert part in text
    assert "DRIFT: more energy than expected" in said("compare", plant.config, "press", "--from", day(40))


def test_alarm_is_an_exit_code_for_more_energy_only(plant: Plant) -> None:
    fit(plant)
    assert call("compare", plant.config, "press", "--to", day(40), "--alarm").exit_code == 0
    assert call("compare", plant.config, "press", "--from", day(40), "--alarm").exit_code == 2
    assert call("compare", plant.config, "press", "--from", day(40)).exit_code == 0


def test_compare_as_csv_has_a_line_per_period(plant: Plant) -> None:
    fit(plant)
    rows = list(csv.DictReader(io.StringIO(said("compare", plant.config, "press", "--to", day(40), "--csv"))))
    assert len(rows) == 10
    first = rows[0]
    assert float(first["energy"]) - float(first["expected"]) == pytest.approx(float(first["difference"]))
    assert float(first["total"]) >= 100


def test_savings_at_normal_conditions_are_those_of_two_lines(plant: Plant) -> None:
    fit(plant)
    found = parsed("compare", plant.config, "press", "--to", day(40), "--normal", "total=500")["normalised"]
    assert found["conditions"] == {"total": 500}
    assert found["savings"] == pytest.approx(found["before"] - found["after"])
    assert abs(found["savings"] - 30) < found["uncertainty"]
    mean = parsed("compare", plant.config, "press", "--to", day(40), "--normal", "baseline")["normalised"]
    assert mean["conditions"]["total"] == parsed("show", plant.config, "press")["model"]["means"][0]
    far = parsed("compare", plant.config, "press", "--to", day(40), "--normal", "total=5000")["normalised"]
    assert any("outside the range of the baseline: total 5000" in one for one in far["remarks"])


def test_a_static_factor_is_called_back_to_mind_and_a_changed_plant_is_noticed(plant: Plant) -> None:
    plant.groups(site__plant={"members": ["press"]})
    plant.days("site/plant", [{"kwh": BASE + SLOPE * x, "total": x} for x in range(0, 500, 10)])
    plant.lives("site/plant", 0, 50)
    head = ("--owner", "site/plant", "--drivers", "total", "--to", day(30), "--static", "floor=2400 m2")
    assert call("fit", plant.config, "site", *head).exit_code == 0
    assert "floor was 2400 m2" in said("compare", plant.config, "site", "--to", day(40))
    plant.groups(site__plant={"members": ["press", "oven"]})
    plant.days("oven", [{"kwh": 5}] * 10, first_day=40)
    plant.lives("oven", 40, 50)
    text = said("compare", plant.config, "site", "--from", day(40))
    assert "static factor assets has changed (+oven)" in text


def test_a_file_is_fitted_and_compared_like_a_plant(plant: Plant, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    tonnes = rng.uniform(500, 1500, 40)
    therms = 9831 + 15.16 * tonnes + rng.normal(0, 100, 40) - 2000 * (np.arange(40) >= 20)
    lines = [
        f"{FIRST + timedelta(7 * week)},{x:.3f},{e:.3f}" for week, (x, e) in enumerate(zip(tonnes, therms, strict=True))
    ]
    file = tmp_path / "furnace.csv"
    file.write_text("\n".join(["date,tonnes,therms", *lines]))
    options = ("--data", file, "--energy", "therms", "--drivers", "tonnes", "--to", FIRST + timedelta(140))
    made = parsed("fit", plant.config, "furnace", *options)
    assert made["statistics"]["n"] == 20
    assert made["ask"]["data"] == str(file)
    found = parsed("compare", plant.config, "furnace", "--to", "2027-01-01")
    assert len(found["periods"]) == 20
    assert abs(found["savings"] - 40_000) < found["uncertainty_95"]
    other = tmp_path / "other.csv"
    other.write_text("date,tonnes,therms\n2026-12-01,1000,24991\n")
    one = parsed("compare", plant.config, "furnace", "--data", other, "--from", "2026-12-01", "--to", "2027-01-01")
    assert abs(one["savings"]) < one["uncertainty_95"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--owner", "pres", "--drivers", "total"), "'pres' has no numbers yet; did you mean 'press'"),
        (("--owner", "press", "--drivers", "totl"), "'totl' is no driver; did you mean 'total'"),
        (("--owner", "press", "--drivers", "planned"), "its part cannot be told from the base: planned (24)"),
        (("--owner", "press", "--drivers", "total", "--from", day(60)), "no day of press in this range can be used"),
        (("--data", "nowhere.csv", "--drivers", "total"), "nowhere.csv cannot be read"),
    ],
)
def test_what_cannot_be_fitted_says_what_to_do(plant: Plant, arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(Unusable) as caught:
        call("fit", plant.config, "press", *arguments)
    assert says in str(caught.value)
    assert not list(plant.path.parent.glob("baselines/*/*.json"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("press", "--drivers", "total"), "--owner"),
        (("press", "--owner", "press", "--drivers", "total,total"), "twice"),
        (("press", "--owner", "press", "--drivers", "total,product:total"), "twice"),
        (("press", "--owner", "press", "--drivers", " ,"), "one driver at least"),
        (("press", "--owner", "press", "--drivers", "total", "--period", "year"), "no period"),
        (("press", "--owner", "press", "--drivers", "total", "--energy", "coal"), "no carrier"),
        (("press", "--owner", "press", "--drivers", "total", "--static", "shifts"), "NAME=VALUE"),
        (("press", "--owner", "press", "--drivers", "total", "--from", "soon"), "no time"),
        (("../press", "--owner", "press", "--drivers", "total"), "is no name"),
    ],
)
def test_wrong_options_are_named(plant: Plant, arguments: tuple[str, ...], says: str) -> None:
    found = call("fit", plant.config, *arguments)
    assert found.exit_code == 2
    assert says in found.output


def test_wrong_normal_conditions_are_named(plant: Plant) -> None:
    fit(plant)
    for text in ("hours=24", "total=many", "total"):
        found = call("compare", plant.config, "press", "--to", day(40), "--normal", text)
        assert found.exit_code == 2
        assert "--normal" in found.output


def test_nothing_to_compare_yet_says_so(plant: Plant) -> None:
    fit(plant)
    with pytest.raises(Unusable, match="no day in this range can be used"):
        call("compare", plant.config, "press", "--from", day(70))

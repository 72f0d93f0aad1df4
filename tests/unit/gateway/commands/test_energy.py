"""`lineside energy demand | bill` over the file of a gateway that ran."""

import asyncio
import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.energy import app
from gateway.config import ConfigError
from gateway.ports import Unusable
from tests.unit.gateway.kpi.kit import START, Kit, fed

CONFIG = """
site: plant
packs: [vietnam]
electricity: { tariff: tariff.production.below_6kv }
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      press/state: { topic: cell, path: $.state, type: string }
      press/energy: { topic: cell, path: $.energy, type: float64, unit: kWh, counter: true }
lines: { hall: {} }
assets:
  press:
    line: hall
    state: { tag: state, producing: [EXECUTE], setup: [SETUP], fault: [ABORTED], idle: [IDLE] }
    energy: { electricity: energy }
"""
DAY = ("--from", "2026-05-28", "--to", "2026-05-29")
QUARTER = 900_000
SECONDS = 3600
HOLE = range(1500, 1800)
"""Seconds of the run in which the press's meter was not read."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    (folder / "data").mkdir()
    kit = Kit()
    meter = kit.ids["press/energy"]
    rows = [row for row in kit.run(SECONDS) if row[0] != meter or (row[1] - START) // 1000 not in HOLE]
    asyncio.run(fed(kit, folder / "data" / "kpi.db", kit.records(rows, size=1000)))
    (folder / "plant.yaml").write_text(CONFIG)
    return folder / "plant.yaml"


def call(*arguments: object) -> str:
    found: Result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def asked(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(*arguments, "--json"))
    return found


def test_demand_is_the_highest_quarter_that_was_measured(config: Path) -> None:
    found = asked("demand", config, "press", *DAY)
    windows = list(csv.DictReader(io.StringIO(call("demand", config, "press", *DAY, "--csv"))))
    powers = [float(one["kw"]) for one in windows if one["kw"]]
    assert found["block"]["kw"] == max(powers)
    assert found["sliding"]["kw"] >= found["block"]["kw"]
    assert 0 < found["load_factor"] <= 1.2
    assert found["window_min"] == 15
    assert found["coincidence"] is None
    assert len(windows) == 96
    assert "peak of 15-min blocks" in call("demand", config, "press", *DAY)


def test_windows_that_touch_a_hole_of_the_meter_do_not_count_and_the_hole_is_named(config: Path) -> None:
    found = asked("demand", config, "press", *DAY)
    first_ms, last_ms = START + 1000 * HOLE[0], START + 1000 * HOLE[-1]
    assert any(_ms(a) <= first_ms and last_ms <= _ms(b) for a, b in found["not_measured"])
    assert found["energy_kwh"] > found["measured_h"] * 3  # what was used in the hole is in the energy all the same
    line = asked("demand", config, "line/hall", *DAY)
    assert line["measured_h"] <= found["measured_h"]
    assert set(line["parts"]) == {"press", "weld"}


def test_a_line_that_has_peaks_of_all_its_meters_has_a_coincidence(config: Path) -> None:
    found = asked("demand", config, *DAY)
    assert found["owner"] == "site/plant"
    peaks = [part["kw"] for part in found["parts"].values()]
    assert found["coincidence"] == pytest.approx(found["block"]["kw"] / sum(peaks))
    assert 0 < found["coincidence"] <= 1


def test_the_bill_adds_up_to_the_register(config: Path) -> None:
    found = asked("bill", config, "press", *DAY)
    assert sum(line["kwh"] for line in found["lines"]) == pytest.approx(found["energy_kwh"])
    assert found["total"] == pytest.approx(1.08 * sum(line["amount"] for line in found["lines"]))
    assert found["energy"]["low"] <= found["energy"]["amount"] <= found["energy"]["high"]
    assert found["spread_over_holes_kwh"] > 0
    assert any("Decision 1279" in record for record in found["records"])
    text = call("bill", config, "press", *DAY)
    assert "reactive energy is not read; it is not in the total" in text
    assert "were used while the meter was not read" in text


def test_two_schedules_of_peak_hours_are_compared_on_the_same_energy(config: Path) -> None:
    found = asked("bill", config, "press", *DAY, "--hours", "hours_2026", "--hours", "hours_2014")
    compared = found["compared"]
    assert set(compared) == {"hours_2026", "hours_2014"}
    assert compared["hours_2014"]["total"] == found["total"]
    assert compared["hours_2026"]["energy_kwh"] == found["energy_kwh"]
    assert "hours_2026" in call("bill", config, "press", *DAY, "--hours", "hours_2026")


def test_another_tariff_of_the_packs_can_be_tried(config: Path) -> None:
    dear = asked("bill", config, "press", *DAY)
    cheap = asked("bill", config, "press", *DAY, "--tariff", "tariff.production.from_110kv")
    assert cheap["total"] < dear["total"]


def test_a_month_without_numbers_has_no_amount(config: Path) -> None:
    found = asked("bill", config, "press", "--month", "2026-04")
    assert found["total"] is None
    assert found["reason"] == "no energy was measured"
    assert asked("demand", config, "press", "--month", "2026-04")["reason"] == "no energy was measured"
    assert "there is no amount: no energy was measured" in call("bill", config, "press", "--month", "2026-04")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("demand", "pres"), "'pres' has no numbers yet"),
        (("bill", "press", "--tariff", "tariff.production.below_6k"), "did you mean 'tariff.production.below_6kv'"),
    ],
)
def test_what_is_not_there_is_said_with_what_may_be_meant(
    config: Path, arguments: tuple[str, ...], problem: str
) -> None:
    command, *rest = arguments
    with pytest.raises(Unusable, match=problem):
        call(command, config, *rest, *DAY)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--month", "2026-13"), "is no month"),
        (("--from", "2026-05-28"), "or --from and --to"),
        (("--from", "2026-05-28T10:00:01", "--to", "2026-05-28T11:00"), "whole minute"),
        (("--month", "2026-05", "--window", "20min"), "15min or 30min"),
    ],
)
def test_a_wrong_range_is_refused(config: Path, arguments: tuple[str, ...], problem: str) -> None:
    found = CliRunner().invoke(app, ["demand", str(config), "press", *arguments], env={"COLUMNS": "300"})
    assert found.exit_code == 2
    assert problem in found.output


def test_a_config_that_names_a_record_which_no_pack_has_is_wrong(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(CONFIG.replace("below_6kv", "below_6k"))
    with pytest.raises(
        ConfigError, match=r"electricity.tariff: no pack has 'tariff.production.below_6k'; did you mean"
    ):
        call("bill", file, "press", *DAY)
    file.write_text(CONFIG.replace("packs: [vietnam]\n", ""))
    with pytest.raises(ConfigError, match="add packs"):
        call("bill", file, "press", *DAY)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)

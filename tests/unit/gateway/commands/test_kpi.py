"""`lineside kpi list | show | explain` over the file of a gateway that ran."""

import asyncio
import csv
import io
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import apsw
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from gateway.commands.kpi import app
from gateway.commands.kpi_asking import stored
from gateway.commands.kpi_tables import print_windows
from gateway.config import load
from gateway.kpi.catalogue import CATALOGUE
from gateway.kpi.factors import Factors
from gateway.library import Library
from gateway.packs import Packs
from gateway.ports import Unusable
from tests.unit.gateway.kpi.kit import START, Kit, fed

CONFIG = """
site: plant
packs: [vietnam]
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      press/state: { topic: cell, path: $.state, type: string }
      press/total: { topic: cell, path: $.total, type: uint32, counter: true }
      press/good: { topic: cell, path: $.good, type: uint32, counter: true }
      press/energy: { topic: cell, path: $.energy, type: float64, unit: kWh, counter: true }
lines: { hall: {} }
kpis:
  parts_per_kwh: { formula: good / energy_kwh, unit: 1/kWh }
assets:
  press:
    line: hall
    state: { tag: state, producing: [EXECUTE], setup: [SETUP], fault: [ABORTED], idle: [IDLE] }
    total: total
    good: good
    energy: { electricity: energy }
    ideal_cycle_time: 1s
"""
AT = "2026-05-28T20:30"
SPAN = (START - 3_600_000, START + 3_600_000)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    (folder / "data").mkdir()
    kit = Kit()
    asyncio.run(fed(kit, folder / "data" / "kpi.db", kit.records(kit.run(600))))
    db = apsw.Connection(str(folder / "data" / "kpi.db"))
    factors = Factors(Packs.load(["vietnam"], Library.beside(folder / "plant.yaml")))
    db.execute("UPDATE meta SET value = ? WHERE key = 'factors'", (factors.dump(),))
    db.close()
    (folder / "plant.yaml").write_text(CONFIG)
    return folder / "plant.yaml"


def call(*arguments: object) -> str:
    found: Result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_list_says_of_every_kpi_whether_it_is_computed_or_what_is_missing(config: Path) -> None:
    found = {one["kpi"]: one for one in json.loads(call("list", config, "--json"))}
    assert {kpi.id for kpi in CATALOGUE} | {"parts_per_kwh"} == set(found)
    assert found["oee"]["owners"] == {"press": "computed", "line/hall": "computed", "site/plant": "computed"}
    assert found["rework_ratio"]["owners"]["press"] == "needs `rework`"
    assert found["rework_ratio"]["owners"]["line/hall"] == "press needs `rework`"
    assert "ISO 22400-2, KPI 6" in found["oee"]["standard"]
    assert "Overall equipment effectiveness" in call("list", config, "press")


def test_show_prints_windows_as_table_json_and_csv(config: Path) -> None:
    arguments = ("show", config, "press", "--window", "hour", "--from", "2026-05-28", "--to", "2026-05-29")
    rows = json.loads(call(*arguments, "--json", "--kpi", "oee", "--kpi", "parts_per_kwh"))
    assert [row["kpi"] for row in rows] == ["oee", "parts_per_kwh"]
    assert rows[0]["low"] <= rows[0]["value"] <= rows[0]["high"]
    assert rows[0]["method"] == "iso"
    lines = list(csv.DictReader(io.StringIO(call(*arguments, "--csv"))))
    assert float(next(line["value"] for line in lines if line["kpi"] == "oee")) == rows[0]["value"]
    assert any(line["reason"] for line in lines if not line["value"])
    table = call(*arguments)
    assert "mtbf" in table
    assert f"{100 * rows[0]['value']:.2f} %" in table
    assert "no shift of press begins in this range" in call("show", config, "press", "--window", "shift")


def test_explain_prints_formula_sums_facts_and_model(config: Path) -> None:
    said = call("explain", config, "press", "oee", "--window", "hour", "--at", AT)
    for part in ("ideal_good / PBT", "ISO 22400-2, KPI 6", "press/good", "Buckets: 9 of 60 minutes", "Model: press"):
        assert part in said
    found = json.loads(call("explain", config, "press", "oee", "--window", "hour", "--at", AT, "--json"))
    assert found["result"]["value"] == found["numerator"] / found["denominator"]
    assert len(found["buckets"]["rows"]) == 9
    assert found["kpi"]["formula"] == "ideal_good / PBT"
    minutes = call("explain", config, "press", "energy", "--from", AT, "--to", "2026-05-28T20:33", "--minutes")
    assert minutes.count("2026-05-28 20:3") >= 3
    assert "1/kWh" in call("explain", config, "line/hall", "parts_per_kwh", "--window", "day", "--at", AT)


def printed(config: Path, width: int, *arguments: str) -> str:
    checked = load(config)
    kpis, console = [row.kpi for row in checked.catalogue.rows], Console(width=width, highlight=False, record=True)
    owner, window, *wanted = arguments
    with stored(checked) as reader:
        rows = reader.kpis(owner, window, *SPAN)
        with console.capture() as found:
            print_windows(console, owner, window, rows, kpis, wanted, ZoneInfo("UTC"))
    return found.get()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_windows_side_by_side_fit_the_terminal_and_what_does_not_is_named(config: Path, width: int) -> None:
    said = printed(config, width, "press", "minute")
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    assert "2026-05-28 20:30" in said
    assert "UTC+00:00" in said
    for kpi in ("oee", "availability", "effectiveness", "quality_rate", "throughput", "energy", "sec", "coverage"):
        assert kpi in said, kpi
    assert ("not shown for want of room" in said) == (width < 160)


def test_an_empty_cell_has_its_reason_below_the_table(config: Path) -> None:
    said = printed(config, 120, "press", "hour", "equipment_load", "oee")
    assert "– equipment_load: needs `rated`" in said
    assert "– oee" not in said


def test_a_week_that_began_before_the_range_is_shown_and_otherwise_what_there_is(config: Path) -> None:
    for window in ("week", "month"):
        said = call("show", config, "press", "--window", window, "--from", AT, "--to", "2026-05-29")
        assert "mtbf" in said
    said = call("show", config, "press", "--from", "2025-01-01", "--to", "2025-01-02")
    assert said.startswith("no day of press begins in this range: there are readings from 2026-05-28 20:")


@pytest.mark.parametrize("kpi", ["oee", "co2e", "carbon_intensity", "sec", "throughput", "loss_setup", "energy"])
def test_the_arithmetic_that_explain_prints_gives_the_number(config: Path, kpi: str) -> None:
    said = call("explain", config, "press", kpi, "--window", "hour", "--at", AT)
    (line,) = (line for line in said.splitlines() if line.startswith("computed"))
    text = line.removeprefix("computed").replace(",", "").replace("×", "*").replace("÷", "/").replace("kg/kWh", "")
    found = json.loads(call("explain", config, "press", kpi, "--window", "hour", "--at", AT, "--json"))
    assert eval(text) == pytest.approx(found["result"]["value"], rel=1e-15)
    assert found["result"]["value"] > 0
    assert ("* grid factor" in said) == (kpi in ("co2e", "carbon_intensity"))
    assert ("per part: ideal 1 s" in said) == (kpi == "oee")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "press", "--window", "year"), "'year' is no window"),
        (("show", "press", "--kpi", "oe"), "no KPI 'oe'; did you mean"),
        (("show", "press", "--from", "yesterday"), "'yesterday' is no time"),
        (("explain", "press", "oe"), "no KPI 'oe'; did you mean"),
        (("explain", "press", "oee", "--from", AT), "a range needs both ends"),
    ],
)
def test_a_wrong_argument_is_said(config: Path, arguments: tuple[str, ...], said: str) -> None:
    command, *rest = arguments
    found = CliRunner().invoke(app, [command, str(config), *rest])
    assert found.exit_code == 2
    assert said in found.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "pres"), "'pres' has no numbers yet; did you mean 'press'?"),
        (("list", "pres"), "no asset, line, area or site 'pres'"),
        (("explain", "press", "oee", "--window", "hour", "--at", "2020-01-01"), "no numbers for this hour"),
    ],
)
def test_what_is_not_there_is_said(config: Path, arguments: tuple[str, ...], said: str) -> None:
    command, *rest = arguments
    with pytest.raises(Unusable) as caught:
        CliRunner().invoke(app, [command, str(config), *rest], catch_exceptions=False)
    assert said in str(caught.value)


def test_without_kpi_db_it_says_when_it_comes(tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(CONFIG)
    with pytest.raises(Unusable, match="the gateway writes it when it has run for a minute"):
        CliRunner().invoke(app, ["show", str(tmp_path / "plant.yaml"), "press"], catch_exceptions=False)

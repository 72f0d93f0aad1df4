"""`lineside kpi quality | capability` over the file of a gateway that ran."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.commands.kpi import app
from tests.unit.gateway.kpi.gauge import gauged, measured_rows
from tests.unit.gateway.kpi.kit import Kit, fed

CONFIG = "site: plant\nsources: {}\nassets: {}\n"
RANGE = ("--from", "2026-05-28", "--to", "2026-05-29")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    (folder / "data").mkdir()
    kit = Kit()
    tag = gauged(kit)
    asyncio.run(fed(kit, folder / "data" / "kpi.db", kit.records(measured_rows(kit, tag, 60), 500)))
    (folder / "plant.yaml").write_text(CONFIG)
    return folder / "plant.yaml"


def call(*arguments: object, code: int = 0) -> str:
    found: Result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert found.exit_code == code, found.output
    return found.output


def test_quality_shows_every_tag_its_asset_and_the_owner(config: Path) -> None:
    rows = json.loads(call("quality", config, "line/hall", *RANGE, "--json"))
    by_name = {(row["asset"], row["role"]): row for row in rows}
    assert by_name["press", "state"]["heard"] == "every 1 s"
    assert by_name["weld", "state"]["heard"] == "on change"
    assert by_name["weld", "diameter"]["unchecked"] == 1
    assert by_name["press", "total"]["data_accurate"] == 1
    assert rows[-1]["asset"] == "line/hall"
    assert rows[-1]["counts"]["dq_in"] == sum(row["counts"]["dq_in"] for row in rows if row["role"])
    assert rows[-1]["status"] == "good"
    table = call("quality", config, "weld", *RANGE)
    assert "on change" in table
    assert "100.00 %" in table


def test_capability_shows_indices_and_the_least_of_them(config: Path) -> None:
    found = json.loads(call("capability", config, "site/plant", *RANGE, "--json"))
    (row,) = found["measures"]
    assert (row["asset"], row["measure"], row["found"]["n"]) == ("weld", "diameter", 60)
    assert found["least"][1] == {"index": "cpk", "value": row["found"]["cpk"], "asset": "weld", "measure": "diameter"}
    table = call("capability", config, "weld", *RANGE, "--window", "day")
    assert "least cmk" in table
    assert "9.9 … 10.1" in table


def test_what_is_not_measured_and_what_is_no_window_is_said(config: Path) -> None:
    assert "nothing is measured of press" in call("capability", config, "press", *RANGE)
    assert "is none of hour, shift" in call("capability", config, "weld", "--window", "order", code=2)
    assert "no facts in this range" in call("quality", config, "press", "--from", "2020-01-01", "--to", "2020-01-02")

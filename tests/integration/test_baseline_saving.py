"""A machine gets a better drive; the saving that a baseline tells is held against two ledgers of the same days.

The plant lives the days after the change twice from one seed: with the new drive, which Lineside sees, and with the old
one, which nobody sees. The difference of the two ledgers is the true saving.
"""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from typer.testing import CliRunner

from gateway.commands.baseline import app
from gateway.config import load
from gateway.replaying import replay
from simulators.backdate import backdate
from simulators.ledger import WATT_MS_PER_WH, Ledger
from simulators.scenario import load_scenario
from simulators.site_config import site_config

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY_MS = 86_400_000
BEFORE, AFTER = 21, 12
SCENARIO = """
scenario: drive
title: One machine, whose drive is exchanged
seed: {seed}
timezone: Asia/Ho_Chi_Minh
start: {start}
calendar:
  days: mon-sat
  shifts: {{ day: "06:00-14:00", evening: "14:00-22:00" }}
products:
  housing: {{}}
  lid: {{ cycle: 0.8, power: 0.9 }}
orders: {{ products: at random, quantity: [60, 200] }}
machines:
  press: {{ kind: injection, ideal_cycle: 150s, cycle: 155s, power: {{ EXECUTE: {power}, IDLE: 12kW }} }}
faces:
  - {{ kind: mqtt, broker: "mqtt://127.0.0.1:11893", style: json, prefix: hall, machines: [press] }}
"""


def lived(folder: Path, name: str, seed: int, start: str, power: str, days: int) -> tuple[Ledger, Path]:
    file = folder / f"{name}.yaml"
    file.write_text(SCENARIO.format(seed=seed, start=start, power=power))
    scenario = load_scenario(str(file))
    assert scenario.start_ms is not None
    if name == "before":
        (folder / "site.yaml").write_text(site_config(scenario, {}, folder))
    recording = folder / f"{name}.parquet"
    span_ms = scenario.start_ms, scenario.start_ms + days * DAY_MS
    return backdate(scenario, folder, recording, span_ms, lambda done: None)[0], recording


def ms_of(local: object) -> int:
    return round(datetime.fromisoformat(str(local)).replace(tzinfo=ZONE).timestamp() * 1000)


def kwh(ledger: Ledger, from_ms: int, to_ms: int) -> float:
    book = ledger.machines["press"]
    return (book.watt_ms_at(to_ms) - book.watt_ms_at(from_ms)) / WATT_MS_PER_WH / 1000


def asked(*arguments: object) -> dict[str, Any]:
    found = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    made: dict[str, Any] = json.loads(found.stdout)
    return made


async def test_the_saving_of_a_new_drive_is_the_one_that_two_ledgers_know(tmp_path: Path) -> None:
    _, past = await asyncio.to_thread(lived, tmp_path, "before", 3, "2026-08-03T00:00", "60kW", BEFORE)
    seen, present = await asyncio.to_thread(lived, tmp_path, "after", 4, "2026-08-24T00:00", "54kW", AFTER)
    unseen, _ = await asyncio.to_thread(lived, tmp_path, "same", 4, "2026-08-24T00:00", "60kW", AFTER)
    assert seen.machines["press"].part_ms == unseen.machines["press"].part_ms
    config = await asyncio.to_thread(load, tmp_path / "site.yaml")
    async with asyncio.timeout(90):
        await replay(config, [past, present], asyncio.Event(), lambda done, at_ms, waiting: None)
    drivers = "product:housing,product:lid"
    fit = ("fit", config.file, "press", "--owner", "press", "--drivers", drivers, "--to", "2026-08-24")
    made = await asyncio.to_thread(asked, *fit)
    found = await asyncio.to_thread(asked, "compare", config.file, "press")
    periods = found["periods"]
    assert len(made["periods"]) >= BEFORE - 3
    assert len(periods) >= AFTER - 2
    first, end = (ms_of(periods[0]["start"]), ms_of(periods[-1]["end"]))
    assert len(periods) == (end - first) // DAY_MS
    true = kwh(unseen, first, end) - kwh(seen, first, end)
    assert abs(found["savings"] - true) < found["uncertainty_95"] < true / 2
    assert found["is_certain"]
    assert [one["direction"] for one in found["drifts"]][:1] == ["less"]
    assert abs(found["energy"] - kwh(seen, first, end)) < 0.5

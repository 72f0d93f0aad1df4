"""Recordings through the whole gateway: what a file says is what the KPIs, the history and a running gateway know."""

import asyncio
import gzip
import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import apsw
import pytest
from typer.testing import CliRunner

from gateway.app import Gateway, run
from gateway.cli import app
from gateway.config import Config, load
from gateway.ports import Unusable
from gateway.recorder import Recorded, Span, record
from gateway.recording import create_recording
from gateway.replaying import Replayed, replay

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
START = datetime(2026, 3, 2, 6, 0, tzinfo=HANOI)
MQTT = """
  cells:
    kind: mqtt
    broker: mqtt://127.0.0.1:1
    tags:
      press/state: { topic: a, path: $.state, type: string }
      press/total_count: { topic: a, path: $.total, type: uint16, counter: true }
      press/import_energy: { topic: a, path: $.e, type: float64, unit: kWh, counter: true }"""
MODBUS = """
  plc:
    kind: modbus
    endpoint: tcp://127.0.0.1:1
    asset: press
    points:
      state: { table: holding, address: 0, type: uint16, enum: { 1: EXECUTE, 0: IDLE } }
      total_count: { table: holding, address: 1, type: uint16, counter: true }
      import_energy: { table: holding, address: 2, type: float32, unit: kWh, counter: true }"""


def site(folder: Path, sources: str = MQTT) -> Config:
    file = folder / "site.yaml"
    file.write_text(
        textwrap.dedent("""
        site: hall
        timezone: Asia/Ho_Chi_Minh
        calendars:
          default: { days: mon-sat, shifts: { day: "06:00-14:00" } }
        lines: { stamping: { calendar: default } }
        assets:
          press:
            line: stamping
            state: { tag: state, producing: [EXECUTE], idle: [IDLE] }
            total: total_count
            energy: { electricity: import_energy }
            ideal_cycle_time: 2s
        board: { enabled: false }
        sources:""")
        + sources
    )
    return load(file)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def an_hour(energy: str = "press/import_energy", per_s: float = 0.005) -> list[str]:
    """A part every 4 s; from minute 10 to 30 the machine is idle; 18 kWh."""
    rows = [f"{at(0)},press/state,EXECUTE", f"{at(600)},press/state,IDLE", f"{at(1800)},press/state,EXECUTE"]
    total = 65_000  # rolls over on its way
    for second in range(0, 3604, 4):
        total += not 600 <= second < 1800
        rows += [f"{at(second)},press/total_count,{total % 65536}", f"{at(second)},{energy},{second * per_s!r}"]
    return sorted(rows)


def recorded(folder: Path, rows: Sequence[str], name: str = "hour.csv", head: str = "time,tag,value") -> Path:
    (folder / name).write_text("\n".join([head, *rows]) + "\n")
    return folder / name


async def play(config: Config, *files: Path) -> Replayed:
    async with asyncio.timeout(60):
        return await replay(config, files, asyncio.Event(), lambda done, at_ms, waiting: None)


def sums(config: Config, owner: str = "press") -> Mapping[str, Any]:
    db = apsw.Connection(str(config.data_file("kpi.db")), flags=apsw.SQLITE_OPEN_READONLY)
    names = ("total", "time_producing", "time_idle", "time_unknown", "energy", "energy_idle")
    try:
        row = db.execute(f"SELECT {', '.join(f'sum({n})' for n in names)} FROM minute WHERE asset = ?", (owner,)).get
    finally:
        db.close()
    return dict(zip(names, row, strict=True))


HOUR = {
    "total": 599,  # the first reading is where counting begins, the last part belongs to the next minute
    "time_producing": 40 * 60_000_000,
    "time_idle": 20 * 60_000_000,
    "time_unknown": 0,
    "energy": 18_000_000,
    "energy_idle": 6_000_000,
}


async def test_a_recording_of_changes_fills_every_minute_exactly(tmp_path: Path) -> None:
    config = site(tmp_path)
    found = await play(config, recorded(tmp_path, [*an_hour(), f"{at(3660)},press/import_energy,18.02"]))
    assert sums(config) == HOUR
    assert sums(config, "line/stamping")["total"] == 599
    assert (found.readings, found.lacking, found.ignored, found.refused) == (1806, [], set(), 0)
    assert found.from_ms == START.timestamp() * 1000


async def test_the_history_has_the_readings_however_long_ago_they_were(tmp_path: Path) -> None:
    config = site(tmp_path)
    await play(config, recorded(tmp_path, [row.replace("2026-", "2019-") for row in an_hour()]))
    db = apsw.Connection(str(config.data_file("history.db")), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("SELECT sum(count) FROM block").get or db.execute("SELECT sum(count) FROM chunk").get
    assert (
        db.execute("SELECT count(*) FROM kpi WHERE owner = 'press' AND window = 'minute' AND kpi = 'availability'").get
        == 59
    )
    db.close()


async def test_playing_it_again_changes_nothing(tmp_path: Path) -> None:
    config, file = site(tmp_path), recorded(tmp_path, [*an_hour(), f"{at(3660)},press/import_energy,18.02"])
    await play(config, file)
    await play(config, file)
    assert sums(config) == HOUR


async def test_files_that_overlap_are_played_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [*an_hour(), f"{at(3660)},press/import_energy,18.02"]
    counts = recorded(tmp_path, [row for row in rows if "total" in row], "counts.csv")
    others = recorded(tmp_path, [row for row in rows if "total" not in row], "others.csv")
    config = site(tmp_path)
    await play(config, counts, others)
    assert sums(config) == HOUR


async def test_a_polled_site_takes_a_recording_of_changes_too(tmp_path: Path) -> None:
    config = site(tmp_path, MODBUS)
    await play(config, recorded(tmp_path, [*an_hour(), f"{at(3660)},press/import_energy,18.02"]))
    assert sums(config) == HOUR


async def test_a_recorded_session_that_is_lost_makes_the_time_unknown(tmp_path: Path) -> None:
    ups = [f"{at(second)},source/cells/session,1" for second in range(0, 3661, 30) if not 2400 <= second < 3000]
    lost = [f"{at(2400)},source/cells/session,0"]
    quiet = [row for row in an_hour() if not at(2400) <= row[:25] < at(3000)]
    rows = sorted([*quiet, *ups, *lost, f"{at(3000)},press/state,EXECUTE", f"{at(3660)},press/import_energy,18.02"])
    config = site(tmp_path)
    await play(config, recorded(tmp_path, rows))
    found = sums(config)
    assert found["time_unknown"] == pytest.approx(600e6, abs=30e6)
    assert found["time_producing"] + found["time_idle"] + found["time_unknown"] == 3600e6
    assert (found["total"], found["energy"]) == (599, 18_000_000)


async def test_other_units_than_the_sites_are_converted(tmp_path: Path) -> None:
    config = site(tmp_path)
    dictionary = [
        "# lineside recording 1",
        *('# tag {"name": "press/state", "type": "text"}', '# tag {"name": "press/total_count", "type": "int"}'),
        *('# tag {"name": "press/import_energy", "unit": "Wh"}', '# tag {"name": "hall/mood"}'),
        "time,tag,value",
    ]
    rows = [*an_hour(per_s=5.0), f"{at(3660)},press/import_energy,18020"]
    await play(config, recorded(tmp_path, rows, head="\n".join(dictionary)))
    assert sums(config) == HOUR


async def test_what_is_missing_and_what_is_too_much_is_said(tmp_path: Path) -> None:
    rows = [row.replace("import_energy", "Energie") for row in an_hour()]
    found = await play(site(tmp_path), recorded(tmp_path, rows))
    assert found.lacking == ["press/import_energy"]
    assert found.ignored == {"press/Energie"}


@pytest.mark.parametrize(
    ("rows", "head", "problem"),
    [
        (["1,other,2"], "time,tag,value", "has no tag of .*site.yaml: it has other"),
        (["1,press/state,RUN", "x,press/state,RUN"], "time,tag,value", "hour.csv:3: 'x' is not a time"),
        (
            ["1,press/import_energy,2"],
            '# lineside recording 1\n# tag {"name": "press/import_energy", "unit": "m³"}\ntime,tag,value',
            "press/import_energy is in m³ there and in kWh in the config",
        ),
    ],
)
async def test_a_recording_that_does_not_fit_is_refused(
    tmp_path: Path, rows: list[str], head: str, problem: str
) -> None:
    with pytest.raises(Unusable, match=problem):
        await play(site(tmp_path), recorded(tmp_path, rows, head=head))


async def test_a_file_that_is_damaged_further_on_ends_the_replay_and_says_so(tmp_path: Path) -> None:
    text = "\n".join(["time,tag,value", *an_hour() * 200]).encode()
    dictionary = {tag.name: tag for tag in site(tmp_path).tags if tag.name.startswith("press")}
    create_recording(tmp_path / "whole.csv", dictionary).close()
    head = (tmp_path / "whole.csv").read_bytes().replace(b",quality", b"")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(head + text.split(b"\n", 1)[1])[:-200])
    with pytest.raises(ExceptionGroup) as found:
        await play(site(tmp_path), tmp_path / "x.csv.gz")
    assert found.group_contains(Unusable, match="cannot be read on")


async def test_a_replay_can_be_stopped_and_keeps_what_it_had(tmp_path: Path) -> None:
    config, stop = site(tmp_path), asyncio.Event()
    stop.set()
    found = await replay(config, [recorded(tmp_path, an_hour())], stop, lambda done, at_ms, waiting: None)
    assert found.stopped


async def test_a_recording_is_a_source_of_a_running_gateway(tmp_path: Path) -> None:
    yesterday = datetime.now(HANOI) - timedelta(days=1)
    recorded(tmp_path, [row.replace("2026-03-02", f"{yesterday:%Y-%m-%d}") for row in an_hour("Energie", 5.0)])
    config = site(
        tmp_path,
        """
  recording:
    kind: replay
    file: hour.csv
    tags:
      press/state: {}
      press/total_count: { modulus: 65536, counter: true }
      press/import_energy: { from: Energie, unit: kWh, counter: true }""",
    )
    stop, seen = asyncio.Event(), []

    async def watch(gateway: Gateway) -> None:
        recording = gateway.health.sources[0]
        while recording.readings < 1805:
            await gateway.clock.sleep(0.02)
        await gateway.caught_up("kpi")
        start_ms = round(yesterday.replace(hour=6, minute=0, second=0, microsecond=0).timestamp() * 1000)
        seen.append(await gateway.engine.between("press", start_ms, start_ms + 600_000))
        stop.set()

    async with asyncio.timeout(30):
        await run(config, stop, watch)
    assert seen[0].sums["total"] == 149
    assert seen[0].sums["time_producing"] == 600_000_000


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    site(tmp_path)
    file = recorded(tmp_path, [*an_hour(), f"{at(3660)},hall/mood,5"])
    result = CliRunner().invoke(app, ["replay", str(tmp_path / "site.yaml"), str(file)])
    assert result.exit_code == 0, result.output
    assert "1,805 readings from 2026-03-02 06:00:00 to 2026-03-02 07:00:00 +07" in result.output
    assert "tags of the recordings that the config does not have: hall/mood" in result.output


async def recorded_again(config: Config, file: Path, key: str | None = None) -> Recorded:
    return await asyncio.to_thread(record, config, file, Span(), key, lambda done: None)


@pytest.mark.parametrize("ending", ["csv.zst", "parquet"])
async def test_what_a_gateway_recorded_gives_another_one_the_same_numbers(tmp_path: Path, ending: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    ups = [f"{at(second)},source/cells/session,1" for second in range(0, 3661, 30) if not 2400 <= second < 3000]
    rows = sorted([*an_hour(), *ups, f"{at(2400)},source/cells/session,0", f"{at(3660)},press/import_energy,18.02"])
    first, second = site(tmp_path / "one"), site(tmp_path / "two")
    await play(first, recorded(tmp_path, rows))
    found = await recorded_again(first, tmp_path / f"again.{ending}")
    assert (found.readings, found.tags) == (len(rows) + 1, 5)  # one proof of the gateway's own life
    await play(second, tmp_path / f"again.{ending}")
    assert sums(second) == sums(first)
    assert sums(first)["time_unknown"] > 0


async def test_an_anonymous_recording_tells_the_ratios_and_nothing_else(tmp_path: Path) -> None:
    config = site(tmp_path)
    await play(config, recorded(tmp_path, [*an_hour(), f"{at(3660)},press/import_energy,18.02"]))
    await recorded_again(config, tmp_path / "given.csv", "secret")
    await recorded_again(config, tmp_path / "again.csv", "secret")
    text = (tmp_path / "given.csv").read_text()
    assert text == (tmp_path / "again.csv").read_text()
    assert not {word for word in ("press/", "cells", "2026-03-02", "65000") if word in text}
    assert {"machine-1/state", "machine-1/total_count", "machine-1/energy"} <= set(re.findall(r"machine-\d/\w+", text))
    (tmp_path / "new").mkdir()
    other = tmp_path / "new" / "site.yaml"
    other.write_text(
        (tmp_path / "site.yaml")
        .read_text()
        .partition("sources:")[0]
        .replace("press:", "machine-1:")
        .replace("import_energy", "energy")
        + "sources: { given: { kind: replay, file: ../given.csv } }\n"
    )
    await play(load(other))
    seen, true = sums(load(other), "machine-1"), sums(config)
    assert {name: seen[name] for name in true if not name.startswith("energy")} == {
        name: true[name] for name in true if not name.startswith("energy")
    }
    assert seen["energy_idle"] / seen["energy"] == pytest.approx(true["energy_idle"] / true["energy"], rel=1e-6)
    assert not 0.99 < seen["energy"] / true["energy"] < 1.01


def test_record_says_what_it_needs(tmp_path: Path) -> None:
    site(tmp_path)
    runner, config, file = CliRunner(), str(tmp_path / "site.yaml"), str(tmp_path / "x.csv")
    assert "run the gateway first" in str(runner.invoke(app, ["record", config, file]).exception)
    asyncio.run(play(load(tmp_path / "site.yaml"), recorded(tmp_path, an_hour())))
    assert runner.invoke(app, ["record", config, file]).exit_code == 0
    assert "exists: take another name" in str(runner.invoke(app, ["record", config, file]).exception)
    late = runner.invoke(app, ["record", config, file, "--force", "--from", "2026-03-05T06:00"])
    assert "no reading in that time: is the gateway running?" in str(late.exception)
    assert "before" in str(runner.invoke(app, ["record", config, file, "--force", "--to", "2001-01-01"]).exception)

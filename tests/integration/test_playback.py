"""A recording as a plant: what a plain MQTT client hears of it, and what Lineside computes from it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from aiomqtt import Client
from typer.testing import CliRunner

from gateway.app import Gateway, run
from gateway.cli import app
from gateway.clock import ScaledClock
from gateway.config import load
from gateway.model import Tag, TagType
from gateway.recording import create_recording
from simulators.broker import free_port, running_broker
from simulators.clock import ScaledClock as PlantClock
from simulators.endpoints import Tcp
from simulators.playback import load_reel, play, site_of
from simulators.playback_command import Playing, play_recording

HOST = "127.0.0.1"
HEAD = [
    "# lineside recording 1",
    '# tag {"name": "press/state", "type": "text"}',
    '# tag {"name": "press/total_count", "type": "int", "counter": true}',
    '# tag {"name": "press/energy", "unit": "kWh", "counter": true}',
    "time,tag,value,quality",
]
START = 1_772_406_000_000


def rows(seconds: int) -> list[str]:
    """A part every second, 3.6 kWh an hour; one reading could not be taken."""
    made = [f"{START},press/state,EXECUTE,", f"{START + 500},press/energy,,bad: timeout"]
    for second in range(seconds + 1):
        made += [f"{START + 1000 * second},press/total_count,{second},"]
        made += [f"{START + 1000 * second},press/energy,{second / 1000},"]
    return [*made, f"{START},source/plc/session,1,", f"{START},gateway/alive,1,"]


def recorded(file: Path, lines: Sequence[str], head: Sequence[str] = HEAD) -> Path:
    file.write_text("\n".join([*head, *lines]) + "\n")
    return file


async def test_a_plain_client_hears_every_reading_in_order_at_its_time(tmp_path: Path) -> None:
    reel = load_reel(recorded(tmp_path / "x.csv", rows(10)))
    heard: list[tuple[str, object, int]] = []
    async with running_broker(tmp_path / "broker") as broker, Client(HOST, broker.port) as listener:
        await listener.subscribe("hall/#", qos=1)
        clock = PlantClock.from_now(20)
        begun_ms = clock()
        published = await play(reel, clock, Tcp(HOST, broker.port), "hall")
        async with asyncio.timeout(10):
            async for message in listener.messages:
                said = json.loads(bytes(message.payload))
                heard.append((str(message.topic), said["value"], said["ts"]))
                if len(heard) == published:
                    break
    assert published == 2 + 2 * 11
    assert clock() - begun_ms >= 10_000
    by_time = [ts for _, _, ts in heard]
    assert by_time == sorted(by_time)
    assert by_time[-1] - by_time[0] == 10_000
    assert 0 <= by_time[0] - begun_ms < 2000
    assert [value for topic, value, _ in heard if topic == "hall/press/total_count"] == list(range(11))
    assert ("hall/press/energy", None) in {(topic, value) for topic, value, _ in heard}
    assert not any("source" in topic or "gateway" in topic for topic, _, _ in heard)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.02)


async def test_lineside_reads_a_playback_on_its_clock(tmp_path: Path) -> None:
    reel = load_reel(recorded(tmp_path / "x.csv", rows(90)))
    async with running_broker(tmp_path / "broker") as broker:
        at = Tcp(HOST, broker.port)
        (tmp_path / "site.yaml").write_text(site_of(reel, at, "hall", "again") + "board: { enabled: false }\n")
        config = await asyncio.to_thread(load, tmp_path / "site.yaml")
        clock, stop = PlantClock.from_now(20), asyncio.Event()
        seen = []

        async def watch(gateway: Gateway) -> None:
            await until(lambda: gateway.health.sources[0].up)
            await play(reel, clock, at, "hall")
            await until(lambda: gateway.health.sources[0].readings >= 184)
            await gateway.caught_up("kpi")
            first, last = (await gateway.engine.spans("press"))["total"]
            seen.append((await gateway.engine.between("press", first, last + 1)).sums)
            stop.set()

        async with asyncio.timeout(40):
            await run(config, stop, watch, ScaledClock.parse(str(clock)))
    assert seen[0]["total"] == 90
    assert seen[0]["energy"] == 90_000


def test_parquet_is_played_like_csv(tmp_path: Path) -> None:
    from gateway.model import BatchBuilder

    tags = {"press/state": Tag("press/state", TagType.TEXT), "press/total_count": Tag("press/total_count", TagType.INT)}
    builder = BatchBuilder()
    builder.add_text(0, START * 10**6, "EXECUTE")
    builder.add(1, START * 10**6 + 10**9, 7)
    writer = create_recording(tmp_path / "x.parquet", tags)
    writer.write(builder.build(), dict(enumerate(tags)))
    writer.close()
    reel = load_reel(tmp_path / "x.parquet")
    assert reel.rows == [(START, "press/state", "EXECUTE"), (START + 1000, "press/total_count", 7.0)]
    assert reel.tags["press/state"]["type"] == "text"


def test_types_of_a_foreign_recording_are_those_of_its_values(tmp_path: Path) -> None:
    lines = ["2026-03-02T06:00:00+07:00,a/x,1.5", "2026-03-02T06:00:00+07:00,a/y,RUN", f"{START},a/z,true"]
    reel = load_reel(recorded(tmp_path / "x.csv", lines, ["time,tag,value"]))
    assert {name: said["type"] for name, said in reel.tags.items()} == {"a/x": "float", "a/y": "text", "a/z": "bool"}
    assert {at_ms for at_ms, _, _ in reel.rows} == {START}


@pytest.mark.parametrize(
    ("lines", "head", "problem"),
    [
        ([], HEAD, "has no reading of a machine"),
        (["x,a/b,1"], ["time,tag,value"], "reading 1: needs time,tag,value"),
        (["1,a/b"], ["time,tag"], "reading 1: needs time,tag,value"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: list[str], head: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_reel(recorded(tmp_path / "x.csv", lines, head))


async def test_the_whole_run_starts_a_broker_and_writes_a_config_that_is_good(tmp_path: Path) -> None:
    file, config, said = recorded(tmp_path / "x.csv", rows(3)), tmp_path / "site.yaml", []
    wish = Playing(file, 30, site_config=config, broker=Tcp(HOST, free_port()))
    async with asyncio.timeout(30):
        await play_recording(wish, said.append)
    assert said[-1] == "10 readings are published"
    assert set((await asyncio.to_thread(load, config)).root.assets) == {"press"}


def test_the_command_says_what_is_wrong_with_a_recording(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", str(recorded(tmp_path / "x.csv", []))])
    assert "has no reading of a machine" in str(result.exception)

"""The plant as a process: driven by lines, shown to people, its truth in a file and over HTTP."""

import asyncio
import csv
import json
import signal
import struct
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from simulators.broker import free_port, mqtt_broker
from simulators.ledger import Ledger
from simulators.states import State
from simulators.truth import truth
from tests.plant import HOST, demo_scenario, modbus_client, packed


class Process:
    """A `python -m simulators …` child that is driven by lines."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child

    async def answer(self) -> dict[str, object]:
        assert self.child.stdout
        async with asyncio.timeout(20):
            line = await self.child.stdout.readline()
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    async def ask(self, command: str) -> dict[str, object]:
        assert self.child.stdin
        self.child.stdin.write(f"{command}\n".encode())
        await self.child.stdin.drain()
        return await self.answer()

    async def exit_code(self) -> int:
        async with asyncio.timeout(25):
            return await self.child.wait()


@asynccontextmanager
async def simulators(*arguments: str) -> AsyncIterator[Process]:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-W", "error", "-m", "simulators", *arguments]
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Process(child)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


def driven(scenario: Path, *more: str) -> list[str]:
    return ["run", str(scenario), "--driven", *more]


async def test_the_plant_waits_starts_freezes_and_its_ledger_agrees_with_its_faces(tmp_path: Path) -> None:
    ledger_file, port = tmp_path / "ledger.json", free_port()
    arguments = driven(demo_scenario(tmp_path, port), "--wait", "--ledger", str(ledger_file))
    async with simulators(*arguments) as plant:
        ready = await plant.answer()
        assert ready["ready"] is True
        faces = ready["faces"]
        assert isinstance(faces, dict)
        async with modbus_client(faces["modbus-1"]) as client:
            idle = await client.read_holding_registers(0, count=4, device_id=1)
            assert packed(idle.registers) == struct.pack(">HHI", State.IDLE, 0, 65500)
            started_ms = (await plant.ask("start"))["at_ms"]
            async with asyncio.timeout(20):
                while True:
                    made = await client.read_holding_registers(2, count=2, device_id=1)
                    if made.registers[1] >= (65500 + 4) % 65536:
                        break
            frozen = await plant.ask("freeze")
            scanned = time.monotonic() + 0.2
            while time.monotonic() < scanned:  # the controllers show it after their next scan
                counts = await client.read_holding_registers(2, count=6, device_id=1)
                power = await client.read_input_registers(52, count=2, device_id=2)
            energy = await client.read_input_registers(72, count=2, device_id=2)
        again = await plant.ask("freeze")
        assert plant.child.stdin
        plant.child.stdin.close()
        assert await plant.exit_code() == 0
    ledger = Ledger.load(ledger_file)
    to_ms = ledger.until_ms
    assert isinstance(started_ms, int)
    assert (frozen["at_ms"], frozen["unsent"], frozen["ledger"]) == (to_ms, 0, str(ledger_file))
    assert again["at_ms"] == to_ms
    press = truth(ledger, "press-01", ledger.start_ms, to_ms, 0.8, 0.66)
    total, good, scrap = struct.unpack(">III", packed(counts.registers))
    assert (total, good, scrap) == (65500 + press["total"], 65470 + press["good"], 30 + press["scrap"])
    assert power.registers == [0, 0]
    assert struct.unpack(">f", packed(energy.registers))[0] == pytest.approx(12 + press["energy_kwh"], abs=2e-6)


async def test_the_truth_is_served_over_http(tmp_path: Path) -> None:
    arguments = driven(demo_scenario(tmp_path, free_port()), "--api", f"{HOST}:0")
    async with simulators(*arguments) as plant, aiohttp.ClientSession() as http:
        api = str((await plant.answer())["api"])
        async with asyncio.timeout(20):
            told: dict[str, dict[str, object]] = {}
            while not told or told["weld-03"]["total"] == 0:
                async with http.get(f"{api}/truth") as reply:
                    told = await reply.json()
        assert set(told) == {"press-01", "press-02", "weld-03", "pack-04"}
        async with http.get(f"{api}/ledger/parts.csv") as reply:
            parts = list(csv.DictReader((await reply.text()).splitlines()))
        assert {row["machine"] for row in parts} <= set(told)
        assert len(parts) >= 1
        async with http.get(f"{api}/plant") as reply:
            assert (await reply.json())["meters"] == ["press-01", "press-02"]
        async with http.get(f"{api}/faults") as reply:
            assert await reply.json() == []
        for path, status in (("/truth?machine=press-09", 404), ("/truth?from=monday", 400), ("/ledger/moons.csv", 404)):
            async with http.get(api + path) as reply:
                assert reply.status == status, path


async def test_a_plant_for_people_says_where_everything_is_and_ends_in_time(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "truth"
    scenario = demo_scenario(tmp_path, port)
    async with simulators("run", str(scenario), "--for", "3s", "--ledger", str(folder), "--seed", "9") as plant:
        assert plant.child.stdout
        said = (await plant.child.stdout.read()).decode()
        assert await plant.exit_code() == 0
    assert f"mqtt://{HOST}:{port} (started here)  demo/…, json: weld-03, pack-04" in said
    assert "units 1 press-01 (lineside/machine), 2 press-01 (eastron/sdm630)" in said
    states = list(csv.DictReader((folder / "states.csv").read_text().splitlines()))
    assert {row["machine"] for row in states} == {"press-01", "press-02", "weld-03", "pack-04"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_plant_cleanly_and_keeps_its_ledger(tmp_path: Path, number: signal.Signals) -> None:
    ledger = tmp_path / "ledger.json"
    async with simulators(*driven(demo_scenario(tmp_path, free_port()), "--ledger", str(ledger))) as plant:
        assert (await plant.answer())["started"] is True
        plant.child.send_signal(number)
        assert await plant.exit_code() == 0
    assert not Ledger.load(ledger).frozen


async def test_without_a_broker_the_plant_is_not_ready_but_can_be_ended(tmp_path: Path) -> None:
    async with simulators(*driven(demo_scenario(tmp_path, free_port()), "--no-broker")) as plant:
        assert (await plant.ask("dance"))["error"] == "unknown command 'dance': start, freeze, or end of input to stop"
        assert plant.child.stdin
        plant.child.stdin.close()
        assert await plant.exit_code() == 0


async def test_a_broker_that_is_there_is_used(tmp_path: Path) -> None:
    port = free_port()
    scenario = str(demo_scenario(tmp_path, port))
    async with mqtt_broker(tmp_path / "broker", port), simulators("run", scenario, "--for", "1s") as plant:
        assert plant.child.stdout
        said = (await plant.child.stdout.read()).decode()
        assert await plant.exit_code() == 0
    assert f"mqtt://{HOST}:{port}  demo/…" in said


async def test_a_taken_port_ends_the_plant_with_a_message(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    scenario = demo_scenario(tmp_path, 1)
    scenario.write_text(scenario.read_text().replace(f"{HOST}:0", f"{HOST}:{port}", 1))
    async with server, simulators(*driven(scenario, "--no-broker")) as plant:
        assert await plant.exit_code() == 1
        assert plant.child.stderr
        message = (await plant.child.stderr.read()).decode()
    assert message == f"simulators: cannot listen on {HOST}:{port} for Modbus: is the port in use?\n"


async def test_a_killed_broker_process_leaves_no_server_behind(tmp_path: Path) -> None:
    async with simulators("broker", "--dir", str(tmp_path)) as broker:
        ready = await broker.answer()
        port = int(str(ready["mqtt"]).rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection(HOST, port)
        broker.child.kill()
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # which is an end, too
                assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)

"""The simulated plant read through the wire by clients that are not ours: pymodbus, mbpoll, aiomqtt."""

import asyncio
import json
import re
import shutil
import signal
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiomqtt import Client
from pymodbus.client import AsyncModbusTcpClient

from simulators.broker import free_port, mqtt_broker
from simulators.cell import Cell
from simulators.demo_plant import demo_plant
from simulators.ledger import Ledger, State
from simulators.live import Live
from simulators.plc import press_face
from simulators.registers import IEM3000, SDM630
from simulators.truth import truth

HOST = "127.0.0.1"
START_MS = 1_780_000_000_000

# written from the vendors' documents, not from the simulator's own maps
SDM630_FLOATS = [*range(0, 36, 2), 52, 56, 60, 62, 66, 70, 72, 74, 76, 78, 234, 236, 238, 248, *range(342, 382, 2)]
IEM3000_FLOATS = [2999, 3001, 3003, 3009, 3027, 3029, 3031, 3035, 3053, 3055, 3057, 3059, 3067, 3075, 3109]
IEM3000_COUNTERS = [3203, 3207, 3219, 3223, 3517, 3521, 3525]


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def live(hand: Hand) -> Live:
    return Live(demo_plant(7, hand()), hand)


@asynccontextmanager
async def modbus_client(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient(HOST, port=port, reconnect_delay=0, timeout=2)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def packed(words: list[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)


async def plc_words(client: AsyncModbusTcpClient, address: int, count: int) -> bytes:
    return packed((await client.read_holding_registers(address, count=count, device_id=1)).registers)


# ---- Modbus


async def test_the_controller_shows_the_machine_at_the_moment_of_the_read(live: Live, hand: Hand) -> None:
    live.start()
    async with press_face(live, "press-01", SDM630, HOST, 0) as port, modbus_client(port) as client:
        for _ in range(60):
            hand.now_ms += 733
            words = await plc_words(client, 0, 12)
            state, total16, total, good, scrap, good16, scrap16, cycle_s = struct.unpack(">HHIIIHHf", words)
            book = live.plant.ledger.machines["press-01"]
            made, fine = len(book.part_ms), sum(book.part_good)
            assert State(state) is book.state_at(hand.now_ms)
            assert (total, good, scrap) == (65500 + made, 65470 + fine, 30 + made - fine)
            assert (total16, good16, scrap16) == (total % 65536, good % 65536, scrap % 65536)
            assert not made or 0.8 <= round(cycle_s, 3) < 1.1


async def test_the_16_bit_counter_rolls_over_and_the_32_bit_one_goes_on(live: Live, hand: Hand) -> None:
    live.start()
    async with press_face(live, "press-02", IEM3000, HOST, 0) as port, modbus_client(port) as client:
        seen = []
        for _ in range(60):
            hand.now_ms += 1000
            seen.append(struct.unpack(">HI", await plc_words(client, 1, 3)))
    assert [total16 for total16, _ in seen] == [total % 65536 for _, total in seen]
    assert seen[0][0] >= 65500
    assert 0 < seen[-1][0] < 100
    assert seen[-1][1] > 65536


async def test_the_sdm630_has_every_register_of_its_document(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with press_face(live, "press-01", SDM630, HOST, 0) as port, modbus_client(port) as client:
        values = {}
        for address in SDM630_FLOATS:
            words = (await client.read_input_registers(address, count=2, device_id=2)).registers
            (values[address],) = struct.unpack(">f", packed(words))
    watts = live.panels["press-01"].watts
    used_kwh = live.energy_wh("press-01", hand.now_ms) / 1000
    assert [values[address] for address in (0, 2, 4)] == pytest.approx([230, 230, 230], abs=1.5)
    assert values[70] == 50.0
    assert values[52] == pytest.approx(watts) == pytest.approx(values[12] + values[14] + values[16])
    assert values[56] ** 2 == pytest.approx(values[52] ** 2 + values[60] ** 2, rel=1e-6)
    assert sum(values[6 + 2 * i] * values[2 * i] for i in range(3)) == pytest.approx(values[56], rel=1e-6)
    assert values[72] == values[342] == pytest.approx(12 + used_kwh, abs=1e-6)
    assert values[74] == 0.0
    assert sum(values[address] for address in (346, 348, 350)) == pytest.approx(values[72], rel=1e-6)


async def test_the_iem3000_counts_whole_watt_hours_and_shows_kilowatts(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with press_face(live, "press-02", IEM3000, HOST, 0) as port, modbus_client(port) as client:
        floats, counters = {}, {}
        for address in IEM3000_FLOATS:
            words = (await client.read_holding_registers(address, count=2, device_id=2)).registers
            (floats[address],) = struct.unpack(">f", packed(words))
        for address in IEM3000_COUNTERS:
            words = (await client.read_holding_registers(address, count=4, device_id=2)).registers
            (counters[address],) = struct.unpack(">q", packed(words))
    assert floats[3059] == pytest.approx(live.panels["press-02"].watts / 1000)
    assert floats[3059] == pytest.approx(floats[3053] + floats[3055] + floats[3057])
    assert floats[3035] == pytest.approx(230, abs=1.5)
    assert counters[3203] == 12_000 + int(live.energy_wh("press-02", hand.now_ms))
    assert counters[3207] == 0
    assert sum(counters[address] for address in (3517, 3521, 3525)) == pytest.approx(counters[3203], abs=3)


@pytest.mark.parametrize(
    ("unit", "function", "address", "count", "exception"),
    [
        (1, 3, 19, 2, 2),  # over the end of the controller's map
        (1, 3, 20, 1, 2),
        (2, 4, 36, 1, 2),  # a gap in the meter's map
        (2, 4, 382, 1, 2),
        (1, 4, 0, 1, 1),  # the controller has holding registers only
        (2, 3, 0, 2, 1),  # the meter has input registers only
        (3, 3, 0, 1, 11),  # nobody there
    ],
)
async def test_what_does_not_exist_is_answered_with_an_exception(
    live: Live, unit: int, function: int, address: int, count: int, exception: int
) -> None:
    async with press_face(live, "press-01", SDM630, HOST, 0) as port, modbus_client(port) as client:
        read = client.read_holding_registers if function == 3 else client.read_input_registers
        reply = await read(address, count=count, device_id=unit)
    assert reply.isError()
    assert reply.exception_code == exception


async def test_a_write_changes_nothing_and_is_refused(live: Live) -> None:
    async with press_face(live, "press-01", SDM630, HOST, 0) as port, modbus_client(port) as client:
        reply = await client.write_register(1, 5, device_id=1)
        assert reply.exception_code == 1
        assert await plc_words(client, 1, 1) == struct.pack(">H", 65500)


async def test_a_port_in_use_is_named(live: Live) -> None:
    async with press_face(live, "press-01", SDM630, HOST, 0) as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for press-02"):
            async with press_face(live, "press-02", IEM3000, HOST, port):
                pass


@pytest.mark.server
@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
async def test_mbpoll_reads_the_same_numbers(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with (
        press_face(live, "press-01", SDM630, HOST, 0) as sdm_port,
        press_face(live, "press-02", IEM3000, HOST, 0) as iem_port,
    ):
        total16 = await mbpoll(iem_port, "-a", "1", "-t", "4", "-r", "1")
        good32 = await mbpoll(sdm_port, "-a", "1", "-t", "4:int", "-B", "-r", "4")
        energy_kwh = await mbpoll(sdm_port, "-a", "2", "-t", "3:float", "-B", "-r", "72")
        power_kw = await mbpoll(iem_port, "-a", "2", "-t", "4:float", "-B", "-r", "3059")
    press_1, press_2 = live.panels["press-01"], live.panels["press-02"]
    assert total16 == (65500 + press_2.total) % 65536 < 65500
    assert good32 == 65470 + press_1.good
    assert energy_kwh == pytest.approx(12 + press_1.energy_wh / 1000, abs=1e-3)
    assert power_kw == pytest.approx(press_2.watts / 1000, rel=1e-3)


async def mbpoll(port: int, *arguments: str) -> float:
    """One value, read by zero-based address."""
    command = ["mbpoll", "-m", "tcp", "-p", str(port), "-0", "-1", "-q", *arguments, HOST]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found = re.search(rb"\]:\s+(\S+)", output)
    assert found, output
    return float(found[1])


# ---- MQTT


class Ear:
    """Everything that a plain MQTT subscriber hears, by topic."""

    def __init__(self) -> None:
        self.heard: dict[str, list[dict[str, object]]] = {}
        self.retained: set[str] = set()
        self._news = asyncio.Event()

    async def listen(self, client: Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.setdefault(message.topic.value, []).append(json.loads(message.payload))
            if message.retain:
                self.retained.add(message.topic.value)
            self._news.set()

    async def until(self, topic: str, count: int) -> list[dict[str, object]]:
        async with asyncio.timeout(20):
            while len(self.heard.get(topic, [])) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard[topic]


@asynccontextmanager
async def ear_on(port: int) -> AsyncIterator[Ear]:
    ear = Ear()
    async with Client(HOST, port, identifier="ear") as client:
        await client.subscribe("demo/#", qos=1)
        task = asyncio.create_task(ear.listen(client))
        try:
            yield ear
        finally:
            await ended(task)


@asynccontextmanager
async def cell_on(live: Live, machine: str, port: int) -> AsyncIterator[Cell]:
    cell = Cell(live, machine, HOST, port)
    task = asyncio.create_task(cell.run())
    try:
        yield cell
    finally:
        await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def expected_counts(live: Live, machine: str) -> list[dict[str, object]]:
    book = live.plant.ledger.machines[machine]
    rows: list[dict[str, object]] = [{"total": 0, "good": 0, "scrap": 0, "ts": START_MS}]
    for total, at_ms in enumerate(book.part_ms, start=1):
        good = sum(book.part_good[:total])
        rows.append({"total": total, "good": good, "scrap": total - good, "ts": at_ms})
    return rows


async def test_every_part_state_and_second_is_published_with_its_exact_time(
    live: Live, hand: Hand, tmp_path: Path
) -> None:
    async with mqtt_broker(tmp_path) as port, ear_on(port) as ear, cell_on(live, "weld-03", port):
        live.start()
        hand.now_ms += 30_000
        live.catch_up()
        counts = expected_counts(live, "weld-03")
        assert await ear.until("demo/weld-03/counts", len(counts)) == counts
        book = live.plant.ledger.machines["weld-03"]
        states = [{"state": s.name, "ts": at_ms} for at_ms, s in zip(book.state_ms, book.states, strict=True)]
        assert await ear.until("demo/weld-03/state", len(states)) == states
        energy = await ear.until("demo/weld-03/energy", 30 + len(states))
    for row in energy:
        at_ms = row["ts"]
        assert isinstance(at_ms, int)
        assert row["energy_kwh"] == pytest.approx(12 + book.watt_ms_at(at_ms) / 3.6e9, abs=1e-9)
        assert row["power_kw"] == book.watts_at(at_ms) / 1000
    assert set(range(START_MS + 1000, hand.now_ms + 1, 1000)) <= {row["ts"] for row in energy}


async def test_a_late_subscriber_gets_the_last_values(live: Live, hand: Hand, tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path) as port, cell_on(live, "pack-04", port) as cell:
        live.start()
        hand.now_ms += 5_000
        live.catch_up()
        assert await cell.flush(10) == 0
        async with ear_on(port) as ear:
            counts = await ear.until("demo/pack-04/counts", 1)
            await ear.until("demo/pack-04/state", 1)
            await ear.until("demo/pack-04/energy", 1)
    assert counts == expected_counts(live, "pack-04")[-1:]
    assert ear.retained == {f"demo/pack-04/{what}" for what in ("state", "counts", "energy")}


async def test_nothing_is_skipped_while_the_broker_is_away(live: Live, hand: Hand, tmp_path: Path) -> None:
    port = free_port()
    async with cell_on(live, "weld-03", port) as cell:
        live.start()
        async with mqtt_broker(tmp_path, port):
            hand.now_ms += 3_000
            live.catch_up()
            assert await cell.flush(10) == 0
        published = len(live.plant.ledger.machines["weld-03"].part_ms)
        hand.now_ms += 10_000
        live.catch_up()
        async with mqtt_broker(tmp_path, port), ear_on(port) as ear:
            missed = expected_counts(live, "weld-03")[published + 1 :]
            assert len(missed) > 5
            await ear.until("demo/weld-03/counts", len(missed))
            assert await cell.flush(10) == 0
    # a message whose acknowledgement was cut off may come twice, and the retained one comes first
    heard = list({json.dumps(row): row for row in ear.heard["demo/weld-03/counts"]}.values())
    assert heard[-len(missed) :] == missed


async def test_a_broker_says_which_port_is_taken(tmp_path: Path) -> None:
    async with mqtt_broker(tmp_path / "one") as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for MQTT: Address already in use"):
            async with mqtt_broker(tmp_path / "two", port):
                pass


# ---- the whole demo as a process


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


def demo_arguments(mqtt_port: int, ledger: Path) -> list[str]:
    faces = ["--press-01", f"{HOST}:0", "--press-02", f"{HOST}:0", "--mqtt", f"mqtt://{HOST}:{mqtt_port}"]
    return ["demo", "--seed", "7", *faces, "--ledger", str(ledger)]


async def test_the_demo_waits_starts_freezes_and_its_ledger_agrees_with_its_faces(tmp_path: Path) -> None:
    ledger_file = tmp_path / "ledger.json"
    async with (
        mqtt_broker(tmp_path / "broker") as mqtt_port,
        simulators(*demo_arguments(mqtt_port, ledger_file), "--wait") as demo,
    ):
        ready = await demo.answer()
        assert ready["ready"] is True
        modbus = ready["modbus"]
        assert isinstance(modbus, dict)
        async with ear_on(mqtt_port) as ear, modbus_client(int(modbus["press-01"].split(":")[1])) as client:
            assert await plc_words(client, 0, 4) == struct.pack(">HHI", State.IDLE, 65500, 65500)
            started_ms = (await demo.ask("start"))["at_ms"]
            await ear.until("demo/weld-03/counts", 4)
            frozen = await demo.ask("freeze")
            total, good, scrap = struct.unpack(">III", await plc_words(client, 2, 6))
            power = await client.read_input_registers(52, count=2, device_id=2)
            energy = await client.read_input_registers(72, count=2, device_id=2)
        again = await demo.ask("freeze")
        assert demo.child.stdin
        demo.child.stdin.close()
        assert await demo.exit_code() == 0
    ledger = Ledger.load(ledger_file)
    to_ms = ledger.until_ms
    assert isinstance(started_ms, int)
    assert (frozen["at_ms"], frozen["unsent"], frozen["ledger"]) == (to_ms, 0, str(ledger_file))
    assert again["at_ms"] == to_ms
    press = truth(ledger, "press-01", ledger.start_ms, to_ms + 5000, 0.8, 0.66)
    assert (total, good, scrap) == (65500 + press["total"], 65470 + press["good"], 30 + press["scrap"])
    assert power.registers == [0, 0]
    assert struct.unpack(">f", packed(energy.registers))[0] == pytest.approx(12 + press["energy_kwh"], abs=2e-6)
    weld = truth(ledger, "weld-03", started_ms - 1, to_ms, 0.6, 0.66)
    assert weld["total"] >= 3
    assert ear.heard["demo/weld-03/counts"][-1]["total"] == weld["total"]
    assert ear.heard["demo/weld-03/energy"][-1]["power_kw"] == 0
    assert ear.heard["demo/weld-03/energy"][-1]["ts"] == to_ms


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_demo_cleanly_and_keeps_its_ledger(tmp_path: Path, number: signal.Signals) -> None:
    async with (
        mqtt_broker(tmp_path / "broker") as mqtt_port,
        simulators(*demo_arguments(mqtt_port, tmp_path / "ledger.json")) as demo,
    ):
        assert (await demo.answer())["started"] is True
        demo.child.send_signal(number)
        assert await demo.exit_code() == 0
    assert not Ledger.load(tmp_path / "ledger.json").frozen


async def test_without_a_broker_the_demo_is_not_ready_but_can_be_ended(tmp_path: Path) -> None:
    async with simulators(*demo_arguments(free_port(), tmp_path / "ledger.json")) as demo:
        assert (await demo.ask("dance"))["error"] == "unknown command 'dance': start, freeze, or end of input to stop"
        assert demo.child.stdin
        demo.child.stdin.close()
        assert await demo.exit_code() == 0


async def test_a_taken_press_port_ends_the_demo_with_a_message(tmp_path: Path, live: Live) -> None:
    async with press_face(live, "press-01", SDM630, HOST, 0) as port:
        arguments = demo_arguments(1, tmp_path / "ledger.json")
        arguments[arguments.index("--press-01") + 1] = f"{HOST}:{port}"
        async with simulators(*arguments) as demo:
            assert await demo.exit_code() == 1
            assert demo.child.stderr
            message = (await demo.child.stderr.read()).decode()
    assert message == f"simulators: cannot listen on {HOST}:{port} for press-01: is the port in use?\n"


async def test_a_killed_broker_process_leaves_no_server_behind(tmp_path: Path) -> None:
    async with simulators("broker", "--dir", str(tmp_path)) as broker:
        ready = await broker.answer()
        port = int(str(ready["mqtt"]).rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection(HOST, port)
        broker.child.kill()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)

"""The simulated plant's Modbus faces, read through the wire by clients that are not ours: pymodbus and mbpoll."""

import asyncio
import re
import shutil
import struct
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from simulators.endpoints import Pty, Tcp, pty_line
from simulators.live import Live
from simulators.modbus_face import serial_face, tcp_face
from simulators.states import State
from tests.plant import HOST, Hand, demo_live, modbus_client, modbus_plant, packed, units_of

# written from the vendors' documents, not from the simulator's own maps
PRESS_01 = {1: ("machine/press-01", "lineside/machine"), 2: ("meter/press-01", "eastron/sdm630")}
PRESS_02 = {1: ("machine/press-02", "lineside/machine-16bit"), 2: ("meter/press-02", "schneider/iem3000")}
SDM630_FLOATS = [*range(0, 36, 2), 52, 56, 60, 62, 66, 70, 72, 74, 76, 78, 234, 236, 238, 248, *range(342, 382, 2)]
IEM3000_FLOATS = [2999, 3001, 3003, 3009, 3027, 3029, 3031, 3035, 3053, 3055, 3057, 3059, 3067, 3075, 3109]
IEM3000_COUNTERS = [3203, 3207, 3219, 3223, 3517, 3521, 3525]


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def live(hand: Hand) -> Live:
    return demo_live(hand)


async def plc_words(client: AsyncModbusTcpClient, address: int, count: int) -> bytes:
    return packed((await client.read_holding_registers(address, count=count, device_id=1)).registers)


# ---- Modbus


async def test_the_controller_shows_the_machine_at_the_moment_of_the_read(live: Live, hand: Hand) -> None:
    live.start()
    async with modbus_plant(live, PRESS_01) as port, modbus_client(f"{HOST}:{port}") as client:
        for _ in range(60):
            hand.now_ms += 733
            words = await plc_words(client, 0, 14)
            state, _, total, good, scrap, _, cycle_s, rework = struct.unpack(">HHIIIIfI", words)
            book = live.plant.ledger.machines["press-01"]
            made, fine = len(book.part_ms), sum(book.part_good)
            assert State(state) is book.state_at(hand.now_ms)
            assert (total, good, scrap, rework) == (65500 + made, 65470 + fine, 30 + made - fine, 0)
            assert not made or 0.8 <= round(cycle_s, 3) < 1.1


async def test_16_bit_counters_roll_over(live: Live, hand: Hand) -> None:
    live.start()
    async with modbus_plant(live, PRESS_02) as port, modbus_client(f"{HOST}:{port}") as client:
        seen = []
        for _ in range(60):
            hand.now_ms += 1000
            (total,) = struct.unpack(">H", await plc_words(client, 1, 1))
            seen.append((total, (65500 + live.panels["press-02"].total) % 65536))
    assert all(total == true for total, true in seen)
    assert seen[0][0] >= 65500
    assert 0 < seen[-1][0] < 100


async def test_values_change_only_when_the_controller_scans(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 20_000 - hand.now_ms % 500
    async with modbus_plant(live, PRESS_01, scan_ms=500) as port, modbus_client(f"{HOST}:{port}") as client:
        changes = []
        before = await plc_words(client, 0, 14)
        for _ in range(2000):
            hand.now_ms += 10
            now = await plc_words(client, 0, 14)
            if now != before:
                changes.append(hand.now_ms)
            before = now
    assert len(changes) > 10
    assert {at_ms % 500 for at_ms in changes} == {0}


async def test_the_sdm630_has_every_register_of_its_document(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with modbus_plant(live, PRESS_01) as port, modbus_client(f"{HOST}:{port}") as client:
        values = {}
        for address in SDM630_FLOATS:
            words = (await client.read_input_registers(address, count=2, device_id=2)).registers
            (values[address],) = struct.unpack(">f", packed(words))
    book = live.plant.ledger.machines["press-01"]
    watts, used_kwh = book.watts_at(hand.now_ms), book.watt_ms_at(hand.now_ms) / 3.6e9
    assert [values[address] for address in (0, 2, 4)] == pytest.approx([230, 230, 230], abs=1.5)
    assert values[70] == 50.0
    assert values[52] == pytest.approx(watts) == pytest.approx(values[12] + values[14] + values[16])
    assert 0.2 < values[62] < 1
    assert values[56] ** 2 == pytest.approx(values[52] ** 2 + values[60] ** 2, rel=1e-6)
    assert sum(values[6 + 2 * i] * values[2 * i] for i in range(3)) == pytest.approx(values[56], rel=1e-6)
    assert values[72] == values[342] == pytest.approx(12 + used_kwh, abs=1e-6)
    assert values[74] == 0.0
    assert sum(values[address] for address in (346, 348, 350)) == pytest.approx(values[72], rel=1e-6)


async def test_the_iem3000_counts_whole_watt_hours_and_shows_kilowatts(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with modbus_plant(live, PRESS_02) as port, modbus_client(f"{HOST}:{port}") as client:
        floats, counters = {}, {}
        for address in IEM3000_FLOATS:
            words = (await client.read_holding_registers(address, count=2, device_id=2)).registers
            (floats[address],) = struct.unpack(">f", packed(words))
        for address in IEM3000_COUNTERS:
            words = (await client.read_holding_registers(address, count=4, device_id=2)).registers
            (counters[address],) = struct.unpack(">q", packed(words))
    book = live.plant.ledger.machines["press-02"]
    assert floats[3059] == pytest.approx(book.watts_at(hand.now_ms) / 1000)
    assert floats[3059] == pytest.approx(floats[3053] + floats[3055] + floats[3057])
    assert floats[3035] == pytest.approx(230, abs=1.5)
    assert counters[3203] == 12_000 + book.watt_ms_at(hand.now_ms) // 3_600_000
    assert counters[3207] == 0
    assert sum(counters[address] for address in (3517, 3521, 3525)) == pytest.approx(counters[3203], abs=3)


@pytest.mark.parametrize(
    ("unit", "function", "address", "count", "exception"),
    [
        (1, 3, 35, 2, 2),  # over the end of the controller's map
        (1, 3, 36, 1, 2),
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
    async with modbus_plant(live, PRESS_01) as port, modbus_client(f"{HOST}:{port}") as client:
        read = client.read_holding_registers if function == 3 else client.read_input_registers
        reply = await read(address, count=count, device_id=unit)
    assert reply.isError()
    assert reply.exception_code == exception


async def test_a_write_changes_nothing_and_is_refused(live: Live) -> None:
    async with modbus_plant(live, PRESS_01) as port, modbus_client(f"{HOST}:{port}") as client:
        reply = await client.write_register(3, 5, device_id=1)
        assert reply.exception_code == 1
        assert await plc_words(client, 2, 2) == struct.pack(">I", 65500)


async def test_a_port_in_use_is_named(live: Live) -> None:
    async with modbus_plant(live, PRESS_01) as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for Modbus: is the port in use"):
            async with tcp_face(units_of(live, PRESS_02), Tcp(HOST, port)):
                pass


async def test_after_the_freeze_the_next_scan_shows_the_last_values(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 20_000 - hand.now_ms % 500
    async with modbus_plant(live, PRESS_01, scan_ms=500) as port, modbus_client(f"{HOST}:{port}") as client:
        made, meter = live.panels["press-01"].total, await client.read_input_registers(52, count=2, device_id=2)
        await plc_words(client, 0, 14)
        while live.panels["press-01"].total == made:
            hand.now_ms += 1
            live.look()
        live.freeze()
        hand.now_ms += 500
        (total,) = struct.unpack(">I", await plc_words(client, 2, 2))
        after = await client.read_input_registers(52, count=2, device_id=2)
    assert total > 65500 + made
    assert after.registers == [0, 0] != meter.registers


@pytest.mark.parametrize("profile", ["abb/b23", "carlogavazzi/em340", "siemens/pac2200", "lovato/dmg610"])
async def test_meters_of_other_makers_show_the_same_power(live: Live, hand: Hand, profile: str) -> None:
    places = {  # table, address, layout, watts for each step: from the makers' documents
        "abb/b23": ("holding", 23316, ">i", 0.01),
        "carlogavazzi/em340": ("input", 40, "<i", 0.1),
        "siemens/pac2200": ("input", 65, ">f", 1),
        "lovato/dmg610": ("input", 57, ">i", 0.01),
    }
    table, address, layout, step = places[profile]
    live.start()
    hand.now_ms += 30_000
    async with modbus_plant(live, {7: ("meter/press-01", profile)}) as port, modbus_client(f"{HOST}:{port}") as client:
        read = client.read_holding_registers if table == "holding" else client.read_input_registers
        words = (await read(address, count=2, device_id=7)).registers
    (raw,) = struct.unpack(f">{layout[1]}", packed(words if layout[0] == ">" else words[::-1]))
    true = live.plant.ledger.machines["press-01"].watts_at(hand.now_ms)
    assert true > 2000
    assert raw * step == pytest.approx(true, abs=step)


async def test_on_a_serial_line_units_answer_and_strangers_stay_silent(live: Live, hand: Hand, tmp_path: Path) -> None:
    live.start()
    hand.now_ms += 30_000
    link = tmp_path / "line-1"
    with pty_line(Pty(link)) as line:
        async with serial_face(units_of(live, PRESS_01, answers_for_nobody=False), line):
            client = AsyncModbusSerialClient(str(link), baudrate=19200, timeout=0.5, retries=0, reconnect_delay=0)
            assert await client.connect()
            try:
                total = (await client.read_holding_registers(2, count=2, device_id=1)).registers
                power = (await client.read_input_registers(52, count=2, device_id=2)).registers
                with pytest.raises(ModbusIOException):
                    await client.read_holding_registers(0, count=1, device_id=9)
            finally:
                client.close()
    assert struct.unpack(">I", packed(total)) == (65500 + live.panels["press-01"].total,)
    assert struct.unpack(">f", packed(power))[0] == live.plant.ledger.machines["press-01"].watts_at(hand.now_ms)
    assert not link.is_symlink()


@pytest.mark.server
@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
async def test_mbpoll_reads_the_same_numbers(live: Live, hand: Hand) -> None:
    live.start()
    hand.now_ms += 60_000
    async with (
        modbus_plant(live, PRESS_01) as sdm_port,
        modbus_plant(live, PRESS_02) as iem_port,
    ):
        total16 = await mbpoll(iem_port, "-a", "1", "-t", "4", "-r", "1")
        good32 = await mbpoll(sdm_port, "-a", "1", "-t", "4:int", "-B", "-r", "4")
        energy_kwh = await mbpoll(sdm_port, "-a", "2", "-t", "3:float", "-B", "-r", "72")
        power_kw = await mbpoll(iem_port, "-a", "2", "-t", "4:float", "-B", "-r", "3059")
    press_1, press_2 = live.panels["press-01"], live.panels["press-02"]
    books = live.plant.ledger.machines
    assert total16 == (65500 + press_2.total) % 65536 < 65500
    assert good32 == 65470 + press_1.good
    assert energy_kwh == pytest.approx(12 + books["press-01"].watt_ms_at(hand.now_ms) / 3.6e9, abs=1e-3)
    assert power_kw == pytest.approx(books["press-02"].watts_at(hand.now_ms) / 1000, rel=1e-3)


async def mbpoll(port: int, *arguments: str) -> float:
    """One value, read by zero-based address."""
    command = ["mbpoll", "-m", "tcp", "-p", str(port), "-0", "-1", "-q", *arguments, HOST]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found = re.search(rb"\]:\s+(\S+)", output)
    assert found, output
    return float(found[1])

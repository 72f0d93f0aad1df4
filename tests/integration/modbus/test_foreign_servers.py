"""Against servers that this project did not write: a PLC on libmodbus, pymodbus; and beside mbpoll as second client."""

import asyncio
import re
import shutil
import struct
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from adapters.modbus.config import ModbusConfig
from adapters.modbus.source import ModbusSource, build
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import TagTable
from gateway.ports import NotConnected
from tests.integration.modbus import servers
from tests.integration.modbus.fault_server import HOST
from tests.servers import eventually

ORDERS = {
    "ABCD": {"address": 200},
    "CDAB": {"address": 202, "word_order": "little"},
    "BADC": {"address": 204, "byte_order": "little"},
    "DCBA": {"address": 206, "word_order": "little", "byte_order": "little"},
}
POINTS: dict[str, dict[str, object]] = {
    **{f"holding_{i}": {"table": "holding", "address": i, "type": "uint16"} for i in range(0, 200, 7)},
    **{f"input_{i}": {"table": "input", "address": i, "type": "uint16"} for i in range(0, 200, 9)},
    **{f"coil_{i}": {"table": "coil", "address": i, "type": "bool"} for i in range(0, 100, 3)},
    **{f"discrete_{i}": {"table": "discrete", "address": i, "type": "bool"} for i in range(0, 100, 3)},
    **{name: {"table": "holding", "type": "float32", **where} for name, where in ORDERS.items()},
    "int32": {"table": "holding", "address": 208, "type": "int32"},
    "int64": {"table": "holding", "address": 210, "type": "int64"},
    "cold": {"table": "input", "address": 200, "type": "float32"},
}
VALUES: dict[str, float] = {
    **{f"holding_{i}": (i * 257 + 11) % 65536 for i in range(0, 200, 7)},
    **{f"input_{i}": 65535 - 3 * i for i in range(0, 200, 9)},
    **{f"coil_{i}": i * 7 // 3 % 2 for i in range(0, 100, 3)},
    **{f"discrete_{i}": i % 5 == 0 for i in range(0, 100, 3)},
    "ABCD": 123.5,
    "CDAB": -7.25,
    "BADC": struct.unpack("f", struct.pack("f", 0.1))[0],
    "DCBA": 1e6,
    "int32": -123_456_789,
    "int64": -4_503_599_627_370_503,
    "cold": -40.0,
}


@pytest.fixture(scope="module")
def plc_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return servers.compiled(tmp_path_factory.mktemp("plc"))


@pytest.fixture
def plc_port(plc_program: Path) -> Iterator[int]:
    with servers.tcp_plc(plc_program) as port:
        yield port


@asynccontextmanager
async def reading(endpoint: str, points: object = POINTS, **said: object) -> AsyncIterator[ModbusSource]:
    base = {"endpoint": endpoint, "asset": "press", "points": points, "timeout": "1s"}
    config = ModbusConfig.model_validate(base | said)
    library = Library.beside(Path("nowhere.yaml"))
    source = build("plc", config, TagTable(enumerate(config.tags("plc", library))), library, SystemClock())
    await source.connect()
    try:
        yield source
    finally:
        await source.close()


async def values(source: ModbusSource) -> dict[str, float | str | None]:
    return {row.tag.name.removeprefix("press/"): row.value for row in await source.poll()}


async def mbpoll(port: int, kind: str, first: int, count: int, *options: str) -> dict[int, str]:
    """What mbpoll reads, as it prints it: address → value."""
    command = ["mbpoll", "-m", "tcp", "-p", f"{port}", "-0", "-1", "-t", kind, "-r", f"{first}", "-c", f"{count}"]
    process = await asyncio.create_subprocess_exec(
        *command, *options, HOST, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return {int(at): value for at, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", printed.decode(), re.MULTILINE)}


async def test_a_libmodbus_plc_is_read_in_every_table_type_and_order(plc_port: int) -> None:
    async with reading(f"tcp://{HOST}:{plc_port}") as source:
        assert await values(source) == VALUES


async def test_a_libmodbus_plc_is_read_with_eight_requests_on_their_way(plc_port: int) -> None:
    async with reading(f"tcp://{HOST}:{plc_port}", pipeline=8, max_gap=0) as source:
        for _ in range(10):
            assert await values(source) == VALUES


async def test_a_register_that_a_libmodbus_plc_does_not_have_harms_no_other(plc_port: int) -> None:
    points = {**POINTS, "gone": {"table": "holding", "address": 300, "type": "uint16"}}
    async with reading(f"tcp://{HOST}:{plc_port}", points, max_gap=124) as source:
        assert await values(source) == {**VALUES, "gone": None}


async def test_a_libmodbus_plc_is_read_over_a_serial_line(plc_program: Path, tmp_path: Path) -> None:
    with servers.rtu_plc(plc_program, tmp_path) as line:
        async with reading(f"rtu://{line}?baud=19200&parity=N") as source:
            for _ in range(3):
                assert await values(source) == VALUES


async def test_a_unit_that_is_not_on_the_serial_line_harms_no_other_for_long(plc_program: Path, tmp_path: Path) -> None:
    async def is_read(source: ModbusSource) -> bool:
        try:
            return await values(source) == VALUES
        except NotConnected:  # libmodbus takes the next request for the reply of the other unit, and misses it
            return False

    with servers.rtu_plc(plc_program, tmp_path) as line:
        endpoint = f"rtu://{line}?baud=115200&parity=N"
        async with reading(endpoint) as source:
            with pytest.raises(NotConnected, match="unit 2"):
                async with reading(endpoint, unit_id=2, timeout="200ms"):
                    pass
            await eventually(lambda: is_read(source))
            assert [await is_read(source) for _ in range(3)] == [True] * 3


async def test_a_serial_port_has_one_user(plc_program: Path, tmp_path: Path) -> None:
    with servers.rtu_plc(plc_program, tmp_path) as line:
        async with reading(f"rtu://{line}?parity=N"):
            other = await asyncio.create_subprocess_exec(
                *[sys.executable, "-c", "import serial, sys; serial.Serial(sys.argv[1], exclusive=True)", str(line)],
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert await other.wait() != 0


async def test_the_plc_fails_the_test_in_which_somebody_writes(plc_program: Path) -> None:
    def write() -> None:
        with servers.tcp_plc(plc_program) as port:
            client = ModbusTcpClient(HOST, port=port, retries=0, timeout=1)
            assert client.connect()
            with pytest.raises(Exception, match=r"(?i)connection|no response"):
                client.write_register(3, 5)
            client.close()

    with pytest.raises(AssertionError, match="the PLC got function code 6"):
        await asyncio.to_thread(write)


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="needs Debian's package mbpoll")
async def test_mbpoll_beside_lineside_reads_the_same_values_from_the_same_plc(plc_port: int) -> None:
    async with reading(f"tcp://{HOST}:{plc_port}", pipeline=4) as source:
        stop = asyncio.Event()

        async def keep_polling() -> list[dict[str, float | str | None]]:
            polls = []
            while not stop.is_set():
                polls.append(await values(source))
            return polls

        async with asyncio.TaskGroup() as group:
            ours = group.create_task(keep_polling())
            seen = [
                ("holding", await mbpoll(plc_port, "4", 0, 120)),
                ("input", await mbpoll(plc_port, "3", 0, 120)),
                ("coil", await mbpoll(plc_port, "0", 0, 100)),
                ("discrete", await mbpoll(plc_port, "1", 0, 100)),
            ]
            floats = await mbpoll(plc_port, "4:float", 200, 1, "-B") | await mbpoll(plc_port, "4:float", 202, 1)
            whole = await mbpoll(plc_port, "4:int", 208, 1, "-B")
            stop.set()
    polls = ours.result()
    assert polls
    assert all(poll == VALUES for poll in polls)
    for table, theirs in seen:
        common = {name: int(theirs[at]) for at in theirs if (name := f"{table}_{at}") in VALUES}
        assert len(common) > 10
        assert common == {name: polls[-1][name] for name in common}
    assert [float(floats[200]), float(floats[202]), int(whole[208])] == [
        VALUES["ABCD"],
        VALUES["CDAB"],
        VALUES["int32"],
    ]


NUMBERS = {"int16": -1234, "uint16": 65000, "int32": -7, "uint32": 4_000_000_000, "int64": -9, "float32": 0.5}


def registers(number: float, kind: str, order: str) -> list[int]:
    return ModbusTcpClient.convert_to_registers(number, ModbusTcpClient.DATATYPE[kind.upper()], word_order=order)  # type: ignore[arg-type]


def sim(tables: Sequence[Sequence[int]]) -> SimDevice:
    """A pymodbus device with separate tables: coils, discrete inputs, holding registers, input registers."""
    coils, discrete, holding, inputs = tables
    bits = [SimData(0, values=[bool(b) for b in table], datatype=DataType.BITS) for table in (coils, discrete)]
    words = [SimData(0, values=list(table), datatype=DataType.REGISTERS) for table in (holding, inputs)]
    return SimDevice(1, simdata=([bits[0]], [bits[1]], [words[0]], [words[1]]))


async def test_all_four_tables_of_pymodbuss_server_at_once() -> None:
    coils, discrete = [i % 3 == 0 for i in range(64)], [i % 7 == 0 for i in range(64)]
    points: dict[str, dict[str, object]] = {}
    words: dict[str, list[int]] = {"holding": [], "input": []}
    for table, order in (("holding", "big"), ("input", "little")):
        for kind, number in NUMBERS.items():
            points[f"{table}_{kind}"] = {
                "table": table, "address": len(words[table]), "type": kind, "word_order": order
            }  # fmt: skip
            words[table] += registers(number, kind, order)
    points |= {f"coil_{i}": {"table": "coil", "address": i, "type": "bool"} for i in range(64)}
    points |= {f"discrete_{i}": {"table": "discrete", "address": i, "type": "bool"} for i in range(64)}
    server = ModbusTcpServer(sim([coils, discrete, words["holding"], words["input"]]), address=(HOST, 0))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    async with reading(f"tcp://{HOST}:{port}", points) as source:
        read = await values(source)
    await server.shutdown()  # type: ignore[no-untyped-call]
    assert {name: read[name] for name in points if name.startswith("coil")} == {
        f"coil_{i}": b for i, b in enumerate(coils)
    }
    assert {name: read[name] for name in points if name.startswith("discrete")} == {
        f"discrete_{i}": b for i, b in enumerate(discrete)
    }
    assert {name: read[name] for name in points if name.split("_")[0] in words} == {
        f"{table}_{kind}": number for table in words for kind, number in NUMBERS.items()
    }

"""Faults on the wire, seen by a client that speaks plain Modbus TCP frames, and by pymodbus's."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiomqtt import Client as Mqtt
from aiomqtt import MqttError
from pymodbus.client import AsyncModbusTcpClient

from simulators.broker import running_broker
from simulators.fault_board import FaultBoard
from simulators.faults import FaultRule, Targets
from simulators.proxy import beside
from simulators.wire_faults import modbus_proxy, network_proxy, restarting
from tests.integration.modbus.fault_server import HOST, device, truth

START = 1_772_000_000_000
PLANT = Targets({"hall": "modbus"}, {"machine/press-01": "hall", "meter/press-01": "hall"})
UNITS = {1: ("machine/press-01",), 2: ("meter/press-01",)}
SOON_S = 0.3


class Moment:
    """The plant's time, moved by hand."""

    def __init__(self) -> None:
        self.ms = START

    def __call__(self) -> int:
        return self.ms


class Client:
    """Asks for ten holding registers; None: no answer in time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.transaction = 0

    async def ask(self, unit: int = 1) -> bytes | None:
        self.transaction += 1
        self.writer.write(struct.pack(">HHHBBHH", self.transaction, 0, 6, unit, 3, 100, 10))
        return await self.reply()

    async def reply(self) -> bytes | None:
        try:
            async with asyncio.timeout(SOON_S):
                return await self.reader.readexactly(29)
        except TimeoutError:
            return None

    def expected(self, unit: int = 1) -> bytes:
        return struct.pack(">HHHBBB", self.transaction, 0, 23, unit, 3, 20) + truth(unit, 3, 100, 10)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def board(kinds: str | Sequence[str], on: str, **said: Any) -> FaultBoard:
    """The fault goes on from second 10 to second 20."""
    rule = FaultRule.model_validate({"kind": kinds, "on": on, "at": "10s", "for": "10s"} | said)
    return FaultBoard([rule], PLANT, 7, START)


@asynccontextmanager
async def faulty(faults: FaultBoard) -> AsyncIterator[tuple[int, Moment]]:
    now = Moment()
    async with (
        device() as plc,
        modbus_proxy(faults, now, (HOST, 0), (HOST, plc.port), UNITS, "face/hall") as port,
    ):
        yield port, now


async def test_without_faults_every_byte_passes() -> None:
    async with faulty(FaultBoard()) as (port, _), connected(port) as client:
        for unit in (1, 2, 9):
            assert await client.ask(unit) == client.expected(unit)


async def test_silence_of_one_unit_leaves_its_neighbour_and_ends_in_time() -> None:
    async with faulty(board("silence", "machine/press-01")) as (port, now), connected(port) as client:
        now.ms += 10_000
        assert await client.ask(1) is None
        assert await client.ask(2) == client.expected(2)
        now.ms += 10_000
        assert await client.ask(1) == client.expected(1)


async def test_silence_of_a_face_is_of_all_its_units() -> None:
    async with faulty(board("silence", "face/hall")) as (port, now), connected(port) as client:
        now.ms += 10_000
        assert await client.ask(1) is None
        assert await client.ask(2) is None


async def test_a_slow_device_answers_late_but_right() -> None:
    async with faulty(board("slow", "face/hall", delay="500ms")) as (port, now), connected(port) as client:
        now.ms += 10_000
        assert await client.ask() is None
        assert await client.reply() == client.expected()


async def test_an_exception_is_what_pymodbus_sees() -> None:
    async with faulty(board("exception", "meter/press-01", code=6)) as (port, now):
        now.ms += 10_000
        client = AsyncModbusTcpClient(HOST, port=port, timeout=1, retries=0)
        assert await client.connect()
        refused = await client.read_holding_registers(100, count=10, device_id=2)
        assert refused.isError()
        assert refused.exception_code == 6
        honest = await client.read_holding_registers(100, count=10, device_id=1)
        assert struct.pack(">10H", *honest.registers) == truth(1, 3, 100, 10)
        client.close()


async def test_garbage_has_the_length_of_the_reply_and_is_the_same_for_the_same_seed() -> None:
    seen = []
    for _ in range(2):
        async with faulty(board("garbage", "face/hall")) as (port, now), connected(port) as client:
            now.ms += 10_000
            seen.append(await client.ask())
            assert seen[-1] != client.expected()
    assert seen[0] == seen[1] is not None


async def test_a_reply_may_carry_another_transaction() -> None:
    async with faulty(board("wrong-transaction", "face/hall")) as (port, now), connected(port) as client:
        now.ms += 10_000
        assert await client.ask() == b"\0\2" + client.expected()[2:]


async def test_a_reset_ends_all_connections_by_rst_and_new_ones_as_long_as_it_lasts() -> None:
    async with faulty(board("reset", "machine/press-01")) as (port, now):
        async with connected(port) as client:
            now.ms += 10_000
            with pytest.raises(ConnectionResetError):
                await client.reader.readexactly(1)
        async with connected(port) as client:
            with pytest.raises(ConnectionResetError):
                await client.reader.readexactly(1)
        now.ms += 10_000
        async with connected(port) as client:
            assert await client.ask() == client.expected()


async def test_a_half_open_connection_stays_deaf_and_a_new_one_is_heard() -> None:
    async with faulty(board("half-open", "face/hall")) as (port, now), connected(port) as old:
        assert await old.ask() == old.expected()
        now.ms += 60_000
        assert await old.ask() is None
        async with connected(port) as new:
            assert await new.ask() == new.expected()


async def test_a_cut_network_holds_everything_back_until_it_is_whole() -> None:
    async with faulty(board("network-cut", "network")) as (port, now), connected(port) as client:
        now.ms += 10_000
        assert await client.ask() is None
        now.ms += 10_000
        assert await client.reply() == client.expected()


async def test_any_traffic_can_have_its_network_cut() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(100):
            writer.write(chunk.upper())
        writer.close()

    server, now = await asyncio.start_server(echo, HOST, 0), Moment()
    upstream = server.sockets[0].getsockname()[:2]
    async with (
        server,
        network_proxy(board("network-cut", "network"), now, (HOST, 0), upstream) as port,
        connected(port) as client,
    ):
        client.writer.write(b"before")
        assert await client.reader.readexactly(6) == b"BEFORE"
        now.ms += 10_000
        client.writer.write(b"during")
        assert await client.reply() is None
        now.ms += 10_000
        assert await client.reader.readexactly(6) == b"DURING"
        client.writer.write_eof()
        assert await client.reader.read() == b""


async def test_a_broker_that_is_restarted_is_gone_meanwhile_and_keeps_what_it_had(tmp_path: Path) -> None:
    now, faults = Moment(), board("broker-restart", "broker")
    async with running_broker(tmp_path) as broker, beside(restarting(faults, now, broker)):
        async with Mqtt(HOST, broker.port, timeout=5) as publisher:
            await publisher.publish("a/b", b"kept", qos=1, retain=True)
            now.ms += 10_000
            with pytest.raises(MqttError):
                await anext(aiter(publisher.messages))
        assert not await accepts(broker.port)
        now.ms += 10_000
        async with asyncio.timeout(10):
            while not await accepts(broker.port):  # noqa: ASYNC110  # the server says nothing
                await asyncio.sleep(0.02)
        async with Mqtt(HOST, broker.port, timeout=5) as listener:
            await listener.subscribe("a/b", qos=1)
            assert (await anext(aiter(listener.messages))).payload == b"kept"


async def accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True

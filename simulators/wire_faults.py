"""Faults on the wire: proxies in front of the Modbus server and the broker, which do what the fault board says.

They know nothing of registers or topics, so that what they spoil was right before.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from simulators.fault_board import SAY_NOTHING, FaultBoard
from simulators.faults import Fault, Kind
from simulators.proxy import Address, Connection, Proxy, beside

_HEAD: Final = struct.Struct(">HHHB")
_LOOK_S: Final = 0.02
_CHUNK: Final = 65536


class Restartable(Protocol):
    """A server that can be ended and started again, such as `broker.Broker`."""

    async def start(self) -> None:
        """Returns once it can be used."""
        ...

    async def stop(self) -> None:
        """Returns once it is gone."""
        ...


@dataclass(slots=True)
class _Wire:
    """Whose faults count on one listener.

    units  unit id → the targets behind it; with the face and the network, all that may go wrong here
    """

    board: FaultBoard
    now_ms: Callable[[], int]
    face: str
    units: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def faults(self, targets: Sequence[str] = ()) -> list[Fault]:
        """What is wrong now, the oldest first."""
        now_ms = self.now_ms()
        found = [fault for target in ("network", self.face, *targets) for fault in self.board.active(target, now_ms)]
        return sorted(found, key=lambda fault: fault.from_ms)

    @property
    def everybody(self) -> list[str]:
        """All devices behind this listener."""
        return [target for targets in self.units.values() for target in targets]

    async def passable(self) -> None:
        """Returns when the network is not cut (any more)."""
        while any(fault.kind is Kind.NETWORK_CUT for fault in self.faults()):  # noqa: ASYNC110  # time does
            await asyncio.sleep(_LOOK_S)

    def deafened(self, connection: Connection) -> bool:
        """Whether the connection has become half open: it lived when such a fault began."""
        now_ms = self.now_ms()
        began = [self.board.latest(target, Kind.HALF_OPEN, now_ms) for target in (self.face, *self.everybody)]
        return any(fault and fault.from_ms >= connection.born_ms for fault in began)


@asynccontextmanager
async def modbus_proxy(
    board: FaultBoard,
    now_ms: Callable[[], int],
    listen: Address,
    upstream: Address,
    units: Mapping[int, Sequence[str]],
    face: str = "",
) -> AsyncIterator[int]:
    """Serve Modbus TCP in front of an honest server, with the faults of `face`, its units and the network.

    Args:
        board: says what is wrong.
        now_ms: the plant's time, epoch ms.
        listen: where clients connect; port 0 takes a free one.
        upstream: the honest server.
        units: unit id → the targets behind it, such as `machine/press-01`.
        face: the target of this listener, such as `face/modbus-1`.

    Yields:
        The port.

    Raises:
        OSError: the address cannot be listened on.
    """
    wire = _Wire(board, now_ms, face, units)

    async def session(connection: Connection) -> None:
        while True:
            request = await _frame(connection.reader)
            await wire.passable()
            if not wire.deafened(connection):
                await _answer(wire, connection, request)

    proxy = Proxy(upstream, session, now_ms)
    async with proxy.serving(listen) as port, beside(_resetting(wire, proxy)):
        yield port


async def _answer(wire: _Wire, connection: Connection, request: bytes) -> None:
    faults = wire.faults(wire.units.get(request[6], ()))
    if any(fault.kind is Kind.RESET for fault in faults):
        connection.reset()  # faster than the one who looks for connections to reset
        return
    if any(fault.kind in SAY_NOTHING for fault in faults):
        return
    connection.up_writer.write(request)
    reply = await _frame(connection.up_reader)
    for fault in faults:
        if fault.kind is Kind.SLOW:
            await asyncio.sleep(fault.rule.delay)
        reply = spoil(fault, request, reply)
    await wire.passable()
    connection.writer.write(reply)
    await connection.writer.drain()


def spoil(fault: Fault, request: bytes, reply: bytes) -> bytes:
    """What becomes of a reply under a fault; both are whole Modbus TCP frames."""
    transaction = int.from_bytes(request[:2], "big")
    if fault.kind is Kind.EXCEPTION:
        return _HEAD.pack(transaction, 0, 3, request[6]) + bytes([request[7] | 0x80, fault.rule.code])
    if fault.kind is Kind.GARBAGE:
        return Random(f"{fault.seed}/{transaction}").randbytes(len(reply))
    if fault.kind is Kind.WRONG_TRANSACTION:
        return ((transaction + 1) % 65536).to_bytes(2, "big") + reply[2:]
    return reply


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next whole frame."""
    head = await reader.readexactly(6)
    return head + await reader.readexactly(int.from_bytes(head[4:6], "big"))


async def _resetting(wire: _Wire, proxy: Proxy) -> None:
    """Ends the connections by RST as long as such a fault lasts."""
    while True:
        if any(fault.kind is Kind.RESET for fault in wire.faults(wire.everybody)):
            for connection in tuple(proxy.connections):
                connection.reset()
        await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def network_proxy(
    board: FaultBoard, now_ms: Callable[[], int], listen: Address, upstream: Address, face: str = ""
) -> AsyncIterator[int]:
    """Carry any TCP traffic, such as MQTT, until the network or `face` is cut.

    As with TCP over a broken cable nothing is refused: nothing passes, and what was sent arrives when the cable is
    whole again, unless one side has given up before.

    Yields:
        The port.

    Raises:
        OSError: the address cannot be listened on.
    """
    wire = _Wire(board, now_ms, face)

    async def session(connection: Connection) -> None:
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pass_on(wire, connection.reader, connection.up_writer))
                ways.create_task(_pass_on(wire, connection.up_reader, connection.writer))
        except* OSError:
            pass  # one side is gone: so is the connection

    async with Proxy(upstream, session, now_ms).serving(listen) as port:
        yield port


async def _pass_on(wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its sender ends; the other side then hears of it."""
    chunk = b" "
    while chunk:
        chunk = await reader.read(_CHUNK)
        await wire.passable()
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def restarting(board: FaultBoard, now_ms: Callable[[], int], broker: Restartable) -> None:
    """Ends the broker when its restart is on the timetable, and starts it again at the end of it; for ever."""
    while True:
        fault = board.one("broker", Kind.BROKER_RESTART, now_ms())
        if fault:
            await broker.stop()
            while now_ms() < fault.to_ms:  # noqa: ASYNC110  # time ends it
                await asyncio.sleep(_LOOK_S)
            await broker.start()
        await asyncio.sleep(_LOOK_S)

"""A Modbus TCP device on loopback that lies as told; its values are a function of unit, function and address."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    transaction: int
    unit: int
    function: int
    address: int
    count: int

    @property
    def data(self) -> bytes:
        """The only true answer."""
        return truth(self.unit, self.function, self.address, self.count)

    def frame(self, pdu: bytes | None = None, *, transaction: int | None = None, unit: int | None = None) -> bytes:
        """A reply; honest in every field that is not given."""
        body = bytes([self.function, len(self.data)]) + self.data if pdu is None else pdu
        ids = (
            self.transaction if transaction is None else transaction,
            0,
            len(body) + 1,
            self.unit if unit is None else unit,
        )
        return struct.pack(">HHHB", *ids) + body

    def exception(self, code: int) -> bytes:
        """A refusal."""
        return self.frame(bytes([self.function | 0x80, code]))


def truth(unit: int, function: int, address: int, count: int) -> bytes:
    """Data that no other unit, function or address has at its place."""
    if function in {1, 2}:
        bits = [(unit * 5 + function * 3 + (address + i) * 7) // 4 % 2 for i in range(count)]
        packed = [sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, count, 8)]
        return bytes(packed)
    return b"".join(word(unit, function, address + i).to_bytes(2, "big") for i in range(count))


def word(unit: int, function: int, address: int) -> int:
    """The value of one register."""
    return (unit * 7919 + function * 15013 + address * 31) & 0xFFFF


Behaviour = Callable[["Device", Request], Sequence[bytes]]
"""What a device sends on a request: each item a segment of its own."""


def honest(device: "Device", request: Request) -> Sequence[bytes]:
    """Answers as it should."""
    return [request.frame()]


def silent(device: "Device", request: Request) -> Sequence[bytes]:
    """Answers nothing."""
    return []


@dataclass(slots=True, eq=False)
class Device:
    """The device behind all connections; `behave` may be changed at any time."""

    port: int = 0
    behave: Behaviour = honest
    requests: list[Request] = field(default_factory=list)
    connections: list[asyncio.Transport] = field(default_factory=list)
    accepted: int = 0
    held: list[bytes] = field(default_factory=list)  # for behaviours that answer later
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def endpoint(self) -> str:
        """As a config names it."""
        return f"tcp://{HOST}:{self.port}"

    def drop(self) -> None:
        """Closes every connection."""
        for transport in list(self.connections):
            transport.close()

    def send(self, data: bytes) -> None:
        """Sends something on every connection."""
        for transport in self.connections:
            transport.write(data)


class _Session(asyncio.Protocol):
    def __init__(self, device: Device) -> None:
        self._device = device
        self._stream = b""
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._device.connections.append(self._transport)
        self._device.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._device.connections.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        self._stream += data
        while len(self._stream) >= 12:
            transaction, protocol, length, *asked = struct.unpack_from(">HHHBBHH", self._stream)
            assert (protocol, length) == (0, 6), self._stream[:12]
            self._stream = self._stream[12:]
            request = Request(transaction, *asked)
            self._device.requests.append(request)
            self._device.asked.set()
            self._out.extend(self._device.behave(self._device, request))
        self._flush()

    def _flush(self) -> None:
        """One segment per turn of the loop, so that the client may see each alone."""
        if self._out and not self._transport.is_closing():
            self._transport.write(self._out.pop(0))
            asyncio.get_running_loop().call_soon(self._flush)


@asynccontextmanager
async def device(behave: Behaviour = honest) -> AsyncIterator[Device]:
    """A listening device; in the end no function code but 1 to 4 may have reached it."""
    made = Device(behave=behave)
    server = await asyncio.get_running_loop().create_server(lambda: _Session(made), HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.drop()
        await server.wait_closed()
    assert {request.function for request in made.requests} <= {1, 2, 3, 4}

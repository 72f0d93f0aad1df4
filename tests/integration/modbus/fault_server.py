"""A Modbus device on loopback that lies as told; its values are a function of unit, function and address.

It speaks Modbus TCP, or RTU frames over TCP, and takes nothing but reads: what else arrives is a violation, and
`device` fails the test that sees one.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, cast

import numpy as np

HOST: Final = "127.0.0.1"
READS: Final = frozenset({1, 2, 3, 4})
_ADDRESSES: Final = 65536

Framing = Literal["tcp", "rtu"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, and on which connection."""

    transaction: int
    unit: int
    function: int
    address: int
    count: int
    framing: Framing = "tcp"
    via: "Session | None" = field(default=None, compare=False, repr=False)

    @property
    def data(self) -> bytes:
        """The only true answer."""
        return truth(self.unit, self.function, self.address, self.count)

    def frame(self, pdu: bytes | None = None, *, transaction: int | None = None, unit: int | None = None) -> bytes:
        """A reply; honest in every field that is not given."""
        body = bytes([self.function, len(self.data)]) + self.data if pdu is None else pdu
        sender = self.unit if unit is None else unit
        if self.framing == "rtu":
            return with_crc(bytes([sender]) + body)
        number = self.transaction if transaction is None else transaction
        return struct.pack(">HHHB", number, 0, len(body) + 1, sender) + body

    def exception(self, code: int) -> bytes:
        """A refusal."""
        return self.frame(bytes([self.function | 0x80, code]))


def truth(unit: int, function: int, address: int, count: int) -> bytes:
    """Data that no other unit, function or address has at its place."""
    if function in {1, 2}:
        return np.packbits(_bits(unit, function)[address : address + count], bitorder="little").tobytes()
    return _words(unit, function)[2 * address : 2 * (address + count)]


def word(unit: int, function: int, address: int) -> int:
    """The value of one register: each unit and function has a stride of its own, so that no two runs are alike."""
    return (address * _stride(unit, function) + unit * 7919 + function * 15013) % _ADDRESSES


def bit(unit: int, function: int, address: int) -> int:
    """The value of one coil or discrete input."""
    return int(_bits(unit, function)[address])


def _stride(unit: int, function: int) -> int:
    return 2 * (unit * 5 + function) + 31


@lru_cache(maxsize=256)
def _words(unit: int, function: int) -> bytes:
    words = np.arange(_ADDRESSES, dtype=np.int64) * _stride(unit, function) + unit * 7919 + function * 15013
    return (words % _ADDRESSES).astype(">u2").tobytes()


@lru_cache(maxsize=256)
def _bits(unit: int, function: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng([unit, function]).integers(0, 2, _ADDRESSES, np.uint8)


def with_crc(frame: bytes) -> bytes:
    """An RTU frame with its CRC-16, computed bit by bit as the specification shows it."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return frame + crc.to_bytes(2, "little")


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
    framing: Framing = "tcp"
    one_socket: bool = False  # a second client is turned away
    keep: bool = True  # remember every request
    requests: list[Request] = field(default_factory=list)
    functions: Counter[int] = field(default_factory=Counter)  # of all requests
    violations: list[bytes] = field(default_factory=list)  # what no read looks like
    connections: list[asyncio.Transport] = field(default_factory=list)
    accepted: int = 0
    turned_away: int = 0
    held: list[bytes] = field(default_factory=list)  # for behaviours that answer later
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def endpoint(self) -> str:
        """As a config names it."""
        return f"{'tcp' if self.framing == 'tcp' else 'rtu+tcp'}://{HOST}:{self.port}"

    def drop(self) -> None:
        """Closes every connection."""
        for transport in list(self.connections):
            transport.close()

    def send(self, data: bytes) -> None:
        """Sends something on every connection."""
        for transport in self.connections:
            transport.write(data)

    def verify(self) -> None:
        """No function code but 1 to 4 may have reached it, and nothing that is no request at all."""
        assert not self.violations, f"the device got {self.violations[0].hex(' ')}"
        assert set(self.functions) <= READS, f"the device got function codes {sorted(self.functions)}"


class Session(asyncio.Protocol):
    """One connection; what is sent on it goes out in order, each segment in a turn of the loop of its own."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._stream = b""
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        if self._device.one_socket and self._device.connections:
            self._device.turned_away += 1
            self._transport.abort()
            return
        self._device.connections.append(self._transport)
        self._device.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport in self._device.connections:
            self._device.connections.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        self._stream += data
        take = self._take_tcp if self._device.framing == "tcp" else self._take_rtu
        while (request := take()) is not None:
            device = self._device
            device.functions[request.function] += 1
            if device.keep:
                device.requests.append(request)
            device.asked.set()
            self._out.extend(device.behave(device, request))
        self._flush()

    def send(self, data: bytes) -> None:
        """Sends something, behind what is on its way."""
        self._out.append(data)
        if len(self._out) == 1:
            self._flush()

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def reset(self) -> None:
        """Ends the connection by RST."""
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _take_tcp(self) -> Request | None:
        """The next whole request; what is none ends the session and is kept for the verdict."""
        if len(self._stream) < 12:
            return None
        transaction, protocol, length, *asked = struct.unpack_from(">HHHBBHH", self._stream)
        if (protocol, length) != (0, 6) or asked[1] not in READS:
            return self._violated()
        self._stream = self._stream[12:]
        return Request(transaction, *asked, via=self)

    def _take_rtu(self) -> Request | None:
        if len(self._stream) < 8:
            return None
        frame, self._stream = self._stream[:8], self._stream[8:]
        asked = struct.unpack_from(">BBHH", frame)
        if with_crc(frame[:6]) != frame or asked[1] not in READS:
            self._stream = frame + self._stream
            return self._violated()
        return Request(0, *asked, framing="rtu", via=self)

    def _violated(self) -> None:
        self._device.violations.append(self._stream)
        self._stream = b""
        self._transport.abort()

    def _flush(self) -> None:
        """One segment per turn of the loop, so that the client may see each alone."""
        if self._out and not self._transport.is_closing():
            self._transport.write(self._out.pop(0))
            if self._out:
                asyncio.get_running_loop().call_soon(self._flush)


@asynccontextmanager
async def device(behave: Behaviour = honest, framing: Framing = "tcp", **traits: bool) -> AsyncIterator[Device]:
    """A listening device; in the end nothing but reads may have reached it.

    traits: `one_socket`, `keep`
    """
    made = Device(behave=behave, framing=framing, **traits)
    server = await asyncio.get_running_loop().create_server(lambda: Session(made), HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.drop()
        await server.wait_closed()
    made.verify()

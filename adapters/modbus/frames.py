"""A read's request, and what its reply must look like; Modbus TCP frames. Pure.

Source: Modbus Messaging on TCP/IP Implementation Guide V1.0b §3.1 (MBAP), Modbus Application Protocol V1.1b3 §6, §7.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from adapters.modbus.plan import Block
from adapters.modbus.point import Table
from gateway.model import Reason

_PREFIX: Final = struct.Struct(">HHH")  # transaction, protocol, length of what follows
_LENGTHS: Final = range(2, 255)  # unit and function at least; a PDU has at most 253 bytes
GATEWAY_EXCEPTIONS: Final = frozenset({10, 11})  # the gateway answered for a device that did not
_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}


class GarbageError(ValueError):
    """The byte stream is not Modbus TCP (any more): nothing after this can be trusted."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A read that brought what it asked for: data, and when its last byte arrived."""

    data: bytes
    time_ns: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A read that brought no value; `exception` is the device's exception code or 0."""

    reason: Reason
    text: str
    time_ns: int
    exception: int = 0


Answer = Reply | Failure


@dataclass(frozen=True, slots=True)
class Read:
    """One read of one unit, compiled to the bytes that it sends and the bytes that its reply must begin with."""

    unit: int
    table: Table
    address: int
    count: int
    _request: bytes = field(init=False, repr=False)
    _head: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        nbytes = (self.count + 7) // 8 if self.table.is_bits else 2 * self.count
        function = self.table.function
        request = struct.pack(">HHBBHH", 0, 6, self.unit, function, self.address, self.count)
        object.__setattr__(self, "_request", request)
        object.__setattr__(self, "_head", struct.pack(">HHBBB", 0, 3 + nbytes, self.unit, function, nbytes))

    @staticmethod
    def of(unit: int, block: Block) -> "Read":
        """The read of a block."""
        return Read(unit, block.table, block.address, block.count)

    def request(self, transaction: int) -> bytes:
        """The Modbus TCP frame to send."""
        return transaction.to_bytes(2, "big") + self._request

    @property
    def body(self) -> bytes:
        """What every framing sends: unit, function, address, count."""
        return self._request[4:]

    @property
    def head(self) -> bytes:
        """How the body of a fitting reply begins in every framing: unit, function, bytes of data."""
        return self._head[4:]

    @property
    def nbytes(self) -> int:
        """Bytes of data in a fitting reply."""
        return self._head[6]

    def heads(self, transaction: int) -> tuple[bytes, bytes]:
        """How the Modbus TCP frames of a fitting reply and of an exception to this read begin."""
        number = transaction.to_bytes(2, "big")
        refusal = struct.pack(">HHBB", 0, 3, self.unit, self.table.function | 0x80)
        return number + self._head, number + refusal

    def decoys(self) -> Iterator["Read"]:
        """Smaller reads from the same address, whose replies cannot be taken for this one's."""
        step = 8 if self.table.is_bits else 1
        return (Read(self.unit, self.table, self.address, size) for size in range(self.count - step, 0, -step))

    def answer(self, frame: bytes, time_ns: int) -> Answer:
        """What a whole frame with this read's transaction id means; only a reply that fits in every field is one."""
        if frame[2:9] == self._head:
            return Reply(frame[9:], time_ns)
        return self._failure(frame, time_ns)

    def answer_to_body(self, body: bytes, time_ns: int) -> Answer:
        """The same for unit, function and data of another framing, whose check sum was right."""
        return self.answer(_PREFIX.pack(0, 0, len(body)) + body, time_ns)

    def _failure(self, frame: bytes, time_ns: int) -> Failure:
        unit, function = frame[6], frame[7]
        asked = self.table.function
        if unit != self.unit:
            return Failure(Reason.BAD_REPLY, f"unit {unit} answered for unit {self.unit}", time_ns)
        if function == asked | 0x80 and len(frame) == 9:
            code = frame[8]
            text = f"exception {code} ({_EXCEPTIONS.get(code, 'unknown')}) for {self}"
            return Failure(Reason.DEVICE_EXCEPTION, text, time_ns, code)
        if function != asked:
            return Failure(Reason.BAD_REPLY, f"function {function} answered to function {asked}", time_ns)
        return Failure(Reason.BAD_REPLY, f"a reply of {len(frame) - 9} bytes of data to {self}", time_ns)

    def __str__(self) -> str:
        last = self.address + self.count - 1
        addresses = f"{self.address}" if self.count == 1 else f"{self.address}…{last}"
        return f"{self.table} {addresses} of unit {self.unit}"


def split(stream: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames at the head of a stream, and the bytes that do not make a frame yet.

    GarbageError: a header that no Modbus TCP frame has.
    """
    frames: list[bytes] = []
    start = 0
    while len(stream) - start >= _PREFIX.size:
        _, protocol, length = _PREFIX.unpack_from(stream, start)
        if protocol != 0 or length not in _LENGTHS:
            raise GarbageError(f"a header with protocol {protocol} and length {length}")
        end = start + _PREFIX.size + length
        if end > len(stream):
            break
        frames.append(stream[start:end])
        start = end
    return frames, stream[start:]


def transaction_of(frame: bytes) -> int:
    """The transaction id of a whole frame."""
    return int.from_bytes(frame[:2], "big")

"""Frames of serial lines: RTU with its CRC, ASCII with its LRC. Pure.

Source: Modbus over Serial Line Specification and Implementation Guide V1.02 §2.5.1 (RTU), §2.5.2 (ASCII), appendix B.
"""

import string
from typing import Final, Protocol

from adapters.modbus.frames import Read

_CRC_BYTES: Final = 2
_EXCEPTION: Final = 0x80
_POLYNOMIAL: Final = 0xA001
_LONGEST_ASCII: Final = 2 * 256 + 3


class Framer(Protocol):
    """How a body (unit, function, data) travels on a line that has no frame lengths and no request numbers."""

    def frame(self, body: bytes) -> bytes:
        """A body as it is sent."""
        ...

    def find(self, stream: bytes, read: Read) -> tuple[bytes, int] | None:
        """The first whole body in a stream that may answer this read, and where its frame ends; None: not (yet) there.

        What stands before it (noise, the echo of the request, frames of other units) is passed over; a body is one only
        if unit, function, byte count and check sum fit, or if it is the exception to this function.
        """
        ...

    def only_body(self, stream: bytes) -> bytes | None:
        """The body where a stream is exactly one frame with a right check sum, of whatever kind."""
        ...


class RtuFramer:
    """Bytes and a CRC-16; silence is the only border, so replies are found by what they must begin with."""

    def frame(self, body: bytes) -> bytes:
        """See `Framer`."""
        return body + crc16(body)

    def find(self, stream: bytes, read: Read) -> tuple[bytes, int] | None:
        """See `Framer`."""
        exception = bytes([read.unit, read.table.function | _EXCEPTION])
        whole = self._find(stream, read.head, len(read.head) + read.nbytes)
        refusal = self._find(stream, exception, len(exception) + 1)
        return min((found for found in (whole, refusal) if found), key=lambda found: found[1], default=None)

    def only_body(self, stream: bytes) -> bytes | None:
        """See `Framer`."""
        body = stream[:-_CRC_BYTES]
        return body if len(body) > 1 and crc16(body) == stream[-_CRC_BYTES:] else None

    @staticmethod
    def _find(stream: bytes, head: bytes, length: int) -> tuple[bytes, int] | None:
        start = stream.find(head)
        while start >= 0:
            end = start + length
            if end + _CRC_BYTES > len(stream):
                return None
            body = stream[start:end]
            if crc16(body) == stream[end : end + _CRC_BYTES]:
                return body, end + _CRC_BYTES
            start = stream.find(head, start + 1)
        return None


class AsciiFramer:
    """Hexadecimal digits between a colon and CR LF, with an LRC."""

    def frame(self, body: bytes) -> bytes:
        """See `Framer`."""
        return b":" + (body + lrc(body)).hex().upper().encode() + b"\r\n"

    def find(self, stream: bytes, read: Read) -> tuple[bytes, int] | None:
        """See `Framer`."""
        start = stream.find(b":")
        while start >= 0:
            end = stream.find(b"\r\n", start)
            if end < 0:
                return None
            begin = stream.rfind(b":", start, end)  # a colon begins a frame anew
            body = _body_of(stream[begin + 1 : end])
            if body is not None and _may_answer(body, read):
                return body, end + 2
            start = stream.find(b":", end)
        return None

    def only_body(self, stream: bytes) -> bytes | None:
        """See `Framer`."""
        is_one = stream.startswith(b":") and stream.endswith(b"\r\n")
        return _body_of(stream[1:-2]) if is_one else None


def _body_of(digits: bytes) -> bytes | None:
    """The body of an ASCII frame whose LRC is right."""
    if len(digits) % 2 or len(digits) > _LONGEST_ASCII or any(chr(digit) not in string.hexdigits for digit in digits):
        return None
    whole = bytes.fromhex(digits.decode("ascii"))
    body = whole[:-1]
    return body if len(body) > 1 and lrc(body) == whole[-1:] else None


def _may_answer(body: bytes, read: Read) -> bool:
    is_reply = body.startswith(read.head) and len(body) == len(read.head) + read.nbytes
    return is_reply or (len(body) == 3 and body[:2] == bytes([read.unit, read.table.function | _EXCEPTION]))


def _crc_table() -> tuple[int, ...]:
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ _POLYNOMIAL * (value & 1) for value in table]
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(data: bytes) -> bytes:
    """The CRC of Modbus RTU, low byte first as it is sent. Source: Modbus over Serial Line V1.02 §6.2.2."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def lrc(data: bytes) -> bytes:
    """The LRC of Modbus ASCII: the two's complement of the sum. Source: Modbus over Serial Line V1.02 §6.2.1."""
    return bytes([-sum(data) & 0xFF])

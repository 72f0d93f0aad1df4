"""Readings ↔ bytes: the `data` of chunks and blocks.

A msgpack array [version, tags, runs, times, form, values, qualities, texts], then its CRC-32 (4 bytes, little-endian).
A column of integers is [count, width, step, first, base, body]. Of the column itself (step 0) or of its differences
(step 1) the smallest element `base` is taken off; what remains are unsigned numbers of `width` bytes, stored as byte
planes (all lowest bytes, then all next ones …), in zstd where that is shorter. A constant or perfectly regular column
has no body. Values are brought to integers in the shortest form that gives back every bit (`_Form`).
"""

import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from gateway.history.readings import Readings

VERSION: Final = 1
_LEVEL: Final = 1  # levels 3 and 9 gain less than 2 % on byte planes
_SCALE: Final = np.array([1.0, 0.1, 0.01, 0.001, 0.0001])
_TENS: Final = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])
_EXACT: Final = 2.0**53
_SAMPLE: Final = 32


class UnreadableChunk(Exception):  # noqa: N818  # a state of the file, told to whoever reads it
    """A chunk's bytes are damaged or of a later version; the text says which."""


class _Form(IntEnum):
    """How values became integers; to the first three the number of decimals k is added. Numbers are stored."""

    DECIMAL = 0  # value = integer / 10**k
    SINGLE = 16  # the same, rounded to float32
    PRODUCT = 32  # value = integer * 10**-k, as a register's raw value with a scale
    BITS_32 = 48  # the bits of a float32
    BITS_64 = 64  # the bits of the float64 itself


class _Column(msgspec.Struct, array_like=True, frozen=True):
    count: int
    width: int
    step: int
    first: int
    base: int
    body: bytes


class _Chunk(msgspec.Struct, array_like=True, frozen=True):
    version: int
    tags: _Column
    runs: _Column
    times: _Column
    form: int
    values: _Column
    qualities: _Column
    texts: tuple[str, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Chunk)


def encode(readings: Readings) -> bytes:
    """The bytes of at least one reading, sorted by tag and time; texts that no row uses are left out."""
    readings = readings.with_own_texts()
    runs = readings.runs()
    form, values = _to_integers(readings.value)
    chunk = _Chunk(
        version=VERSION,
        tags=_pack(readings.tag[runs[:-1]].astype(np.int64)),
        runs=_pack(np.diff(runs).astype(np.int64)),
        times=_pack(readings.time_ms),
        form=form,
        values=_pack(values, step=int(form < _Form.BITS_32)),
        qualities=_pack(readings.quality.astype(np.int64), step=0),
        texts=readings.texts,
    )
    body = _encoder.encode(chunk)
    return body + zlib.crc32(body).to_bytes(4, "little")


def decode(data: bytes) -> Readings:
    """The readings of `encode`'s bytes, equal to the bit. UnreadableChunk: damaged, or written by a later version."""
    body = memoryview(data)[:-4]
    if len(data) < 5 or zlib.crc32(body) != int.from_bytes(data[-4:], "little"):
        raise UnreadableChunk("a chunk's checksum does not match: the file is damaged")
    try:
        chunk = _decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise UnreadableChunk("a chunk has an unknown layout: written by a later version?") from exc
    if chunk.version != VERSION:
        raise UnreadableChunk(f"a chunk has version {chunk.version}, this Lineside reads {VERSION}")
    return Readings(
        tag=np.repeat(_unpack(chunk.tags).astype(np.int32), _unpack(chunk.runs)),
        time_ms=_unpack(chunk.times),
        value=_to_values(chunk.form, _unpack(chunk.values)),
        quality=_unpack(chunk.qualities).astype(np.uint8),
        texts=chunk.texts,
    )


def _pack(column: NDArray[np.int64], step: int = 1) -> _Column:
    """A column of at least one integer as bytes; differences and offsets wrap around, so that every int64 fits."""
    rest = np.diff(column) if step else column
    if not len(rest):
        return _Column(1, 0, step, int(column[0]), 0, b"")
    base = int(rest.min())
    offsets = (rest - np.int64(base)).view(np.uint64)
    width = (int(offsets.max()).bit_length() + 7) // 8
    planes = offsets.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(planes) if width else b""
    body = packed if len(packed) < len(planes) else planes
    return _Column(len(column), width, step, int(column[0]) * step, base, body)


def _unpack(packed: _Column) -> NDArray[np.int64]:
    """The integers of a column. int64[count]."""
    n = packed.count - packed.step
    if n and packed.width:
        size = n * packed.width
        raw = packed.body if len(packed.body) == size else zstandard.ZstdDecompressor().decompress(packed.body)
        planes = np.zeros((n, 8), np.uint8)
        planes[:, : packed.width] = np.frombuffer(raw, np.uint8).reshape(packed.width, n).T
        rest = planes.view("<u8").ravel().view(np.int64) + np.int64(packed.base)
    else:
        rest = np.full(n, packed.base, np.int64)
    if not packed.step:
        return rest
    column = np.empty(packed.count, np.int64)
    column[0] = packed.first
    np.cumsum(rest, out=column[1:])
    column[1:] += packed.first
    return column


def _to_integers(value: NDArray[np.float64]) -> tuple[int, NDArray[np.int64]]:
    """The shortest form that gives every bit back, and the integers. float64[n] → (form, int64[n])."""
    with np.errstate(all="ignore"):
        peak = max(float(value.max()), -float(value.min()))
        for form in _likely(value[:: max(1, len(value) // _SAMPLE)]):
            if form < _Form.BITS_32 and not peak * _TENS[form % _Form.SINGLE] < _EXACT:
                continue
            integers = _apply(form, value)
            if np.array_equal(_to_values(form, integers).view(np.int64), value.view(np.int64)):
                return form, integers
    return _Form.BITS_64, value.view(np.int64)


def _likely(sample: NDArray[np.float64]) -> Iterator[int]:
    """The forms that give a sample back, shortest first; all numbers of decimals are tried at once."""
    scaled = np.rint(sample * _TENS[:, np.newaxis])
    quotient = scaled / _TENS[:, np.newaxis]
    for form, back in (
        (_Form.DECIMAL, quotient),
        (_Form.SINGLE, quotient.astype(np.float32)),
        (_Form.PRODUCT, scaled * _SCALE[:, np.newaxis]),
    ):
        yield from (form + np.flatnonzero((back == sample).all(axis=1))).tolist()
    yield _Form.BITS_32


def _apply(form: int, value: NDArray[np.float64]) -> NDArray[np.int64]:
    if form == _Form.BITS_32:
        return value.astype("<f4").view("<i4").astype(np.int64)
    integers: NDArray[np.int64] = np.rint(value * _TENS[form % _Form.SINGLE]).astype(np.int64)
    return integers


def _to_values(form: int, integers: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values of the integers of a form. int64[n] → float64[n]."""
    if form == _Form.BITS_64:
        return integers.view(np.float64)
    if form == _Form.BITS_32:
        return integers.astype("<i4").view("<f4").astype(np.float64)
    factor, ten = _SCALE[form % _Form.SINGLE], _TENS[form % _Form.SINGLE]
    value: NDArray[np.float64] = integers.astype(np.float64)
    value = value * factor if form >= _Form.PRODUCT else value / ten
    return value if form >= _Form.PRODUCT or form < _Form.SINGLE else value.astype(np.float32).astype(np.float64)

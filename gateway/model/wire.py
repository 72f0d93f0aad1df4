"""The byte form of a batch: what the journal, replay files and golden cases hold.

    offset  size  field
    0       2     "LB"
    2       1     version (1)
    3       1     flags: bit 0 = the clock was synchronised when the batch was received
    4       4     CRC-32 of everything from offset 8 on, little endian like all numbers
    8       …     zstd frame of the body

The body: n uint32, epoch uint32, seq uint64, received_ns int64, monotonic_ns int64, boot id 16 bytes, length of the
source name uint16, number of texts uint32; the source name (UTF-8); then the columns time_ns int64[n], value
float64[n], tag int32[n], quality uint8[n]; then each text as length uint32 and UTF-8 bytes.
"""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import zstandard
from isal import isal_zlib

from gateway.model.batch import Batch

_MAGIC: Final = b"LB"
_VERSION: Final = 1
_ENVELOPE: Final = struct.Struct("<2sBBI")
_BODY: Final = struct.Struct("<IIQqq16sHI")
_MAX_BODY: Final = 64 * 2**20


class Corrupt(Exception):  # noqa: N818  # a state of the bytes, not a fault of ours
    """The bytes are not a batch of a known version, or were changed after they were written."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known about a batch's arrival.

    source        producer's name
    epoch, seq    the gateway's run, and the producer's growing number
    received_ns   UTC when the batch was accepted; monotonic_ns: the same moment on the machine's steady clock
    boot_id       16 bytes that change when the machine boots, so that unsynchronised stamps can be re-based
    synced        whether the system clock was synchronised then
    """

    source: str
    epoch: int = 0
    seq: int = 0
    received_ns: int = 0
    monotonic_ns: int = 0
    boot_id: bytes = bytes(16)
    synced: bool = True


def encode(header: Header, batch: Batch) -> bytes:
    """The byte form of a batch."""
    source = header.source.encode()
    texts = [text.encode("utf-8", "surrogatepass") for text in batch.texts]
    fixed = _BODY.pack(
        len(batch),
        header.epoch,
        header.seq,
        header.received_ns,
        header.monotonic_ns,
        header.boot_id,
        len(source),
        len(texts),
    )
    columns = (batch.time_ns, batch.value, batch.tag, batch.quality)
    body = b"".join([fixed, source, *(c.tobytes() for c in columns), *(struct.pack("<I", len(t)) + t for t in texts)])
    packed = zstandard.ZstdCompressor(level=1).compress(body)
    return _ENVELOPE.pack(_MAGIC, _VERSION, int(header.synced), isal_zlib.crc32(packed)) + packed


def decode(data: bytes) -> tuple[Header, Batch]:
    """Header and batch of a byte form. Corrupt: unknown version, wrong checksum, wrong lengths."""
    if len(data) < _ENVELOPE.size:
        raise Corrupt("too short for a batch")
    magic, version, flags, crc = _ENVELOPE.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise Corrupt(f"not a batch of version {_VERSION}: starts with {data[:3]!r}")
    packed = data[_ENVELOPE.size :]
    if isal_zlib.crc32(packed) != crc:
        raise Corrupt("checksum does not match")
    try:
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAX_BODY)
        return _parse(body, synced=bool(flags & 1))
    except (zstandard.ZstdError, struct.error, ValueError) as exc:
        raise Corrupt(f"body cannot be read: {exc}") from exc


def _parse(body: bytes, *, synced: bool) -> tuple[Header, Batch]:
    n, epoch, seq, received_ns, monotonic_ns, boot_id, source_length, text_count = _BODY.unpack_from(body)
    offset = _BODY.size
    source = body[offset : offset + source_length].decode()
    offset += source_length
    time_ns = np.frombuffer(body, np.int64, n, offset)
    value = np.frombuffer(body, np.float64, n, offset + 8 * n)
    tag = np.frombuffer(body, np.int32, n, offset + 16 * n)
    quality = np.frombuffer(body, np.uint8, n, offset + 20 * n)
    offset += 21 * n
    texts = []
    for _ in range(text_count):
        (length,) = struct.unpack_from("<I", body, offset)
        texts.append(body[offset + 4 : offset + 4 + length].decode("utf-8", "surrogatepass"))
        offset += 4 + length
    if offset != len(body):
        raise ValueError(f"{len(body)} bytes instead of {offset}")
    header = Header(source, epoch, seq, received_ns, monotonic_ns, boot_id, synced)
    return header, Batch(tag, time_ns, value, quality, tuple(texts))

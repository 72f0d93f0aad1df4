"""Facts: what was read of one role, as sorted columns that merge in any order into the same bytes."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import zstandard
from numpy.typing import ArrayLike, NDArray

from gateway.kpi.columns import pack, unpack

FOREVER_MS: Final = 2**62
READ_BEFORE: Final = 3
"""Usable facts before a range that matter to it: a counter's base, a spike between two readings, and what it is not."""
READ_AFTER: Final = 2
"""Usable facts after it: the far end of an interpolation, and whether that is a spike."""
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<BIBB")  # version, number of facts, flags, how the values are written
_HAS_SEQ, _HAS_BAD, _HAS_REVISION = 1, 2, 4
_FLOAT32, _FLOAT64 = 16, 17  # 0…6: whole numbers after × 10**n


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """n facts of one (asset, role), sorted by (time_ms, seq), each key once.

    time_ms   int64[n]    UTC
    seq       int64[n]    0 for levels and counters; tells apart what happened in one millisecond
    value     float64[n]  as read; a text as `text_code(text)`; 0.0 where not usable
    usable    bool[n]     false: the reading was bad. It ends the hold of the value before it
    revision  int32[n]    0 as read; corrections count up
    """

    time_ms: NDArray[np.int64]
    seq: NDArray[np.int64]
    value: NDArray[np.float64]
    usable: NDArray[np.bool_]
    revision: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.time_ms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        return all(a.tobytes() == b.tobytes() for a, b in zip(self.columns, other.columns, strict=True))

    __hash__ = None  # type: ignore[assignment]  # columns are not hashable

    @property
    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """The five columns in their stored order."""
        return self.time_ms, self.seq, self.value, self.usable, self.revision

    def at(self, rows: slice | NDArray[np.intp]) -> "Series":
        """These rows, which must keep the order."""
        return Series(self.time_ms[rows], self.seq[rows], self.value[rows], self.usable[rows], self.revision[rows])

    @staticmethod
    def empty() -> "Series":
        """No facts."""
        return Series.of((), ())

    @staticmethod
    def of(
        time_ms: ArrayLike,
        value: ArrayLike,
        usable: ArrayLike | None = None,
        seq: ArrayLike | None = None,
        revision: ArrayLike | None = None,
    ) -> "Series":
        """Facts in any order and with duplicates, brought into order; what is not a number is not usable."""
        times = np.asarray(time_ms, np.int64)
        values = np.asarray(value, np.float64)
        fit = np.isfinite(values)
        if usable is not None:
            fit &= np.asarray(usable, np.bool_)
        return _in_order(
            Series(
                times,
                np.zeros(len(times), np.int64) if seq is None else np.asarray(seq, np.int64),
                np.where(fit, values, 0.0) + 0.0,  # -0.0 and 0.0 are one value with two bit patterns
                fit,
                np.zeros(len(times), np.int32) if revision is None else np.asarray(revision, np.int32),
            )
        )


@lru_cache(maxsize=4096)
def text_code(text: str) -> float:
    """The number that stands for a text state in a fact: 48 bits of its hash.

    A hash, not the next free index: the same facts give the same bits in whatever order they arrive.
    """
    return float(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()))


def merge(a: Series, b: Series) -> Series:
    """Both series in one: on equal (time, seq) the highest (revision, usable, value bits) wins.

    Commutative, associative and idempotent, so that order, duplicates and splitting of deliveries change nothing.
    """
    if not len(a) or not len(b):
        return a if len(a) else b
    if b.time_ms[0] < a.time_ms[0]:
        a, b = b, a
    both = _end_to_end((a, b))
    return both if b.time_ms[0] > a.time_ms[-1] else _in_order(both)


def merge_all(parts: Sequence[Series]) -> Series:
    """All series in one, by the rule of `merge`."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Series.empty()
    return _in_order(_end_to_end(parts))


def since(series: Series, from_ms: int) -> Series:
    """The facts at or after a time."""
    return series.at(slice(int(np.searchsorted(series.time_ms, from_ms, "left")), None))


def slice_with_neighbours(series: Series, from_ms: int, to_ms: int) -> Series:
    """The facts of a range with all that it depends on outside.

    That is everything from the third usable fact before `from_ms` to the second one at or after `to_ms`: a level that
    still held, the base of a counter, the far end of an interpolation, and what shows which of these are spikes.
    """
    known = series.time_ms[series.usable]
    before = int(np.searchsorted(known, from_ms, "left")) - READ_BEFORE
    after = int(np.searchsorted(known, to_ms, "left")) + READ_AFTER - 1
    low = int(np.searchsorted(series.time_ms, known[before] if before >= 0 else -FOREVER_MS, "left"))
    high = int(np.searchsorted(series.time_ms, known[after] if after < len(known) else FOREVER_MS, "right"))
    return series.at(slice(low, high))


def touched(series: Series, time_ms: int, *, counter: bool = False) -> tuple[int, int]:
    """The closed range of time in which a fact at `time_ms` of this (merged) series changes results.

    counter: it may show that readings near it are spikes, so that others count between their neighbours.

    Returns: from the usable fact before it to the usable one after it, both included, of a counter from the second one
        before to the third one after; `FOREVER_MS` where none follows.
    """
    known = series.time_ms[series.usable]
    before = int(np.searchsorted(known, time_ms, "left")) - (READ_AFTER if counter else 1)
    after = int(np.searchsorted(known, time_ms, "right"))
    last = min(after + READ_BEFORE - 1 if counter else after, len(known) - 1)
    first = max(before, 0)
    return (
        int(known[first]) if first < len(known) and known[first] < time_ms else time_ms,
        int(known[last]) if after < len(known) else FOREVER_MS,
    )


def encode(series: Series) -> bytes:
    """The facts as bytes; `decode` gives the same bits back. Regular data take 1 to 2 bytes a fact."""
    mode, numbers = _as_integers(series.value)
    flags = _HAS_SEQ * bool(series.seq.any()) | _HAS_BAD * (not series.usable.all())
    flags |= _HAS_REVISION * bool(series.revision.any())
    body = _HEADER.pack(_VERSION, len(series), flags, mode) + pack(series.time_ms, 2) + pack(numbers, 1)
    body += pack(series.seq, 1) if flags & _HAS_SEQ else b""
    body += pack(series.usable.astype(np.int64), 0) if flags & _HAS_BAD else b""
    body += pack(series.revision.astype(np.int64), 0) if flags & _HAS_REVISION else b""
    return zstandard.ZstdCompressor(level=3, write_content_size=True).compress(body)


def decode(data: bytes) -> Series:
    """The facts that `encode` wrote. ValueError: the bytes are damaged or of a version that is not known."""
    try:
        body = zstandard.ZstdDecompressor().decompress(data)
        version, count, flags, mode = _HEADER.unpack_from(body)
    except (zstandard.ZstdError, struct.error) as exc:
        raise ValueError("these bytes are no facts") from exc
    if version != _VERSION:
        raise ValueError(f"facts of version {version}: written by a newer Lineside")
    time_ms, at = unpack(body, _HEADER.size, count, 2)
    numbers, at = unpack(body, at, count, 1)
    seq, at = unpack(body, at, count, 1) if flags & _HAS_SEQ else (np.zeros(count, np.int64), at)
    usable, at = unpack(body, at, count, 0) if flags & _HAS_BAD else (np.ones(count, np.int64), at)
    revision, at = unpack(body, at, count, 0) if flags & _HAS_REVISION else (np.zeros(count, np.int64), at)
    return Series(time_ms, seq, _as_floats(mode, numbers), usable.astype(np.bool_), revision.astype(np.int32))


def _as_integers(value: NDArray[np.float64]) -> tuple[int, NDArray[np.int64]]:
    """How the values are written, and the integers that stand for them: decimals first, bit patterns otherwise."""
    with np.errstate(over="ignore"):  # what becomes infinite is not equal, and the next way is tried
        for digits in range(7):
            scaled = np.rint(value * 10.0**digits)
            if np.all(np.abs(scaled) < 2.0**53) and np.array_equal(scaled / 10.0**digits, value):
                return digits, scaled.astype(np.int64)
        single = value.astype(np.float32)
    if np.array_equal(single.astype(np.float64), value):
        return _FLOAT32, single.view(np.int32).astype(np.int64)
    return _FLOAT64, value.view(np.int64)


def _as_floats(mode: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    if mode == _FLOAT64:
        return numbers.view(np.float64)
    if mode == _FLOAT32:
        return numbers.astype(np.int32).view(np.float32).astype(np.float64)
    return numbers.astype(np.float64) / 10.0**mode


def _end_to_end(parts: Sequence[Series]) -> Series:
    return Series(
        np.concatenate([part.time_ms for part in parts]),
        np.concatenate([part.seq for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.usable for part in parts]),
        np.concatenate([part.revision for part in parts]),
    )


def _in_order(series: Series) -> Series:
    bits = series.value.view(np.int64)
    order = np.lexsort((bits, series.usable, series.revision, series.seq, series.time_ms))
    time_ms, seq = series.time_ms[order], series.seq[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (time_ms[1:] != time_ms[:-1]) | (seq[1:] != seq[:-1])
    return series.at(order[last])

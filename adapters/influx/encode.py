"""Batch → line protocol bytes, by the data model of docs/data-model.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from adapters.influx.heads import BOOL, INT, SHORT, TEXT, WIDE, Heads
from gateway.model import Batch, Reason, Site, TagTable, bad, is_good, is_usable

# VictoriaMetrics refuses lines above 256 KiB; 400 of our longest fields stay well below.
_FIELDS_PER_LINE: Final = 400
_INT64_END: Final = 2.0**63
# Above it the digits that name a float32 differ visibly from the number, and a float64 is as short.
_SHORT_END: Final = 2.0**20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a store differs from the others: unit of time in ns, spelling of bool and int, whether it keeps texts."""

    tick_ns: int
    true: bytes
    false: bytes
    int_suffix: bytes
    text: bool


INFLUX: Final = Dialect(1, b"true", b"false", b"i", text=True)
VICTORIA: Final = Dialect(1_000_000, b"1", b"0", b"", text=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Lines ready to post, how many they are, and how many readings the store cannot hold, by reason."""

    body: bytes
    lines: int
    dropped: Mapping[str, int] = field(default_factory=dict)


class Encoder:
    """Writes batches as lines; it remembers what stands before each tag's value, and nothing else."""

    def __init__(self, tags: TagTable, site: Site, dialect: Dialect) -> None:
        self._heads = Heads(tags, site)
        self._dialect = dialect

    def encode(self, batch: Batch) -> Encoded:
        """The lines of a batch, in its order; values first, then traces.

        batch: any readings; rows of one series and time that stand together share a line.
        Returns a line per group of usable values; and, in the measurement `quality`, the quality code of each reading
        that is not good, or whose number cannot be written (NaN, infinite, beyond int64), so that every reading leaves
        a trace. `dropped` counts usable texts where the store has none.
        """
        self._heads.refresh()
        kind = self._heads.kind[batch.tag]
        usable = is_usable(batch.quality)
        quality = _explained(batch, kind)
        sent = usable & (quality == batch.quality)
        dropped: dict[str, int] = {}
        if not self._dialect.text and (texts := int(np.count_nonzero(sent & (kind == TEXT)))):
            sent &= kind != TEXT
            dropped["text"] = texts
        values = batch if sent.all() else batch.where(sent)
        body, lines = self._lines(values, self._heads.start, self._values(values, kind[sent]))
        traced = ~is_good(quality)
        if traced.any():
            rows = batch.where(traced)
            traces, more = self._lines(rows, self._heads.trace, self._ints(quality[traced]))
            body, lines = body + traces, lines + more
        return Encoded(body, lines, dropped)

    def _lines(self, batch: Batch, starts: list[bytes], values: list[bytes]) -> tuple[bytes, int]:
        if not values:
            return b"", 0
        ticks = batch.time_ns // self._dialect.tick_ns if self._dialect.tick_ns > 1 else batch.time_ns
        series = self._heads.series[batch.tag]
        firsts = _line_starts(series, ticks)
        fields = self._heads.fields[batch.tag].tolist()
        # Each value is followed by what stands before the next one: a comma, or the line's end and a new start.
        gaps = [b","] * len(values)
        gaps[0] = starts[series[0]]
        stamps = ticks[firsts].tolist()
        for row, number, ended in zip(firsts[1:].tolist(), series[firsts[1:]].tolist(), stamps, strict=False):
            gaps[row] = b" %d\n%b" % (ended, starts[number])
        parts = [b""] * (3 * len(values))
        parts[0::3], parts[1::3], parts[2::3] = gaps, fields, values
        parts.append(b" %d\n" % stamps[-1])
        return b"".join(parts), len(stamps)

    def _values(self, batch: Batch, kind: NDArray[np.uint8]) -> list[bytes]:
        if not len(batch):
            return []
        if (kind == kind[0]).all():
            return self._column(int(kind[0]), batch.value, batch.texts)
        mixed = np.empty(len(batch), object)
        for one in (BOOL, INT, WIDE, SHORT, TEXT):
            mask = kind == one
            if mask.any():
                mixed[mask] = self._column(one, batch.value[mask], batch.texts)
        found: list[bytes] = mixed.tolist()
        return found

    def _column(self, kind: int, value: NDArray[np.float64], texts: tuple[str, ...]) -> list[bytes]:
        if kind == BOOL:
            words = (self._dialect.false, self._dialect.true)
            return [words[v] for v in (value != 0).tolist()]
        if kind == INT:
            return self._ints(value)
        if kind == TEXT:
            return [_quoted(texts[int(v)]) for v in value.tolist()]
        return _short(value) if kind == SHORT else _printed(value)

    def _ints(self, value: NDArray[np.generic]) -> list[bytes]:
        suffix = self._dialect.int_suffix
        digits = _printed(value.astype(np.int64))
        return [d + suffix for d in digits] if suffix else digits


def _explained(batch: Batch, kind: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The qualities, with a reason where a usable number is none that a store could keep."""
    number = np.isfinite(batch.value)
    fits = (kind != INT) | (np.abs(batch.value) < _INT64_END)
    if number.all() and fits.all():
        return batch.quality
    usable = is_usable(batch.quality)
    quality = np.where(usable & ~fits, np.uint8(bad(Reason.OUT_OF_RANGE)), batch.quality)
    return np.where(usable & ~number, np.uint8(bad(Reason.NOT_A_NUMBER)), quality)


def _line_starts(series: NDArray[np.int32], ticks: NDArray[np.int64]) -> NDArray[np.intp]:
    """Rows that begin a line: where series or time change, and again before a line grows too long."""
    changes = np.flatnonzero((series[1:] != series[:-1]) | (ticks[1:] != ticks[:-1])) + 1
    firsts = np.concatenate([np.zeros(1, np.intp), changes])
    lengths = np.diff(firsts, append=len(series))
    if lengths.max() <= _FIELDS_PER_LINE:
        return firsts
    pieces = [np.arange(at, at + n, _FIELDS_PER_LINE) for at, n in zip(firsts, lengths, strict=True)]
    return np.concatenate(pieces)


def _printed(column: NDArray[np.generic]) -> list[bytes]:
    return orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def _short(value: NDArray[np.float64]) -> list[bytes]:
    small = np.abs(value) < _SHORT_END
    single = np.where(small, value, 0.0).astype(np.float32)
    exact = small & (single == value)
    if exact.all():
        return _printed(single)
    digits = np.array(_printed(value), object)
    if exact.any():
        digits[exact] = _printed(single[exact])
    found: list[bytes] = digits.tolist()
    return found


def _quoted(text: str) -> bytes:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'.encode(errors="replace")

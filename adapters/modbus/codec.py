"""Replies → a column of values: one compiled gather per number type, for a whole poll at once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.plan import Block
from adapters.modbus.point import WORDS, Point, ValueType
from gateway.model import GOOD, Reason, bad, uncertain

_DTYPES: Final[dict[ValueType, str]] = {
    "bool": "u1",
    "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "uint16": "<u2", "uint32": "<u4", "uint64": "<u8",
    "float16": "<f2", "float32": "<f4", "float64": "<f8",
}  # fmt: skip
_EXACT: Final = 2**53  # integers up to here are exact in a float64


@dataclass(frozen=True, slots=True)
class Column:
    """Decoded points in their order: value float64[n] (NaN where bad), quality uint8[n], and the texts of enums."""

    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    texts: tuple[str, ...]


class Decoder:
    """Turns an image, the blocks' reply data one behind the other, into values and qualities.

    Points that no block brings are bad (quarantined) in every column.
    """

    def __init__(self, points: Sequence[Point], blocks: Sequence[Block]) -> None:
        sizes = [block.nbytes for block in blocks]
        self.offsets = tuple(accumulate(sizes, initial=0))
        self.block_of = np.full(len(points), -1, np.intp)
        for number, block in enumerate(blocks):
            self.block_of[list(block.points)] = number
        present = [i for i in range(len(points)) if self.block_of[i] >= 0]
        starts = {i: _start(points[i], blocks[self.block_of[i]], self.offsets[self.block_of[i]]) for i in present}
        types = sorted({points[i].type for i in present})
        self._kinds = [_Kind(t, points, [i for i in present if points[i].type == t], starts) for t in types]
        self._blank = np.full(len(points), np.nan)
        self._quality = np.where(self.block_of < 0, bad(Reason.QUARANTINED), GOOD).astype(np.uint8)
        self._scaling = _Scaling(points)
        self._texts = tuple(dict.fromkeys(text for point in points for text in point.enum.values()))
        index = {text: float(number) for number, text in enumerate(self._texts)}
        enums = [(i, points[i].enum) for i in present if points[i].enum]
        self._enums = [(i, {raw: index[text] for raw, text in enum.items()}) for i, enum in enums]

    def decode(self, image: bytes) -> Column:
        """The column of one image.

        image: reply data of all blocks in order, `offsets[-1]` bytes; what a failed block would have brought may
               be anything: its rows are the caller's to mark
        """
        data = np.frombuffer(image, np.uint8)
        value, quality = self._blank.copy(), self._quality.copy()
        with np.errstate(invalid="ignore", over="ignore"):  # signalling NaNs and overflow end up bad below
            for kind in self._kinds:
                kind.decode(data, value, quality)
            self._scaling.apply(value)
            seems_finite = isfinite(value.dot(value))  # four times cheaper than to look at each value
        if not seems_finite:
            odd = ~np.isfinite(value)
            value[odd] = np.nan
            quality[odd & (quality == GOOD)] = bad(Reason.NOT_A_NUMBER)
        return Column(value, quality, self._name(value, quality) if self._enums else ())

    def _name(self, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> tuple[str, ...]:
        """Replaces the raw numbers of enums by indices into the returned texts."""
        texts = list(self._texts)
        for row, index in self._enums:
            raw = value.item(row)
            if quality[row] != GOOD:
                continue
            if (known := index.get(raw)) is None:  # type: ignore[call-overload]  # 1.0 finds 1
                value[row], quality[row] = len(texts), uncertain(Reason.OUT_OF_RANGE)
                texts.append(f"{raw:.15g}")
            else:
                value[row] = known
        return tuple(texts)


def _start(point: Point, block: Block, offset: int) -> tuple[int, int]:
    """Where a point begins in the image: byte, and bit within that byte for a bool."""
    distance = point.address - block.address
    if point.table.is_bits:
        return offset + distance // 8, distance % 8
    if point.type != "bool":
        return offset + 2 * distance, 0
    low_byte_first = point.byte_order == "little"
    return offset + 2 * distance + ((point.bit < 8) ^ low_byte_first), point.bit % 8


def _bytes(point: Point, start: int) -> list[int]:
    """The image positions of a point's bytes, least significant first."""
    if point.type == "bool":
        return [start]
    words = range(WORDS[point.type])
    from_least = words if point.word_order == "little" else reversed(words)
    pair = (0, 1) if point.byte_order == "little" else (1, 0)
    return [start + 2 * word + byte for word in from_least for byte in pair]


class _Kind:
    """All points of one number type."""

    def __init__(
        self, value_type: ValueType, points: Sequence[Point], rows: Sequence[int], starts: dict[int, tuple[int, int]]
    ) -> None:
        self._dtype = np.dtype(_DTYPES[value_type])
        self._rows = _selector(rows)
        self._take = np.array([at for i in rows for at in _bytes(points[i], starts[i][0])], np.intp)
        self._bit = np.array([starts[i][1] for i in rows], np.uint8) if value_type == "bool" else None
        sentinels = [(at, i, raw) for at, i in enumerate(rows) for raw in points[i].not_a_value]
        self._sentinel_at = np.array([at for at, _, _ in sentinels], np.intp)
        self._sentinel_row = np.array([i for _, i, _ in sentinels], np.intp)
        self._sentinel = np.array([raw for _, _, raw in sentinels], self._dtype)
        wide = [(at, i) for at, i in enumerate(rows) if value_type in {"int64", "uint64"} and not points[i].lossy]
        self._wide_at = np.array([at for at, _ in wide], np.intp)
        self._wide_row = np.array([i for _, i in wide], np.intp)

    def decode(self, data: NDArray[np.uint8], value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
        """Enters raw numbers into `value`; those that cannot be used become NaN with their reason in `quality`."""
        raw: NDArray[Any] = data.take(self._take).view(self._dtype)
        if self._bit is not None:
            raw = (raw >> self._bit) & 1
        value[self._rows] = raw
        if self._wide_at.size:
            wide = raw[self._wide_at]
            _spoil(self._wide_row[(wide > _EXACT) | (wide < -_EXACT)], Reason.OUT_OF_RANGE, value, quality)
        if self._sentinel.size:
            hit = raw[self._sentinel_at] == self._sentinel
            _spoil(self._sentinel_row[hit], Reason.NOT_A_VALUE, value, quality)


def _spoil(rows: NDArray[np.intp], reason: Reason, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
    value[rows], quality[rows] = np.nan, bad(reason)


def _selector(rows: Sequence[int]) -> slice | NDArray[np.intp]:
    """The rows as a slice where they are evenly spaced, which copies several times faster."""
    step = rows[1] - rows[0] if len(rows) > 1 else 1
    if list(rows) == list(range(rows[0], rows[-1] + 1, step)):
        return slice(rows[0], rows[-1] + 1, step)
    return np.array(rows, np.intp)


class _Scaling:
    """value = raw · scale + offset, over a whole column.

    A scale like 0.001 is applied as a division by 1000, which rounds once and so gives the number that is meant.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        divisor = [_divisor(point.scale) for point in points]
        self._divisor = _unless_all(1, divisor)
        self._factor = _unless_all(1, [p.scale if d == 1 else 1.0 for p, d in zip(points, divisor, strict=True)])
        self._offset = _unless_all(0, [point.offset for point in points])

    def apply(self, value: NDArray[np.float64]) -> None:
        """Scales in place."""
        if self._divisor is not None:
            value /= self._divisor
        if self._factor is not None:
            value *= self._factor
        if self._offset is not None:
            value += self._offset


def _divisor(scale: float) -> float:
    """The whole number that `scale` is the reciprocal of, or 1."""
    whole = float(round(1 / scale)) if abs(scale) < 1 else 1.0
    return whole if whole and 1 / whole == scale else 1.0


def _unless_all(neutral: float, column: Sequence[float]) -> NDArray[np.float64] | None:
    return None if all(number == neutral for number in column) else np.array(column, np.float64)

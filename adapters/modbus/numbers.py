"""The numbers of an image: one gather of bytes and one cast per kind of number, for a whole poll. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.checks import NO_DECIMAL, Check, raw_checks
from adapters.modbus.plan import Block
from adapters.modbus.point import Point, ValueType, width

_BYTES: Final = frozenset({"bool", "int8", "uint8"})  # types that one byte of a register holds
_SMALLEST: Final = 1e-15  # the smallest scale whose reciprocal is certainly exact
_NIBBLES: Final = np.arange(0, 64, 4, dtype=np.uint64)
_TENS: Final = np.array([10**n for n in range(16)], np.uint64)


class _Kind(NamedTuple):
    """Numbers that are gathered and cast together: their bytes stand one behind the other in slots of this dtype."""

    dtype: str
    types: frozenset[ValueType]


# Integers of up to 64 bits share one kind: unsigned ones lie at the low end of their slot, signed ones at the high end,
# where their sign is the slot's; the division that scales them takes the shift along, and loses nothing by it.
_WHOLE: Final = _Kind("<i8", frozenset({"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"}))
_DECIMAL: Final = _Kind("<u8", frozenset({"bcd16", "bcd32", "bcd64"}))
_KINDS: Final = (
    _WHOLE,
    _DECIMAL,
    _Kind("<u8", frozenset({"uint64"})),
    _Kind("<f8", frozenset({"float64"})),
    _Kind("<f4", frozenset({"float32"})),
    _Kind("<f2", frozenset({"float16"})),
)


class Numbers:
    """The numbers of an image: gathered byte by byte into slots, cast, scaled, and put into the order of the points."""

    def __init__(self, points: Sequence[Point], starts: Mapping[int, tuple[int, int]], nbytes: int) -> None:
        """starts: byte and bit of each point that is there; nbytes: of the image."""
        groups = [[i for i in starts if points[i].type in kind.types] for kind in _KINDS]
        rows = [i for group in groups for i in group]
        take = [at for i in rows for at in _slot(points[i], starts[i][0], zero=nbytes)]
        buffer = bytearray(nbytes + 1)  # the last byte stays 0
        self._room, self._image = memoryview(buffer)[:nbytes], np.frombuffer(buffer, np.uint8)
        self._take, self._bytes = np.array(take, np.intp), np.zeros(len(take), np.uint8)
        self._slots = np.full(len(rows) + 1, np.nan)  # the last one stays NaN, for points that are not there
        self._order = np.full(len(points), len(rows), np.intp)
        self._order[rows] = np.arange(len(rows))
        self._decimals: list[NDArray[np.uint64]] = []
        self._scalings: list[_Scaling] = []
        self.checks: list[Check] = []
        byte = first = 0
        for kind, group in zip(_KINDS, groups, strict=True):
            dtype, members = np.dtype(kind.dtype), [points[i] for i in group]
            raw = self._bytes[byte : byte + dtype.itemsize * len(group)].view(dtype)
            slots = self._slots[first : first + len(group)]
            byte, first = byte + raw.nbytes, first + len(group)
            if group:
                self._decimals += [raw] if kind is _DECIMAL else []
                shifts = [_shift(points[i], starts[i][1]) for i in group]
                self._scalings.append(_Scaling(members, shifts, raw, slots))
                self.checks += raw_checks(members, group, raw)
        bits = [1 << starts[i][1] if points[i].type == "bool" else -1 for i in groups[0]]
        self._whole, self._mask = self._bytes[: 8 * len(bits)].view(np.int64), _unless_all(-1, bits, np.int64)

    def take(self, image: bytes) -> NDArray[np.float64]:
        """The values of all points, float64[n]; NaN where a point is not there or is no number."""
        self._room[:] = image
        self._image.take(self._take, None, self._bytes, "clip")
        if self._mask is not None:
            np.bitwise_and(self._whole, self._mask, self._whole)
        for decimals in self._decimals:
            _from_decimal(decimals)
        for scaling in self._scalings:
            scaling.apply()
        return self._slots.take(self._order)


def start_of(point: Point, block: Block, offset: int) -> tuple[int, int]:
    """Where a point begins in the image: byte, and bit within that byte for a bool."""
    distance = point.address - block.address
    if point.table.is_bits:
        return offset + distance // 8, distance % 8
    start = offset + 2 * distance
    if point.type not in _BYTES:
        return start, 0
    low = point.bit < 8 if point.type == "bool" else point.byte == "low"
    return start + (low ^ (point.byte_order == "little")), point.bit % 8


def bytes_of(point: Point, start: int) -> list[int]:
    """The image positions of a point's bytes, least significant first."""
    if point.type in _BYTES:
        return [start]
    words = range(point.size)
    from_least = words if point.word_order == "little" else reversed(words)
    pair = (0, 1) if point.byte_order == "little" else (1, 0)
    return [start + 2 * word + byte for word in from_least for byte in pair]


def _slot(point: Point, start: int, zero: int) -> list[int]:
    """The image positions of all bytes of a point's slot."""
    found = bytes_of(point, start)
    if point.type.startswith("float"):
        return found
    empty = [zero] * (8 - len(found))
    return empty + found if point.type.startswith("int") else found + empty


def _shift(point: Point, bit: int) -> int:
    """How many bits too far left a point lies in its slot."""
    if point.type == "bool":
        return bit
    return 64 - width(point.type) if point.type.startswith("int") else 0


def _from_decimal(raw: NDArray[np.uint64]) -> None:
    """Turns BCD numbers into integers in place; NO_DECIMAL where a digit is above 9."""
    digits = (raw[:, None] >> _NIBBLES) & np.uint64(15)
    raw[:] = np.where((digits > 9).any(axis=1), np.uint64(NO_DECIMAL), digits @ _TENS)


class _Scaling:
    """value = raw · scale + offset, over the slots of one kind.

    A scale like 0.001 is applied as a division by 1000, which rounds once and so gives the number that is meant.
    """

    def __init__(
        self, points: Sequence[Point], shifts: Sequence[int], raw: NDArray[Any], slots: NDArray[np.float64]
    ) -> None:
        """shifts: how many bits too far left each raw number lies."""
        scales = [1.0 if point.scale_register else point.scale for point in points]
        reciprocal = [_divisor(scale) for scale in scales]
        factors = [scale if whole == 1 else 1.0 for scale, whole in zip(scales, reciprocal, strict=True)]
        divisors = [whole * 2.0**shift for whole, shift in zip(reciprocal, shifts, strict=True)]
        self._raw, self._slots = raw, slots
        self._divisor = _unless_all(1, divisors, np.float64)
        self._factor = _unless_all(1, factors, np.float64)
        self._offset = _unless_all(0, [point.offset for point in points], np.float64)

    def apply(self) -> None:
        """From raw numbers to values in slots."""
        if self._divisor is None:
            self._slots[:] = self._raw
        else:
            np.divide(self._raw, self._divisor, self._slots)
        if self._factor is not None:
            self._slots *= self._factor
        if self._offset is not None:
            self._slots += self._offset


def _divisor(scale: float) -> float:
    """The whole number that `scale` is the reciprocal of, or 1."""
    if not _SMALLEST <= abs(scale) < 1:
        return 1.0
    whole = float(round(1 / scale))
    return whole if 1 / whole == scale else 1.0


def _unless_all(neutral: float, column: Sequence[float], dtype: type[np.generic]) -> NDArray[Any] | None:
    return None if all(number == neutral for number in column) else np.array(column, dtype)

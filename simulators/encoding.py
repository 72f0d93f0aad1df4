"""Values as the words that a device keeps in its registers: pymodbus's converters, and what these lack."""

import math
import struct
from collections.abc import Callable
from enum import IntEnum

from pymodbus.client.mixin import ModbusClientMixin

from simulators.profiles import BITS_OF, Point

Shown = float | str | None
"""What a device shows: a number in the point's unit, a text, or nothing."""
Encoder = Callable[[Shown], list[int]]

_TYPES = {name.lower(): member for name, member in ModbusClientMixin.DATATYPE.__members__.items()}
_ALMOST = 1e-6
"""A counter is cut off, not rounded; this much below the next step is a rounding error of floats, not of energy."""


def encoder(point: Point) -> Encoder:
    """How a point's value becomes its words, in register order (a point of a bit table: one 0 or 1).

    A number beyond the type's range is shown as the range's end, but a counter rolls over. None is the point's
    sentinel, NaN of a float without one, else zero.
    """
    if point.type == "string":
        return lambda value: _text(point, value)
    if point.type == "bool" and point.bits is None:
        return lambda value: [int(bool(value)) << (0 if point.table in ("coil", "discrete") else point.bit)]
    if point.type.startswith("float"):
        return lambda value: _float(point, value)
    return lambda value: _whole(point, value)


def mask(point: Point) -> int:
    """Which bits of its register belong to a point that shares it with others."""
    if point.type in ("int8", "uint8"):
        return 0xFF00 if point.high_byte else 0x00FF
    if point.type == "bool" and point.bits is None and point.table in ("holding", "input"):
        return 1 << point.bit
    return 0xFFFF


def _float(point: Point, value: Shown) -> list[int]:
    if value is None and point.sentinel is not None:
        bits = BITS_OF[point.type]
        return _ordered(point, _words(f"uint{bits}", point.sentinel))
    raw = math.nan if value is None else (_number(point, value) - point.offset) / point.scale
    if point.type == "float16":
        return _ordered(point, list(struct.unpack(">H", struct.pack(">e", raw))))
    return _ordered(point, ModbusClientMixin.convert_to_registers(raw, _TYPES[point.type]))


def _whole(point: Point, value: Shown) -> list[int]:
    kind, bits = ("uint16", 16) if point.type == "bool" else (point.type, BITS_OF[point.type])
    if value is None:
        return _ordered(point, _in_byte(point, _words(f"uint{max(bits, 16)}", _sentinel(point, bits))))
    steps = (_number(point, value) - point.offset) / point.scale
    low, high = _range(kind, bits)
    if point.counter:
        modulus = high + 1 if point.modulus is None else round(point.modulus / point.scale)
        raw = math.floor(steps + _ALMOST) % modulus
    else:
        raw = min(max(round(steps), low), high)
    if kind.startswith("bcd"):
        return _ordered(point, _words(f"uint{bits}", int(str(raw), 16)))
    if bits == 8:
        return _ordered(point, _in_byte(point, [raw & 0xFF]))
    return _ordered(point, _words(kind, raw))


def _number(point: Point, value: float | str) -> float:
    """A number, or the number by which the device says a text; the number of a state that it has no word for."""
    text = value.name if isinstance(value, IntEnum) else value
    for number, known in (point.enum or {}).items():
        if known == text:
            return number
    return float(value)


def _range(kind: str, bits: int) -> tuple[int, int]:
    if kind.startswith("bcd"):
        return 0, int(10 ** (bits // 4)) - 1
    return (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _sentinel(point: Point, bits: int) -> int:
    return 0 if point.sentinel is None else point.sentinel & (2**bits - 1)


def _in_byte(point: Point, words: list[int]) -> list[int]:
    return [words[0] << 8] if BITS_OF[point.type] == 8 and point.high_byte else words


def _words(kind: str, raw: int) -> list[int]:
    return ModbusClientMixin.convert_to_registers(raw, _TYPES[kind])


def _ordered(point: Point, words: list[int]) -> list[int]:
    if point.word_order == "little":
        words = words[::-1]
    return words if point.byte_order == "big" else [_swapped(word) for word in words]


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


def _text(point: Point, value: Shown) -> list[int]:
    text = "" if value is None else value.name if isinstance(value, IntEnum) else str(value)
    filler = bytes([point.padding])
    raw = text.encode(point.encoding)[: point.length].ljust(2 * point.width, filler)
    words = [raw[index] << 8 | raw[index + 1] for index in range(0, len(raw), 2)]
    return words if point.byte_order == "big" else [_swapped(word) for word in words]

"""What registers may mean: an image shown in every type and order, ranked by evidence or by an expected value. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Final

from adapters.modbus.codec import Decoder
from adapters.modbus.plan import Block
from adapters.modbus.point import WORDS, Order, Point, Table, ValueType, width
from gateway.model.quality import is_usable

SCALES: Final = (1.0, 0.1, 0.01, 0.001, 10.0, 100.0, 1000.0)  # that makers of devices use
_WITHIN: Final = (0.001, 0.01)  # relative errors that a rounded or a moving value has
_PRIOR: Final[dict[ValueType, float]] = {
    "float32": 2, "uint16": 2, "int16": 1, "uint32": 1.5, "int32": 1, "uint64": 0.5, "int64": 0, "float64": 0,
    "string": 0, "bcd32": -4, "bcd16": -4, "bcd64": -4, "float16": -5, "uint8": -5, "int8": -6,
}  # fmt: skip
_SHORT_TEXT: Final = -6.0  # many numbers are printable, few texts have six characters or less
_SWAPPED_WORDS, _SWAPPED_BYTES = -2.0, -4.0  # most devices do not, some do
_MANTISSA: Final[dict[ValueType, int]] = {"float16": 10, "float32": 23, "float64": 52}
_ODD_BITS: Final = 9  # of a mantissa that prove nothing, though they are zeros
_WHOLE: Final = 3.0  # who asks for the meaning of two registers mostly has one value in them
_SHORTEST: Final = 3  # characters of a text
_TEXT: Final = frozenset(range(0x20, 0x7F))


@dataclass(frozen=True, slots=True)
class Guess:
    """One meaning of some registers of an image.

    point     what a profile would say; its address counts from the image's first register
    value     what the registers would mean, scaled
    evidence  bits: 10 means that one random image in 1,024 would look as sensible; small differences say nothing
    error     relative, to the expected value; 0 without one
    """

    point: Point
    value: float | str
    evidence: float
    error: float = 0.0


def guesses(words: Sequence[int], expect: float | str | None = None, within: float = 0.05) -> list[Guess]:
    """Every meaning that an image may have, the most likely first.

    words:  registers, 0 to 65535, as they came
    expect: what the device shows at the moment: only meanings that come near are given, also if they need a scale;
            a text: only texts that contain it
    within: how near, as a part of `expect`
    """
    found = list(_all(words))
    if expect is None:
        return sorted(found, key=lambda g: (-g.evidence, g.point.address))
    if isinstance(expect, str):
        return [g for g in found if isinstance(g.value, str) and expect.casefold() in g.value.casefold()]
    near = [match for guess in found for match in _scaled(guess, expect, within)]
    return sorted(near, key=lambda g: (sum(g.error > step for step in _WITHIN), -g.evidence, g.error))


def _scaled(guess: Guess, expect: float, within: float) -> Iterator[Guess]:
    """The guess with the scales that bring it near the expected value; each but 1 counts against it."""
    if isinstance(guess.value, str):
        return
    for number, scale in enumerate(SCALES if guess.value and width(guess.point.type) > 8 else SCALES[:1]):
        value = guess.value * scale if scale >= 1 else guess.value / round(1 / scale)
        error = abs(value - expect) / (abs(expect) or 1.0)
        if error <= within:
            yield Guess(replace(guess.point, scale=scale), value, guess.evidence - 2.0 * number, error)


def _all(words: Sequence[int]) -> Iterator[Guess]:
    points = [point for address in range(len(words)) for point in _points(address, len(words) - address)]
    image = b"".join(word.to_bytes(2, "big") for word in words)
    column = Decoder(points, [Block(Table.HOLDING, 0, len(words), tuple(range(len(points))))]).decode(image)
    for point, number, good in zip(points, column.value.tolist(), is_usable(column.quality).tolist(), strict=True):
        own = words[point.address : point.end]
        if good and (point.type != "string" or _is_text(own, point)):
            value = column.texts[int(number)] if point.type == "string" else number
            yield Guess(point, value, _evidence(point, value, own) + _WHOLE * (point.size == len(words)))


def _points(address: int, room: int) -> Iterator[Point]:
    """Every type and order that fits into `room` registers, texts only as a whole."""
    orders: tuple[Order, ...] = ("big", "little")
    for value_type, size in WORDS.items():
        base = Point("", Table.HOLDING, address, value_type, lossy=True)
        if value_type == "bool" or size > room:
            continue
        if value_type == "string":
            texts = [replace(base, length=2 * room, byte_order=order) for order in orders]
            yield from texts if address == 0 and room > 1 else []
        elif width(value_type) == 8:
            yield replace(base, byte="high")
            yield base
        else:
            for word_order in orders if size > 1 else orders[:1]:
                yield from (replace(base, word_order=word_order, byte_order=order) for order in orders)


def _is_text(words: Sequence[int], point: Point) -> bool:
    """Whether it is printable, but for padding behind its end."""
    data = _bytes(words, point).rstrip(b"\0 \xff")
    return len(data) >= _SHORTEST and _TEXT.issuperset(data)


def _bytes(words: Sequence[int], point: Point) -> bytes:
    return b"".join(word.to_bytes(2, point.byte_order) for word in words)


def _evidence(point: Point, value: float | str, words: Sequence[int]) -> float:
    """Bits by which a value is more sensible than random registers would be, and what is known of devices."""
    bits = _PRIOR[point.type]
    bits += _SWAPPED_WORDS * (point.word_order == "little") + _SWAPPED_BYTES * (point.byte_order == "little")
    if isinstance(value, str):
        known = _bytes(words, point).rstrip(b"\0 \xff")
        bits += _SHORT_TEXT if len(words) < 4 else 0.0
        return bits + sum(2.0 if chr(byte).isalnum() else 0.7 for byte in known) + 4.0 * (2 * len(words) - len(known))
    if value == 0:
        return bits  # registers of zeros are zero in every type
    if point.type in _MANTISSA:
        return bits + _float_bits(abs(value), point.type)
    if point.type.startswith("bcd"):
        return bits + width(point.type) / 4 * log2(16 / 10)
    return bits + width(point.type) - min(width(point.type), abs(int(value)).bit_length() + (value < 0))


def _float_bits(value: float, value_type: ValueType) -> float:
    """Quantities of a plant are neither tiny nor huge; few random floats are not."""
    if not 1e-6 <= value <= 1e12:
        return -10.0
    mantissa = _MANTISSA[value_type]
    common = {"float16": 0.0, "float32": 3.0, "float64": 6.0}[value_type] if 1e-3 <= value <= 1e7 else -4.0
    whole = int(value * 2.0 ** (mantissa - _exponent(value)))
    zeros = (whole & -whole).bit_length() - 1
    return common + min(zeros, mantissa - _ODD_BITS)


def _exponent(value: float) -> int:
    return int(value.hex().split("p")[1])

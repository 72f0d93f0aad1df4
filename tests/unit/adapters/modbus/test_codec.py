"""Decoding against struct, pymodbus and vectors made by hand; the decoder shares no code with any of them."""

import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from adapters.modbus.codec import Column, Decoder
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import WORDS, Order, Point, Table, ValueType
from gateway.model import GOOD, Reason, bad, uncertain

FORMATS = {
    "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q",
    "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip
ORDERS: list[Order] = ["big", "little"]
EXACT = 2**53


def integers(name: str) -> st.SearchStrategy[int]:
    width = int(name.lstrip("uint"))
    low, high = (0, 2**width - 1) if name.startswith("u") else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    return st.integers(max(low, -EXACT), min(high, EXACT))


def values_of(name: str) -> st.SearchStrategy[float]:
    if name.startswith("float"):
        return st.floats(width=int(name[5:]), allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    return integers(name)


def on_the_wire(value: float, name: str, word_order: Order, byte_order: Order) -> bytes:
    """A value as a device of this type and order sends it."""
    data = struct.pack(">" + FORMATS[name], value)
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if word_order == "little":
        words.reverse()
    return b"".join(word if byte_order == "big" else word[::-1] for word in words)


def holding(name: ValueType, address: int = 0, **extra: object) -> Point:
    return Point(f"p{address}", Table.HOLDING, address, name, **extra)  # type: ignore[arg-type]


def decode(points: Sequence[Point], image: bytes) -> Column:
    return Decoder(points, plan(points, Limits())).decode(image)


def one(point: Point, image: bytes) -> tuple[float, int]:
    column = decode([point], image)
    return column.value.item(0), column.quality.item(0)


@pytest.mark.parametrize("word_order", ORDERS)
@pytest.mark.parametrize("byte_order", ORDERS)
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_what_struct_packs_is_decoded_exactly(
    name: ValueType, byte_order: Order, word_order: Order, data: st.DataObject
) -> None:
    value = data.draw(values_of(name))
    point = holding(name, word_order=word_order, byte_order=byte_order)
    found, quality = one(point, on_the_wire(value, name, word_order, byte_order))
    assert (found, quality) == (value, GOOD)
    assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize("word_order", ORDERS)
@pytest.mark.parametrize("name", [n for n in FORMATS if n != "float16"])
@given(data=st.data())
def test_what_pymodbus_encodes_is_decoded_exactly(name: ValueType, word_order: Order, data: st.DataObject) -> None:
    value = data.draw(values_of(name))
    kind = ModbusClientMixin.DATATYPE[name.upper()]
    words = ModbusClientMixin.convert_to_registers(value, kind, word_order=word_order)
    image = b"".join(word.to_bytes(2, "big") for word in words)
    assert one(holding(name, word_order=word_order), image) == (value, GOOD)


@pytest.mark.parametrize(
    ("word_order", "byte_order", "image"),
    [
        ("big", "big", "42F6E979"),  # ABCD
        ("little", "big", "E97942F6"),  # CDAB
        ("big", "little", "F64279E9"),  # BADC
        ("little", "little", "79E9F642"),  # DCBA
    ],
)
def test_the_four_orders_of_a_float_by_hand(word_order: Order, byte_order: Order, image: str) -> None:
    point = holding("float32", word_order=word_order, byte_order=byte_order)
    assert one(point, bytes.fromhex(image)) == (123.45600128173828, GOOD)


@given(st.lists(st.tuples(st.sampled_from(sorted(FORMATS)), st.integers(0, 3)), min_size=1, max_size=30), st.data())
def test_mixed_points_with_holes_between_them_do_not_touch_each_other(
    layout: list[tuple[ValueType, int]], data: st.DataObject
) -> None:
    points: list[Point] = []
    expected: list[float] = []
    image, address = b"", 0
    for name, hole in layout:
        word_order, byte_order = data.draw(st.sampled_from(ORDERS)), data.draw(st.sampled_from(ORDERS))
        value = data.draw(values_of(name))
        address += hole if points else 0
        points.append(holding(name, address, word_order=word_order, byte_order=byte_order))
        image += b"\xa5\x5a" * (hole if len(points) > 1 else 0) + on_the_wire(value, name, word_order, byte_order)
        expected.append(value)
        address += WORDS[name]
    column = decode(points, image)
    assert column.value.tolist() == expected
    assert set(column.quality.tolist()) == {GOOD}


def test_bits_of_coils_come_least_significant_first() -> None:
    points = [Point(f"c{a}", Table.COIL, a, "bool") for a in (3, 4, 10, 12)]
    assert decode(points, bytes([0b0000_0010, 0b0000_0010])).value.tolist() == [0, 1, 0, 1]


@given(st.integers(0, 0xFFFF), st.sampled_from(ORDERS))
def test_every_bit_of_a_register_is_found(word: int, byte_order: Order) -> None:
    points = [Point(f"b{bit}", Table.INPUT, 7, "bool", byte_order=byte_order, bit=bit) for bit in range(16)]
    image = word.to_bytes(2, byte_order)
    assert decode(points, image).value.tolist() == [word >> bit & 1 for bit in range(16)]


def test_scale_and_offset_give_the_number_that_is_meant() -> None:
    assert one(holding("int32", scale=0.001), (3_436_618).to_bytes(4, "big")) == (3436.618, GOOD)
    assert one(holding("int16", scale=0.1, offset=-40.0), (655).to_bytes(2, "big")) == (25.5, GOOD)
    assert one(holding("uint16", scale=-2.5), (4).to_bytes(2, "big")) == (-10.0, GOOD)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_decimal_scales_round_once(raw: int, digits: int) -> None:
    assert one(holding("uint32", scale=float(f"1e-{digits}")), raw.to_bytes(4, "big"))[0] == float(f"{raw}e-{digits}")


@given(st.integers(-(2**15), 2**15 - 1), st.floats(5e-324, 1e300))
def test_any_scale_gives_the_product(raw: int, scale: float) -> None:
    found, _ = one(holding("int16", scale=scale), raw.to_bytes(2, "big", signed=True))
    assert found == pytest.approx(raw * scale, rel=1e-12)


@pytest.mark.parametrize(
    ("point", "image"),
    [
        (holding("int16", not_a_value=(-32768,)), "8000"),
        (holding("uint16", not_a_value=(0xFFFF, 0xFFFE), scale=0.1), "FFFE"),
        (holding("uint64", not_a_value=(2**64 - 1,), lossy=True), "FFFFFFFFFFFFFFFF"),
        (holding("float32", not_a_value=(-9999.0,)), "C61C3C00"),
    ],
)
def test_a_sentinel_is_bad_not_a_value(point: Point, image: str) -> None:
    value, quality = one(point, bytes.fromhex(image))
    assert quality == bad(Reason.NOT_A_VALUE)
    assert math.isnan(value)


def test_the_neighbour_of_a_sentinel_is_good() -> None:
    assert one(holding("uint64", not_a_value=(2**64 - 1,), lossy=True), b"\xff" * 7 + b"\xfe") == (float(2**64), GOOD)


@pytest.mark.parametrize("image", ["7FC00000", "7F800001", "7F800000", "FF800000", "FFFFFFFF"])
def test_nan_and_infinity_are_never_good(image: str) -> None:
    value, quality = one(holding("float32", scale=0.1), bytes.fromhex(image))
    assert quality == bad(Reason.NOT_A_NUMBER)
    assert math.isnan(value)


def test_a_number_that_overflows_by_its_scale_is_bad() -> None:
    assert one(holding("float64", scale=1e10), struct.pack(">d", 1e308))[1] == bad(Reason.NOT_A_NUMBER)


def test_huge_but_finite_numbers_are_good() -> None:
    assert one(holding("float64"), struct.pack(">d", 1.7e308)) == (1.7e308, GOOD)


@pytest.mark.parametrize(("name", "raw"), [("uint64", 2**53 + 1), ("int64", -(2**53) - 1), ("uint64", 2**64 - 1)])
def test_integers_that_a_float_cannot_hold_are_bad_unless_lossy(name: ValueType, raw: int) -> None:
    image = raw.to_bytes(8, "big", signed=raw < 0)
    assert one(holding(name), image)[1] == bad(Reason.OUT_OF_RANGE)
    assert one(holding(name, lossy=True), image) == (float(raw), GOOD)


def test_two_to_the_53_itself_is_exact() -> None:
    assert one(holding("int64"), (2**53).to_bytes(8, "big")) == (2.0**53, GOOD)


def test_an_enum_becomes_a_text_and_an_unknown_number_stays_visible() -> None:
    points = [holding("uint16", a, enum={0: "IDLE", 1: "EXECUTE"}) for a in range(3)]
    column = decode(points, bytes.fromhex("000100070000"))
    assert [column.texts[int(v)] for v in column.value] == ["EXECUTE", "7", "IDLE"]
    assert column.quality.tolist() == [GOOD, uncertain(Reason.OUT_OF_RANGE), GOOD]


def test_enums_of_floats_and_coils_are_texts_too() -> None:
    points = [Point("run", Table.COIL, 0, "bool", enum={1: "ON", 0: "OFF"}), holding("float32", enum={2: "SETUP"})]
    column = decode(points, b"\x01" + struct.pack(">f", 2.0))
    assert [column.texts[int(v)] for v in column.value] == ["ON", "SETUP"]


def test_points_that_no_read_brings_are_quarantined() -> None:
    points = [holding("uint16", 0), holding("uint16", 1)]
    column = Decoder(points, plan(points, Limits(), [1])).decode(b"\x00\x05")
    assert column.quality.tolist() == [bad(Reason.QUARANTINED), GOOD]
    assert column.value.item(1) == 5.0


@given(st.integers(0, 0xFFFF), st.sampled_from(ORDERS))
def test_each_byte_of_a_register_is_a_small_number_of_its_own(word: int, byte_order: Order) -> None:
    high, low = word >> 8, word & 0xFF
    points = [
        Point(f"{kind}{half}", Table.INPUT, 3, kind, byte=half, byte_order=byte_order)
        for kind in ("uint8", "int8")
        for half in ("high", "low")
    ]
    signed = [number - 256 if number > 127 else number for number in (high, low)]
    assert decode(points, word.to_bytes(2, byte_order)).value.tolist() == [high, low, *signed]


@pytest.mark.parametrize("word_order", ORDERS)
@pytest.mark.parametrize("byte_order", ORDERS)
@pytest.mark.parametrize("digits", [4, 8, 16])
@given(data=st.data())
def test_a_bcd_number_is_the_decimal_number_that_its_digits_show(
    digits: int, byte_order: Order, word_order: Order, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, min(10**digits - 1, EXACT)))
    words = [f"{number:0{digits}d}"[i : i + 4] for i in range(0, digits, 4)]
    words = words[::-1] if word_order == "little" else words
    image = b"".join(bytes.fromhex(word)[:: 1 if byte_order == "big" else -1] for word in words)
    kind: ValueType = f"bcd{4 * digits}"  # type: ignore[assignment]
    assert one(holding(kind, word_order=word_order, byte_order=byte_order), image) == (number, GOOD)


@pytest.mark.parametrize("image", ["000A", "A000", "FFFF", "09F9"])
def test_a_bcd_number_with_a_digit_above_nine_is_no_value(image: str) -> None:
    assert one(holding("bcd16"), bytes.fromhex(image))[1] == bad(Reason.NOT_A_VALUE)


def test_a_bcd_number_has_scale_and_sentinels_like_any_other() -> None:
    assert one(holding("bcd16", scale=0.1, not_a_value=(9999,)), bytes.fromhex("1234")) == (123.4, GOOD)
    assert one(holding("bcd16", scale=0.1, not_a_value=(9999,)), bytes.fromhex("9999"))[1] == bad(Reason.NOT_A_VALUE)
    assert one(holding("bcd64"), bytes.fromhex("9999999999999999"))[1] == bad(Reason.OUT_OF_RANGE)
    assert one(holding("bcd64", lossy=True), bytes.fromhex("9999999999999999")) == (1e16, GOOD)


def text_of(point: Point, image: bytes) -> str:
    column = decode([point], image)
    assert column.quality.item(0) == GOOD
    return column.texts[int(column.value.item(0))]


@pytest.mark.parametrize(
    ("extra", "image", "text"),
    [
        ({"length": 6}, b"PUMP-1", "PUMP-1"),
        ({"length": 8}, b"PUMP  \0\0", "PUMP"),
        ({"length": 8}, b"PU\0MPxyz", "PU"),  # what stands behind the first NUL is left from an older text
        ({"length": 5}, b"PUMP1?", "PUMP1"),
        ({"length": 4}, b"\0\0\0\0", ""),
        ({"length": 6, "byte_order": "little"}, b"UPPM1-", "PUMP-1"),
        ({"length": 6, "word_order": "little"}, b"-1MPPU", "PUMP-1"),
        ({"length": 6, "word_order": "little", "byte_order": "little"}, b"1-PMUP", "PUMP-1"),
        ({"length": 4, "padding": 0xFF, "encoding": "latin-1"}, b"AB\xff\xff", "AB"),
        ({"length": 4, "padding": ord("*")}, b"AB**", "AB"),
        ({"length": 3, "encoding": "latin-1"}, b"\xb0C!?", "°C!"),
        ({"length": 6, "encoding": "utf-8"}, "máy 1".encode(), "máy 1"),
        ({"length": 6, "encoding": "utf-16-be"}, b"\0A\0B\0\0", "AB"),
    ],
)
def test_a_string_is_read_in_every_order_and_encoding(extra: dict[str, object], image: bytes, text: str) -> None:
    assert text_of(holding("string", 0, **extra), image) == text


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20))
def test_a_string_that_pymodbus_encodes_is_read_back(text: str) -> None:
    words = ModbusClientMixin.convert_to_registers(text, ModbusClientMixin.DATATYPE.STRING)
    image = b"".join(word.to_bytes(2, "big") for word in words)
    assert text_of(holding("string", 0, length=len(image)), image) == text


@given(st.lists(st.booleans(), min_size=32, max_size=32))
def test_bits_that_pymodbus_encodes_are_read_back(bits: list[bool]) -> None:
    words = ModbusClientMixin.convert_to_registers(bits, ModbusClientMixin.DATATYPE.BITS)
    image = b"".join(word.to_bytes(2, "big") for word in words)
    # it packs them like coils, the first byte holding the first eight: in a register that is the order of swapped bytes
    points = [Point(f"b{i}", Table.HOLDING, i // 16, "bool", byte_order="little", bit=i % 16) for i in range(32)]
    assert decode(points, image).value.tolist() == bits


def test_a_string_that_is_not_in_its_encoding_is_bad_and_harms_no_other() -> None:
    points = [holding("string", 0, length=2), holding("string", 1, length=2), holding("uint16", 2)]
    column = decode(points, b"\xff\xfeOK\x00\x07")
    assert column.quality.tolist() == [bad(Reason.WRONG_TYPE), GOOD, GOOD]
    assert (column.texts[int(column.value.item(1))], column.value.item(2)) == ("OK", 7)


def drawn(name: str, data: st.DataObject) -> tuple[float | str, bytes]:
    """Some value of a type, and its registers."""
    if name == "string":
        text = data.draw(st.text("ABC", min_size=1, max_size=6))
        return text, text.encode().ljust(6, b"\0")
    if name == "bool":
        bit = data.draw(st.integers(0, 1))
        return bit, bytes([bit << 1 | 0xFD, 0xFF])
    if name == "bcd16":
        number = data.draw(st.integers(0, 9999))
        return number, bytes.fromhex(f"{number:04d}")
    if name == "int8":
        number = data.draw(st.integers(-128, 127))
        return number, b"\xa5" + struct.pack(">b", number)
    value = data.draw(values_of(name))
    return value, on_the_wire(value, name, "big", "big")


KINDS = ["bool", "uint16", "bcd16", "string", "int8", "float32", "uint64"]


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=20), st.data())
def test_texts_bits_and_numbers_side_by_side_do_not_touch_each_other(
    names: list[ValueType], data: st.DataObject
) -> None:
    points: list[Point] = []
    expected: list[float | str] = []
    image = b""
    for name in names:
        value, registers = drawn(name, data)
        points.append(holding(name, len(image) // 2, bit=9 if name == "bool" else 0, length=6 * (name == "string")))
        expected.append(value)
        image += registers
    column = decode(points, image)
    found = [column.texts[int(v)] if p.type == "string" else v for p, v in zip(points, column.value, strict=True)]
    assert found == expected


def test_a_failed_read_spoils_its_points_and_no_other() -> None:
    points = [holding("uint16", 0), holding("string", 40, length=2), holding("uint16", 80, enum={5: "FIVE"})]
    decoder = Decoder(points, plan(points, Limits(max_gap=0)))
    column = decoder.decode(b"\0\1" + bytes(2) + b"\0\5", {0: bad(Reason.TIMEOUT), 1: bad(Reason.DEVICE_EXCEPTION)})
    assert column.quality.tolist() == [bad(Reason.TIMEOUT), bad(Reason.DEVICE_EXCEPTION), GOOD]
    assert [column.texts[int(v)] for v in column.value if not math.isnan(v)] == ["FIVE"]


def test_a_decoder_gives_every_poll_a_column_of_its_own() -> None:
    decoder = Decoder([holding("uint16")], plan([holding("uint16")], Limits()))
    first, second = decoder.decode(b"\0\1"), decoder.decode(b"\0\2")
    assert (first.value.item(0), second.value.item(0)) == (1, 2)

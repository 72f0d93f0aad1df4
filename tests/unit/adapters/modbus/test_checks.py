"""What makes a decoded number unusable: scale registers, limits, steps of counters, sentinels of words."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.checks import Memory
from adapters.modbus.codec import Column, Decoder
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import Point, Table
from gateway.model import GOOD, Reason, bad


def point(name: str, address: int, kind: str = "uint16", **extra: object) -> Point:
    return Point(name, Table.HOLDING, address, kind, **extra)  # type: ignore[arg-type]


def decode(points: Sequence[Point], words: Sequence[int], memory: Memory | None = None) -> Column:
    """The column of points that stand one behind the other."""
    image = b"".join((word & 0xFFFF).to_bytes(2, "big") for word in words)
    return Decoder(points, plan(points, Limits()), memory).decode(image)


@given(st.integers(-32767, 32767), st.integers(-10, 10))
def test_a_scale_register_gives_the_decimal_number_that_is_meant(raw: int, exponent: int) -> None:
    points = [point("w", 0, "int16", scale_register="sf"), point("sf", 1, "int16")]
    assert decode(points, [raw, exponent]).value.tolist() == [float(f"{raw}e{exponent}"), exponent]


@given(st.integers(0, 65535), st.integers(-10, 10), st.sampled_from([0.001, 0.01, 0.1, 1.0, 10.0, 1000.0]))
def test_a_decimal_scale_beside_a_scale_register_is_rounded_once(raw: int, exponent: int, scale: float) -> None:
    points = [point("wh", 0, scale_register="sf", scale=scale), point("sf", 1, "int16")]
    assert decode(points, [raw, exponent]).value.item(0) == float(f"{raw}e{exponent + round(math.log10(scale))}")


@given(st.floats(1e-280, 1e280), st.integers(-10, 10))
def test_any_scale_beside_a_scale_register_does_no_harm(scale: float, exponent: int) -> None:
    points = [point("wh", 0, scale_register="sf", scale=scale), point("sf", 1, "int16")]
    found = decode(points, [3, exponent]).value.item(0)
    assert found == pytest.approx(3 * scale * 10.0**exponent, rel=1e-12)


@pytest.mark.parametrize("exponent", [0x8000, 11, -11, 0x7FFF])
def test_a_scale_register_that_holds_no_exponent_makes_its_users_bad(exponent: int) -> None:
    points = [point("w", 0, scale_register="sf"), point("sf", 1, "int16"), point("other", 2)]
    column = decode(points, [5, exponent, 7])
    assert (column.quality.item(0), column.quality.item(2)) == (bad(Reason.NOT_A_VALUE), GOOD)
    assert math.isnan(column.value.item(0))


def test_users_of_a_scale_register_are_bad_when_its_read_failed() -> None:
    points = [point("w", 0, scale_register="sf"), point("sf", 50, "int16")]
    decoder = Decoder(points, plan(points, Limits(max_gap=0)))
    assert decoder.decode(b"\0\5\0\1").value.tolist() == [50, 1]
    column = decoder.decode(b"\0\5\0\0", {1: bad(Reason.TIMEOUT)})
    assert column.quality.tolist() == [bad(Reason.TIMEOUT)] * 2


def test_users_of_a_quarantined_scale_register_are_bad() -> None:
    points = [point("w", 0, scale_register="sf"), point("sf", 1, "int16")]
    column = Decoder(points, plan(points, Limits(), [0])).decode(b"\0\5")
    assert column.quality.tolist() == [bad(Reason.QUARANTINED)] * 2


def test_a_scale_register_of_another_group_is_held_until_it_is_read_again() -> None:
    memory = Memory()
    fast, slow = [point("w", 0, scale_register="sf")], [point("sf", 1, "int16")]
    assert decode(fast, [5], memory).quality.tolist() == [bad(Reason.MISSING)]
    decode(slow, [2], memory)
    assert decode(fast, [5], memory).value.tolist() == [500]
    decode(slow, [-1], memory)
    assert decode(fast, [5], memory).value.tolist() == [0.5]


def test_a_sentinel_stays_a_sentinel_beside_a_scale_register() -> None:
    points = [point("w", 0, scale_register="sf", not_a_value=(0xFFFF,)), point("sf", 1, "int16")]
    assert decode(points, [0xFFFF, 0x8000]).quality.item(0) == bad(Reason.NOT_A_VALUE)


@pytest.mark.parametrize(
    ("raw", "is_good"), [(0, True), (1000, True), (1001, False), (-1, False), (-32768, False), (500, True)]
)
def test_values_beyond_their_limits_are_bad(raw: int, is_good: bool) -> None:
    column = decode([point("p", 0, "int16", scale=0.1, min=0.0, max=100.0), point("q", 1)], [raw, 9])
    assert column.quality.tolist() == [GOOD if is_good else bad(Reason.OUT_OF_RANGE), GOOD]
    assert column.value.tolist()[0] == raw / 10 if is_good else math.isnan(column.value.item(0))


def test_a_sentinel_beyond_the_limits_is_told_as_a_sentinel() -> None:
    found = decode([point("p", 0, not_a_value=(0xFFFF,), max=100.0)], [0xFFFF])
    assert found.quality.tolist() == [bad(Reason.NOT_A_VALUE)]


class Counted:
    """A counter, read again and again."""

    def __init__(self, **extra: object) -> None:
        self._points = [point("n", 0, "uint16", counter=True, **extra)]
        self._memory = Memory()

    def read(self, raw: int) -> float | None:
        """The value of a reading; None where it is bad out of range."""
        column = decode(self._points, [raw], self._memory)
        assert column.quality.item(0) in {GOOD, bad(Reason.OUT_OF_RANGE)}
        return column.value.item(0) if column.quality.item(0) == GOOD else None


def read(counter: Counted, raws: Sequence[int]) -> list[float | None]:
    return [counter.read(raw) for raw in raws]


def test_a_counter_that_jumps_once_is_bad_once() -> None:
    assert read(Counted(max_step=10), [100, 105, 60000, 106, 116]) == [100, 105, None, 106, 116]


def test_a_counter_that_stays_where_it_jumped_to_is_believed() -> None:
    assert read(Counted(max_step=10), [100, 5000, 5004, 5010]) == [100, None, 5004, 5010]
    assert read(Counted(max_step=10), [100, 0, 3, 4]) == [100, None, 3, 4]


def test_a_counter_that_jumps_to_and_fro_stays_bad() -> None:
    assert read(Counted(max_step=10), [100, 5000, 9000, 200, 101]) == [100, None, None, None, 101]


def test_a_counter_may_roll_over() -> None:
    assert read(Counted(max_step=10, modulus=65536), [65530, 3, 4]) == [65530, 3, 4]
    assert read(Counted(max_step=10, modulus=65536), [65530, 30, 31]) == [65530, None, 31]


def test_a_step_is_measured_in_the_unit_of_the_value() -> None:
    assert read(Counted(max_step=1.0, scale=0.1), [100, 110, 121, 122]) == [10, 11, None, 12.2]


def test_a_read_that_failed_leaves_a_counter_as_it_was() -> None:
    points, memory = [point("n", 0, counter=True, max_step=10.0)], Memory()
    decoder = Decoder(points, plan(points, Limits()), memory)
    decoder.decode(b"\0\x64")
    assert decoder.decode(b"\0\0", {0: bad(Reason.TIMEOUT)}).quality.tolist() == [bad(Reason.TIMEOUT)]
    assert decoder.decode(b"\0\x65").quality.tolist() == [GOOD]


def test_bits_of_a_word_that_says_it_has_no_value_mean_nothing() -> None:
    points = [
        point("events", 0, not_a_value=(0xFFFF,)),
        point("fault", 0, "bool", bit=1, word="events"),
        point("other", 1, "bool", bit=1),
    ]
    assert decode(points, [0xFFFF, 0xFFFF]).quality.tolist() == [bad(Reason.NOT_A_VALUE)] * 2 + [GOOD]
    assert decode(points, [0xFFFD, 0]).value.tolist() == [0xFFFD, 0, 0]

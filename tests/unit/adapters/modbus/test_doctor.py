"""The doctor of registers: the true meaning comes first, or among the first, and what it says decodes so."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.doctor import Guess, guesses


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def meaning(guess: Guess) -> tuple[str, str, str]:
    return guess.point.type, guess.point.word_order, guess.point.byte_order


@pytest.mark.parametrize(
    ("image", "value_type", "value"),
    [
        ("42C8 0000", "float32", 100.0),
        ("4366 0000", "float32", 230.0),
        ("4366 1F3B", "float32", pytest.approx(230.122, abs=1e-5)),
        ("4366 6666", "float32", pytest.approx(230.4, abs=1e-5)),  # printable, but no text
        ("0000 4366", "uint32", 17254),
        ("FFFF FFFB", "int32", -5),
        ("00E6", "uint16", 230),
        ("4059 0000 0000 0000", "float64", 100.0),
        ("0000 0000 0001 E240", "uint64", 123456),
        ("5344 4D36 3330 0000", "string", "SDM630"),
    ],
)
def test_plain_values_are_recognised(image: str, value_type: str, value: float | str) -> None:
    best = guesses(words(image))
    top = best[0].evidence
    assert (value_type, value) in [(g.point.type, g.value) for g in best if g.evidence == top]


@pytest.mark.parametrize(
    ("image", "expect", "found"),
    [
        ("42C8 0000", 100.0, ("float32", "big", "big")),
        ("0000 42C8", 100.0, ("float32", "little", "big")),
        ("C842 0000", 100.0, ("float32", "big", "little")),
        ("0000 C842", 100.0, ("float32", "little", "little")),
        ("FFFB FFFF", -5.0, ("int32", "little", "big")),
        ("1234", 1234.0, ("bcd16", "big", "big")),
        ("D204 0000", 1234.0, ("uint32", "little", "little")),
    ],
)
def test_an_expected_value_decides_the_order(image: str, expect: float, found: tuple[str, str, str]) -> None:
    matches = guesses(words(image), expect)
    assert found in [meaning(match) for match in matches[:4]]
    assert all(abs(match.value - expect) <= 0.05 * abs(expect) for match in matches)  # type: ignore[operator]


def test_an_expected_value_is_also_found_behind_a_scale() -> None:
    best = guesses(words("08FC"), 230.0)[0]
    assert (best.point.type, best.point.scale, best.value) == ("uint16", 0.1, 230.0)


def test_a_value_that_moved_meanwhile_is_still_found_and_ranked_behind_an_exact_one() -> None:
    image = words("0000 0000 08E5 0000 08FC")  # 227.7 at the third register, 230 at the fifth
    matches = [match for match in guesses(image, 230.0) if match.point.type == "uint16"]
    assert [(match.point.address, match.point.scale) for match in matches] == [(4, 0.1), (2, 0.1)]
    assert {match.point.end for match in guesses(image, 230.0, within=0.001)} == {5}


def test_nothing_near_the_expected_value_is_nothing_found() -> None:
    assert guesses(words("0001 0002"), 777.0) == []


def test_an_expected_text_is_found_in_either_byte_order() -> None:
    swapped = guesses(words("4453 364D 3033"), "sdm630")
    assert [(match.value, match.point.byte_order) for match in swapped] == [("SDM630", "little")]


def test_zero_is_expected_without_scales() -> None:
    matches = guesses([0, 0], 0.0)
    assert {match.point.scale for match in matches} == {1.0}
    assert len({(meaning(m), m.point.address, m.point.byte) for m in matches}) == len(matches)


INTEGERS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
FLOATS = {"float16": "e", "float32": "f", "float64": "d"}


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=6))
def test_every_meaning_is_what_the_registers_say(image: Sequence[int]) -> None:
    for guess in guesses(image):
        if (code := (INTEGERS | FLOATS).get(guess.point.type)) is not None:
            own = list(image[guess.point.address : guess.point.end])
            data = b"".join(word.to_bytes(2, guess.point.byte_order) for word in own)
            pairs = [data[at : at + 2] for at in range(0, len(data), 2)]
            ordered = b"".join(pairs if guess.point.word_order == "big" else pairs[::-1])
            assert float(struct.unpack(f">{code}", ordered)[0]) == guess.value


@given(st.floats(0.0078125, 1e6, width=32))
def test_a_float_of_a_plant_is_the_first_float_of_its_width(value: float) -> None:
    image = struct.unpack(">2H", struct.pack(">f", value))
    assert next(g for g in guesses(image) if meaning(g) == ("float32", "big", "big")).value == value

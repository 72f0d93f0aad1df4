"""Runs the examples of a profile: what `lineside check` and the tests hold it to."""

from math import isclose

from adapters.modbus.codec import Decoder
from adapters.modbus.plan import Block
from adapters.modbus.point import Point, Table
from adapters.modbus.profile import Image, Profile
from gateway.model import describe

_PRECISION = 1e-9  # examples are written with up to twelve digits


def check_examples(profile: Profile) -> list[str]:
    """What is wrong with a profile's examples, one sentence each; empty: every example holds."""
    problems: list[str] = []
    for number, example in enumerate(profile.examples):
        for name, expected in example.values.items():
            problem = _check(profile, example.image, name, expected)
            problems += [f"example {number + 1}: {name}: {problem}"] if problem else []
    return problems


def _check(profile: Profile, image: Image, name: str, expected: float | str | None) -> str:
    if name not in profile.points:
        return "there is no such point"
    point = profile.point(name)
    items = _items(image, point.table)
    missing = [address for address in range(point.address, point.end) if address not in items]
    if missing:
        return f"the image has no {point.table} {missing[0]}"
    found = decode_one(point, [items[address] for address in range(point.address, point.end)])
    same = found == expected
    if isinstance(found, float) and isinstance(expected, float | int):
        same = isclose(found, expected, rel_tol=_PRECISION, abs_tol=_PRECISION)
    return "" if same else f"is {_show(found)}, should be {_show(expected)}"


def decode_one(point: Point, items: list[int]) -> float | str | None:
    """The value of one point from its own registers (or its one bit); None where it is bad."""
    image = bytes(items) if point.table.is_bits else b"".join(item.to_bytes(2, "big") for item in items)
    column = Decoder([point], [Block(point.table, point.address, point.size, (0,))]).decode(image)
    if describe(column.quality.item(0)).startswith("bad"):
        return None
    value = column.value.item(0)
    return column.texts[int(value)] if column.texts else value


def _show(value: float | str | None) -> str:
    return "bad" if value is None else repr(value)


def _items(image: Image, table: Table) -> dict[int, int]:
    """Address → word or bit of one table of an image."""
    items: dict[int, int] = {}
    for first, words in image.get(table, {}).items():
        for distance, word in enumerate(words if isinstance(words, list) else [words]):
            items[first + distance] = word
    return items

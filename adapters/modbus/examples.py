"""Runs the examples of a profile: what `lineside check` and the tests hold it to."""

from collections.abc import Mapping, Sequence
from math import isclose

from adapters.modbus.codec import Decoder
from adapters.modbus.plan import Block
from adapters.modbus.point import Point, Table
from adapters.modbus.profile import Image, Profile
from gateway.model import TagType, describe

_PRECISION = 1e-9  # examples are written with up to twelve digits

Items = Mapping[Table, Mapping[int, int]]
"""Table → address → word or bit."""


def check_examples(profile: Profile) -> list[str]:
    """What is wrong with a profile's examples, one sentence each; empty: every example holds."""
    problems: list[str] = []
    for number, example in enumerate(profile.examples):
        items = _items(example.image)
        for name, expected in example.values.items():
            problem = _check(profile.resolved, items, name, expected)
            problems += [f"example {number + 1}: {name}: {problem}"] if problem else []
    return problems


def _check(points: Mapping[str, Point], items: Items, name: str, expected: float | str | None) -> str:
    if name not in points:
        return "there is no such point"
    needed = [points[other] for other in (name, points[name].scale_register) if other]
    for point in needed:
        missing = [address for address in range(point.address, point.end) if address not in items.get(point.table, {})]
        if missing:
            return f"the image has no {point.table} {missing[0]}"
    found = _decode(needed, items)
    same = found == expected
    if isinstance(found, float) and isinstance(expected, float | int):
        same = isclose(found, expected, rel_tol=_PRECISION, abs_tol=_PRECISION)
    return "" if same else f"is {_show(found)}, should be {_show(expected)}"


def _decode(points: Sequence[Point], items: Items) -> float | str | None:
    """The value of the first of some points, all of which are in `items`; None where it is bad."""
    blocks = [Block(point.table, point.address, point.size, (row,)) for row, point in enumerate(points)]
    image = b"".join(_data(block, items[block.table]) for block in blocks)
    column = Decoder(points, blocks).decode(image)
    if describe(column.quality.item(0)).startswith("bad"):
        return None
    value = column.value.item(0)
    return column.texts[int(value)] if points[0].tag_type is TagType.TEXT else value


def _data(block: Block, items: Mapping[int, int]) -> bytes:
    """What a device would answer to the read of one point."""
    words = [items[address] for address in range(block.address, block.address + block.count)]
    return bytes(words) if block.table.is_bits else b"".join(word.to_bytes(2, "big") for word in words)


def _show(value: float | str | None) -> str:
    return "bad" if value is None else repr(value)


def _items(image: Image) -> Items:
    """The words and bits of an image by their addresses."""
    items: dict[Table, dict[int, int]] = {}
    for table, runs in image.items():
        for first, words in runs.items():
            for distance, word in enumerate(words if isinstance(words, list) else [words]):
                items.setdefault(table, {})[first + distance] = word
    return items

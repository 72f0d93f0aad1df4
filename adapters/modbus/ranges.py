"""Address ranges as they are written: `{holding: ["100-119", 200]}`. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from adapters.modbus.point import Forbidden, Table


def parse_range(text: int | str) -> tuple[int, int]:
    """The first and the last address of `100-119` or `200`. ValueError: it is no range."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", str(text))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if not first <= last <= 0xFFFF:
        raise ValueError(f"{text!r} is not a range of addresses: write 100-119 or 200, at most 65535")
    return first, last


def _are_ranges(texts: list[int | str]) -> list[int | str]:
    for text in texts:
        parse_range(text)
    return texts


Ranges = dict[Table, Annotated[list[int | str], AfterValidator(_are_ranges)]]
"""Zero-based addresses by table; both ends of a range belong to it."""


def forbidden(ranges: Mapping[Table, list[int | str]]) -> tuple[Forbidden, ...]:
    """Ranges of a config as the planner takes them, in order."""
    return tuple(sorted(Forbidden(table, *parse_range(text)) for table, texts in ranges.items() for text in texts))

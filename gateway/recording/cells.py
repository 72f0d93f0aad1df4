"""Cells of a recording → values and qualities, and back. Pure."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.model import GOOD, Batch, Reason, TagType, bad, is_usable
from gateway.model.quality import BAD, UNCERTAIN
from gateway.recording.page import Wanted

_WORDS: Final = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0}
_LEVELS: Final = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD}
_REASONS: Final = {reason.name.lower().replace("_", " "): reason.value for reason in Reason}
_EXACT: Final = 2.0**53


def batch_of(
    wanted: Sequence[Wanted | None], time_ns: NDArray[np.int64], values: Sequence[str], quality: NDArray[np.uint8]
) -> Batch:
    """Readings from cells of text.

    Args:
        wanted: of each row; None: nobody wants it.
        time_ns: int64[n]; quality: uint8[n] as the recording has it.
        values: of each row, as written.
    """
    tags, numbers, kept, rows = [], [], [], []
    texts: dict[str, int] = {}
    for row, want in enumerate(wanted):
        if want is None:
            continue
        cell, code = values[row], GOOD
        if want.type is TagType.TEXT:
            number = float(texts.setdefault(cell, len(texts)))
        else:
            number, code = number_of(cell)
        tags.append(want.tag)
        numbers.append(number)
        kept.append(code)
        rows.append(row)
    given = quality[rows]
    found = np.array(kept, np.uint8)
    return Batch(
        np.array(tags, np.int32),
        time_ns[rows],
        np.array(numbers, np.float64),
        np.where(is_usable(found) | ~is_usable(given), given, found).astype(np.uint8),
        tuple(texts),
    )


def number_of(cell: str) -> tuple[float, int]:
    """A number and its quality; a cell without one is a bad reading with a reason."""
    try:
        number = float(cell)
    except ValueError:
        word = _WORDS.get(cell.strip().lower())
        if word is not None:
            return word, GOOD
        return 0.0, bad(Reason.WRONG_TYPE if cell.strip() else Reason.MISSING)
    return (number, GOOD) if isfinite(number) else (0.0, bad(Reason.NOT_A_NUMBER))


def guess(cells: Sequence[str]) -> TagType:
    """The narrowest type that all cells fit; empty cells fit any."""
    said = {cell.strip().lower() for cell in cells} - {""}
    if said and said <= _WORDS.keys():
        return TagType.BOOL
    if all(re.fullmatch(r"[+-]?\d{1,15}", cell) for cell in said):
        return TagType.INT if said else TagType.FLOAT
    return TagType.FLOAT if all(number_of(cell)[1] != bad(Reason.WRONG_TYPE) for cell in said) else TagType.TEXT


def widest(one: TagType, other: TagType) -> TagType:
    """A type that holds both."""
    if one is other:
        return one
    return TagType.TEXT if TagType.TEXT in {one, other} else TagType.FLOAT


def quality_of(cells: Sequence[str]) -> NDArray[np.uint8]:
    """Quality bytes of cells: empty is good; else a number, `good`, `uncertain`, `bad` or `bad: timeout`. uint8[n].

    Raises:
        ValueError: says what a quality looks like.
    """
    known = {cell: _quality(cell) for cell in set(cells)}
    return np.array([known[cell] for cell in cells], np.uint8)


def _quality(cell: str) -> int:
    text = cell.strip().lower()
    if not text:
        return GOOD
    if text.isdigit() and int(text) < 256:
        return int(text)
    level, _, reason = (part.strip() for part in text.partition(":"))
    if level not in _LEVELS or (reason and reason not in _REASONS):
        raise ValueError(f"{cell!r} is not a quality: write good, uncertain, bad, or bad: timeout")
    return _LEVELS[level] | _REASONS.get(reason, 0)


def values_as_text(batch: Batch, is_text: Mapping[int, bool]) -> list[str]:
    """The values of a batch as cells; an unusable reading without a value of its own has an empty one."""
    usable = is_usable(batch.quality).tolist()
    rows = zip(batch.tag.tolist(), batch.value.tolist(), usable, strict=True)
    return [("" if not ok else batch.text(value) if is_text[tag] else as_text(value)) for tag, value, ok in rows]


def as_text(value: float) -> str:
    """A number in the shortest form that gives it back."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)

"""Times as recordings write them → UTC ns. Pure."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_HOUR_NS: Final = 3_600_000_000_000
_MINUTE_NS: Final = 60_000_000_000
# a whole number is in the unit that puts it between 1973 and 5138
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))


class NotATime(ValueError):  # noqa: N818  # told with its line by whoever reads the file
    """A text is not a time; `row` says which of them."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(f"{text!r} is not a time: write 2026-03-02T06:00:00.250+07:00, or ms since 1970")
        self.row = row


def parse_times(texts: Sequence[str], zone: ZoneInfo) -> NDArray[np.int64]:
    """UTC ns of times as texts.

    Args:
        texts: ISO 8601 with or without an offset, or whole seconds, ms, µs or ns since 1970; all of one kind.
        zone: where times without an offset are from; an hour that is there twice is the first.
    Returns: int64[n].
    Raises: NotATime.
    """
    try:
        if texts and texts[0].isdigit():
            return from_numbers(np.array(list(map(int, texts)), np.int64))
        return _from_iso(texts, zone)
    except (ValueError, OverflowError) as exc:
        if len(texts) == 1:
            raise NotATime(0, texts[0]) from exc
    for row, text in enumerate(texts):
        try:
            parse_times([text], zone)
        except NotATime as exc:
            raise NotATime(row, text) from exc
    raise NotATime(0, texts[0])  # of two kinds: digits and dates


def from_numbers(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """UTC ns of seconds, ms, µs or ns since 1970: the first number's size tells."""
    if not len(numbers):
        return numbers
    factor = next((factor for below, factor in _UNITS if abs(int(numbers[0])) < below), 1)
    return numbers * np.int64(factor)


def in_zone(local_ns: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """UTC ns of local times, ns since 1970 as the clock on the wall shows them."""
    if zone.key == "UTC" or not len(local_ns):
        return local_ns
    hours, place = np.unique(local_ns // _HOUR_NS, return_inverse=True)
    starts = (hours * _HOUR_NS).astype("datetime64[ns]").astype("datetime64[s]").tolist()
    offsets = [zone.utcoffset(start) for start in starts]
    shift = np.array([round(offset.total_seconds()) * 10**9 if offset else 0 for offset in offsets], np.int64)
    return local_ns - shift[place]


def _from_iso(texts: Sequence[str], zone: ZoneInfo) -> NDArray[np.int64]:
    bodies, offsets = zip(*map(_cut, texts), strict=True) if texts else ((), ())
    stamps = np.array(bodies, "datetime64[ns]")
    if np.isnat(stamps).any():
        raise ValueError("no time")
    stamp_ns = stamps.astype(np.int64)
    kinds = set(offsets)
    if kinds == {None}:
        return in_zone(stamp_ns, zone)
    if None in kinds:
        local = np.array([offset is None for offset in offsets])
        stamp_ns[local] = in_zone(stamp_ns[local], zone)
    return stamp_ns - np.array([offset or 0 for offset in offsets], np.int64)


def _cut(text: str) -> tuple[str, int | None]:
    """A time without its offset, and the offset in ns."""
    if text[-1:] in {"Z", "z"}:
        return text[:-1], 0
    if len(text) > 16 and text[-3] == ":" and text[-6] in "+-":
        minutes = 60 * int(text[-5:-3]) + int(text[-2:])
        return text[:-6], (-minutes if text[-6] == "-" else minutes) * _MINUTE_NS
    return text, None

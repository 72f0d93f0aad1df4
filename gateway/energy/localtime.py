"""Local wall time of many moments at once: offsets, blocks of the clock, months. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class Offsets:
    """The offsets of a time zone over a range.

    start_ms   int64[k]  from when each counts
    offset_ms  int64[k]  local time minus UTC
    """

    start_ms: NDArray[np.int64]
    offset_ms: NDArray[np.int64]

    @staticmethod
    def of(zone: ZoneInfo, from_ms: int, to_ms: int) -> "Offsets":
        """Every change of the clock between two moments, found to the millisecond."""
        found = [(from_ms, _offset(zone, from_ms))]
        for start in range(from_ms, max(to_ms, from_ms + 1), _DAY_MS):
            low, high = start, min(start + _DAY_MS, to_ms)
            if _offset(zone, high) == found[-1][1]:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == found[-1][1] else (low, middle)
            found.append((high, _offset(zone, high)))
        starts, offsets = np.array(found, np.int64).T
        return Offsets(starts, offsets)

    def local(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """What clocks show, as ms since 1970 of wall time. int64[n] → int64[n]."""
        row = np.clip(np.searchsorted(self.start_ms, at_ms, "right") - 1, 0, None)
        shown: NDArray[np.int64] = at_ms + self.offset_ms[row]
        return shown

    def blocks(self, length_ms: int, from_ms: int, to_ms: int) -> NDArray[np.int64]:
        """int64[k]: the moments of [from, to] at which clocks show a multiple of a length after midnight."""
        ends = np.append(self.start_ms[1:], to_ms + 1)
        found = [
            np.arange(-(-(start + offset) // length_ms) * length_ms - offset, end, length_ms, dtype=np.int64)
            for start, end, offset in zip(self.start_ms.tolist(), ends.tolist(), self.offset_ms.tolist(), strict=True)
        ]
        every = np.concatenate(found)
        return every[(every >= from_ms) & (every <= to_ms)]


def month_span(text: str, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of a month in UTC ms. text: `2026-10`. ValueError: it is no month."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError as exc:
        raise ValueError(f"{text!r} is no month: write 2026-10") from exc
    return midnight_ms(first, zone), midnight_ms((first + timedelta(days=31)).replace(day=1), zone)


def is_month(span: tuple[int, int], zone: ZoneInfo) -> bool:
    """Whether a range is one whole month."""
    first = datetime.fromtimestamp(span[0] / 1000, UTC).astimezone(zone).date()
    return month_span(f"{first:%Y-%m}", zone) == span


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The moment at which a local date begins."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _offset(zone: ZoneInfo, at_ms: int) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)

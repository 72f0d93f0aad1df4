"""Daily means of a tag in the history, for degree days."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from gateway.energy.baseline.drivers import NoDriver
from gateway.history.file import NoHistory
from gateway.history.query import HistoryReader, UnknownTag

_HOURS: Final = 18
"""So many hours of a day must have readings."""
_HOUR_MS: Final = 3_600_000
_STEP_MS: Final = 900_000
"""The history's steps begin at multiples of their length: all time zones differ from UTC by whole quarters."""


def daily_means(history: HistoryReader, zone: ZoneInfo) -> Callable[[str, date], float | None]:
    """Tag, local date → mean of the means of its hours, None where fewer than 18 hours have readings.

    NoDriver (when called): there is no history, or no such tag in numbers.
    """

    @cache
    def mean(tag: str, day: date) -> float | None:
        start, end = (round(datetime.combine(at, time(), zone).timestamp() * 1000) for at in (day, day + timedelta(1)))
        try:
            found = history.series(tag, start, end, points=(end - start) // _STEP_MS)
        except (NoHistory, UnknownTag, ValueError) as exc:
            raise NoDriver(f"no mean of {tag!r}: {exc}") from exc
        hours, at = np.unique((found.time_ms - start) // _HOUR_MS, return_inverse=True)
        if len(hours) < _HOURS:
            return None
        return float((np.bincount(at, found.mean) / np.bincount(at)).mean())

    return mean

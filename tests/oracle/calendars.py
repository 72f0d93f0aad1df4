"""Planned time by the wall clock, worked out span by span with nothing but zoneinfo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

Clock = tuple[str, str]
"""Two wall times, `("22:00", "06:00")`; the second is on the next day where it is not later than the first."""


@dataclass(frozen=True)
class Rota:
    """When work is planned.

    shifts      none: around the clock on these weekdays (0 = Monday)
    exceptions  the shifts of single dates, whatever weekday or holiday; () for none, None for the usual ones
    upkeep      maintenance windows: weekday and wall time
    """

    zone: str = "UTC"
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    shifts: tuple[Clock, ...] = ()
    breaks: tuple[Clock, ...] = ()
    holidays: tuple[date, ...] = ()
    exceptions: Mapping[date, tuple[Clock, ...] | None] = field(default_factory=dict)
    upkeep: tuple[tuple[int, Clock], ...] = ()

    def planned(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Planned stretches of a range in UTC ms, in order."""
        work: list[tuple[int, int]] = []
        rest: list[tuple[int, int]] = []
        day = datetime.fromtimestamp(from_ms / 1000, UTC).date() - timedelta(days=3)
        while instant(self.zone, day, "00:00") < to_ms:
            work += [self.stretch(day, clock) for clock in self._work(day)]
            rest += [self.stretch(day, clock) for clock in self.breaks]
            day += timedelta(days=1)
        rest += self.maintenance(from_ms, to_ms)
        edges = sorted({from_ms, to_ms, *(edge for pair in work + rest for edge in pair if from_ms < edge < to_ms)})
        return [
            (a, b)
            for a, b in pairwise(edges)
            if any(s <= a < e for s, e in work) and not any(s <= a < e for s, e in rest)
        ]

    def _work(self, day: date) -> tuple[Clock, ...]:
        own = self.exceptions.get(day)
        if own is not None:
            return own
        if day not in self.exceptions and (day.weekday() not in self.weekdays or day in self.holidays):
            return ()
        return self.shifts or (("00:00", "00:00"),)

    def maintenance(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Maintenance windows that touch a range, in order."""
        found = []
        day = datetime.fromtimestamp(from_ms / 1000, UTC).date() - timedelta(days=3)
        while instant(self.zone, day, "00:00") < to_ms:
            found += [self.stretch(day, clock) for weekday, clock in self.upkeep if weekday == day.weekday()]
            day += timedelta(days=1)
        return sorted(found)

    def stretch(self, day: date, clock: Clock) -> tuple[int, int]:
        """One span of wall time that starts on a date."""
        last = day if clock[1] > clock[0] else day + timedelta(days=1)
        return instant(self.zone, day, clock[0]), instant(self.zone, last, clock[1])


def instant(zone: str, day: date, clock: str) -> int:
    """UTC ms at which clocks of a zone show a time of day."""
    hour, minute = (int(part) for part in clock.split(":"))
    if hour == 24:
        return instant(zone, day + timedelta(days=1), f"00:{minute:02d}")
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    return int(local.astimezone(UTC).timestamp()) * 1000

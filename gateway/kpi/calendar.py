"""Shift calendars: when an asset is meant to work, and to which shift and business day a moment belongs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.kpi.config import CalendarConfig, Span

_EVERY_DAY = frozenset(range(7))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift that took place: [start_ms, end_ms) UTC, under the local date on which it started."""

    name: str
    start_ms: int
    end_ms: int
    business_date: date


@dataclass(frozen=True, slots=True)
class Day:
    """One business day: [start_ms, end_ms) UTC; days follow each other without a gap."""

    business_date: date
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """When work is planned, in local wall time.

    shifts    name and span in minutes after local midnight, in order of start; none: planned all day
    days      weekdays (0 = Monday) on which shifts start
    """

    timezone: str
    days: frozenset[int] = _EVERY_DAY
    shifts: tuple[tuple[str, Span], ...] = ()
    breaks: tuple[Span, ...] = ()
    holidays: frozenset[date] = frozenset()

    @staticmethod
    def from_config(config: CalendarConfig, tz: str) -> "Calendar":
        """The calendar of a config section in the site's time zone."""
        shifts = sorted(config.shifts.items(), key=lambda item: item[1].start_min)
        return Calendar(tz, config.days, tuple(shifts), tuple(sorted(config.breaks)), frozenset(config.holidays))

    @staticmethod
    def always(tz: str) -> "Calendar":
        """All time is planned."""
        return Calendar(tz)

    def describe(self) -> dict[str, object]:
        """The calendar in JSON's types, for the model record."""
        return {
            "timezone": self.timezone,
            "days": sorted(self.days),
            "shifts": [[name, *span] for name, span in self.shifts],
            "breaks": [list(span) for span in self.breaks],
            "holidays": sorted(day.isoformat() for day in self.holidays),
        }

    def planned(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Planned time of a range as (start, end) UTC ms, in order, apart from each other."""
        found: list[tuple[int, int]] = []
        for day in self._dates(from_ms, to_ms):
            for start, end in _planned_of(self, day):
                _add_clipped(found, max(start, from_ms), min(end, to_ms))
        return found

    def shifts_in(self, from_ms: int, to_ms: int) -> list[Shift]:
        """Every shift that overlaps a range, whole, in order."""
        every = (shift for day in self._dates(from_ms, to_ms) for shift in _shifts_of(self, day))
        return [shift for shift in every if shift.start_ms < to_ms and shift.end_ms > from_ms]

    def shift_at(self, time_ms: int) -> Shift | None:
        """The shift at a moment, None between shifts."""
        return next(iter(self.shifts_in(time_ms, time_ms + 1)), None)

    def day_at(self, time_ms: int) -> Day:
        """The business day at a moment: a shift belongs to the local date of its start, other time to its own date."""
        local = self._date(time_ms)
        day = _day_of(self, local)
        return day if time_ms >= day.start_ms else _day_of(self, local - _DAY)

    def days_in(self, from_ms: int, to_ms: int) -> list[Day]:
        """Every business day that overlaps a range, whole, in order."""
        every = (_day_of(self, day) for day in self._dates(from_ms, to_ms))
        return [day for day in every if day.start_ms < to_ms and day.end_ms > from_ms]

    def business_date(self, time_ms: int) -> date:
        """The business date of a moment."""
        return self.day_at(time_ms).business_date

    def _date(self, time_ms: int) -> date:
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(_zone(self.timezone)).date()

    def _dates(self, from_ms: int, to_ms: int) -> list[date]:
        """The local dates of a range, with one before: its last shift may reach into the range."""
        first, last = self._date(from_ms) - _DAY, self._date(to_ms)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _add_clipped(found: list[tuple[int, int]], start: int, end: int) -> None:
    if end <= start:
        return
    if found and found[-1][1] == start:
        found[-1] = (found[-1][0], end)
    else:
        found.append((start, end))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _utc_ms(tz: str, day: date, minutes: int) -> int:
    """The instant at which local clocks show this many minutes after midnight (1440 = next midnight)."""
    naive = datetime(day.year, day.month, day.day, tzinfo=_zone(tz)) + timedelta(minutes=minutes)
    return round(naive.timestamp() * 1000)


@lru_cache(maxsize=4096)
def _shifts_of(calendar: Calendar, day: date) -> tuple[Shift, ...]:
    if day.weekday() not in calendar.days or day in calendar.holidays:
        return ()
    return tuple(
        Shift(name, _utc_ms(calendar.timezone, day, span.start_min), _utc_ms(calendar.timezone, day, span.end_min), day)
        for name, span in calendar.shifts
    )


@lru_cache(maxsize=4096)
def _planned_of(calendar: Calendar, day: date) -> tuple[tuple[int, int], ...]:
    """Planned spans that start on a business date, breaks taken out."""
    if day.weekday() not in calendar.days or day in calendar.holidays:
        return ()
    work = [(shift.start_ms, shift.end_ms) for shift in _shifts_of(calendar, day)]
    if not calendar.shifts:
        work = [(_utc_ms(calendar.timezone, day, 0), _utc_ms(calendar.timezone, day, 1440))]
    for offset in (-1440, 0, 1440):
        for span in calendar.breaks:
            start, end = (_utc_ms(calendar.timezone, day, offset + minute) for minute in span)
            work = [piece for whole in work for piece in _without(whole, start, end)]
    return tuple(work)


def _without(whole: tuple[int, int], start: int, end: int) -> list[tuple[int, int]]:
    pieces = [(whole[0], min(whole[1], start)), (max(whole[0], end), whole[1])]
    return [(a, b) for a, b in pieces if b > a] if start < whole[1] and end > whole[0] else [whole]


@lru_cache(maxsize=4096)
def _day_of(calendar: Calendar, day: date) -> Day:
    return Day(day, _day_start(calendar, day), _day_start(calendar, day + _DAY))


def _day_start(calendar: Calendar, day: date) -> int:
    """Local midnight, or the end of yesterday's last shift where that reaches over it."""
    midnight = _utc_ms(calendar.timezone, day, 0)
    return max([midnight, *(shift.end_ms for shift in _shifts_of(calendar, day - _DAY))])

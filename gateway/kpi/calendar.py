"""Shift calendars: when an asset is meant to work, and to which shift and business day a moment belongs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gateway.kpi.calendar_config import CalendarConfig, ExceptionConfig, MaintenanceConfig
from gateway.walltime import Span

Spans = tuple[tuple[int, int], ...]
"""(start, end) UTC ms."""
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


class Plan(NamedTuple):
    """How a date is worked: name and span of its shifts in order of start, and the breaks in them."""

    shifts: tuple[tuple[str, Span], ...]
    breaks: tuple[Span, ...]
    is_whole_day: bool = False  # without shifts, but planned from midnight to midnight


class Window(NamedTuple):
    """Planned maintenance, every week on `days`, or on `day` alone."""

    span: Span
    days: frozenset[int] = frozenset()
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """When work is planned, in local wall time.

    days           weekdays (0 = Monday) on which shifts start
    shifts         name and span in minutes after local midnight, in order of start; none: planned all day
    exceptions     dates that are worked otherwise, in order
    maintenance    windows that are kept free of work
    day_start_min  minutes after midnight at which a business day begins; a shift that begins before it belongs to the
                   date before. 0: at midnight
    """

    timezone: str
    days: frozenset[int] = _EVERY_DAY
    shifts: tuple[tuple[str, Span], ...] = ()
    breaks: tuple[Span, ...] = ()
    holidays: frozenset[date] = frozenset()
    exceptions: tuple[tuple[date, Plan], ...] = ()
    maintenance_windows: tuple[Window, ...] = ()
    day_start_min: int = 0

    @staticmethod
    def from_config(config: CalendarConfig, tz: str) -> "Calendar":
        """The calendar of a config section in the site's time zone."""
        usual = Plan(_sorted(config.shifts), tuple(sorted(config.breaks)), not config.shifts)
        return Calendar(
            tz,
            config.days,
            usual.shifts,
            usual.breaks,
            frozenset(config.holidays),
            tuple((day, _exception(config.exceptions[day], usual)) for day in sorted(config.exceptions)),
            tuple(sorted(map(_window, config.maintenance), key=repr)),
            config.day_start or 0,
        )

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
            "exceptions": [
                [day.isoformat(), [[name, *span] for name, span in plan.shifts], list(map(list, plan.breaks)), whole]
                for day, plan in self.exceptions
                for whole in [plan.is_whole_day]
            ],
            "maintenance": [
                [*window.span, sorted(window.days), window.day.isoformat() if window.day else None]
                for window in self.maintenance_windows
            ],
            "day_start_min": self.day_start_min,
        }

    @staticmethod
    def described(found: Mapping[str, Any]) -> "Calendar":
        """The calendar that `describe` wrote."""
        return Calendar(
            found["timezone"],
            frozenset(found["days"]),
            _spans(found["shifts"]),
            tuple(Span(*span) for span in found["breaks"]),
            frozenset(map(date.fromisoformat, found["holidays"])),
            tuple(
                (date.fromisoformat(day), Plan(_spans(shifts), tuple(Span(*span) for span in breaks), whole))
                for day, shifts, breaks, whole in found["exceptions"]
            ),
            tuple(
                Window(Span(start, end), frozenset(days), date.fromisoformat(day) if day else None)
                for start, end, days, day in found["maintenance"]
            ),
            found["day_start_min"],
        )

    def planned(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Planned time of a range as (start, end) UTC ms, in order, apart from each other."""
        return self._clipped(_planned_of, from_ms, to_ms)

    def maintenance(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """Planned maintenance of a range as (start, end) UTC ms, in order, apart from each other: no planned time."""
        return self._clipped(_maintenance_of, from_ms, to_ms)

    def _clipped(
        self, spans_of: Callable[["Calendar", date], Spans], from_ms: int, to_ms: int
    ) -> list[tuple[int, int]]:
        every = (span for day in self._dates(from_ms, to_ms) for span in spans_of(self, day))
        inside = ((max(start, from_ms), min(end, to_ms)) for start, end in every)
        return _united((start, end) for start, end in inside if start < end)

    def plan_of(self, day: date) -> Plan:
        """How a date is worked."""
        for exception, plan in self.exceptions:
            if exception == day:
                return plan
        if day.weekday() not in self.days or day in self.holidays:
            return Plan((), ())
        return Plan(self.shifts, self.breaks, not self.shifts)

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
        day = self.day_of(local)
        return day if time_ms >= day.start_ms else self.day_of(local - _DAY)

    def day_of(self, day: date) -> Day:
        """The business day of a date."""
        return _day_of(self, day)

    def days_in(self, from_ms: int, to_ms: int) -> list[Day]:
        """Every business day that overlaps a range, whole, in order."""
        every = (self.day_of(day) for day in self._dates(from_ms, to_ms))
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


def _sorted(shifts: Mapping[str, Span]) -> tuple[tuple[str, Span], ...]:
    return tuple(sorted(shifts.items(), key=lambda item: item[1].start_min))


def _spans(shifts: Iterable[tuple[str, int, int]]) -> tuple[tuple[str, Span], ...]:
    return tuple((name, Span(start, end)) for name, start, end in shifts)


def _exception(config: ExceptionConfig, usual: Plan) -> Plan:
    breaks = usual.breaks if config.breaks is None else tuple(sorted(config.breaks))
    if config.shifts is None:
        return usual._replace(breaks=breaks)
    return Plan(_sorted(config.shifts), breaks)


def _window(config: MaintenanceConfig) -> Window:
    return Window(config.at, config.days or frozenset(), config.on)


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order; those that touch or overlap are one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _utc_ms(tz: str, day: date, minutes: int) -> int:
    """The instant at which local clocks show this many minutes after midnight (1440 = next midnight)."""
    naive = datetime(day.year, day.month, day.day, tzinfo=_zone(tz)) + timedelta(minutes=minutes)
    return round(naive.timestamp() * 1000)


@lru_cache(maxsize=4096)
def _shifts_of(calendar: Calendar, day: date) -> tuple[Shift, ...]:
    """The shifts that start on a local date; each begins no earlier than the one before it has ended."""
    found = []
    floor_ms = max((end for _, end in _raw_shifts(calendar, day - _DAY)), default=-(2**62))
    for (name, span), (start, end) in zip(calendar.plan_of(day).shifts, _raw_shifts(calendar, day), strict=True):
        business = day if span.start_min >= calendar.day_start_min else day - _DAY
        if end > floor_ms:
            found.append(Shift(name, max(start, floor_ms), end, business))
    return tuple(found)


def _raw_shifts(calendar: Calendar, day: date) -> Spans:
    tz = calendar.timezone
    return tuple((_utc_ms(tz, day, a), _utc_ms(tz, day, b)) for _, (a, b) in calendar.plan_of(day).shifts)


@lru_cache(maxsize=4096)
def _planned_of(calendar: Calendar, day: date) -> Spans:
    """Planned spans that start on a local date, breaks and maintenance taken out."""
    plan, tz = calendar.plan_of(day), calendar.timezone
    work = [(shift.start_ms, shift.end_ms) for shift in _shifts_of(calendar, day)]
    if plan.is_whole_day:
        work = [(_utc_ms(tz, day, 0), _utc_ms(tz, day, 1440))]
    free = [
        (_utc_ms(tz, day, offset + start), _utc_ms(tz, day, offset + end))
        for offset in (-1440, 0, 1440)
        for start, end in plan.breaks
    ]
    free += [span for near in (day - _DAY, day, day + _DAY) for span in _maintenance_of(calendar, near)]
    for start, end in free:
        work = [piece for whole in work for piece in _without(whole, start, end)]
    return tuple(work)


@lru_cache(maxsize=4096)
def _maintenance_of(calendar: Calendar, day: date) -> Spans:
    """Windows of maintenance that start on a local date."""
    return tuple(
        (_utc_ms(calendar.timezone, day, span.start_min), _utc_ms(calendar.timezone, day, span.end_min))
        for span, days, only in calendar.maintenance_windows
        if only == day or (only is None and day.weekday() in days)
    )


def _without(whole: tuple[int, int], start: int, end: int) -> list[tuple[int, int]]:
    pieces = [(whole[0], min(whole[1], start)), (max(whole[0], end), whole[1])]
    return [(a, b) for a, b in pieces if b > a] if start < whole[1] and end > whole[0] else [whole]


@lru_cache(maxsize=4096)
def _day_of(calendar: Calendar, day: date) -> Day:
    return Day(day, _day_start(calendar, day), _day_start(calendar, day + _DAY))


def _day_start(calendar: Calendar, day: date) -> int:
    """The start of a business day: `day_start`, or the end of yesterday's last shift where that reaches over it."""
    start = _utc_ms(calendar.timezone, day, calendar.day_start_min)
    before = (*_shifts_of(calendar, day - _DAY), *_shifts_of(calendar, day))
    return max([start, *(shift.end_ms for shift in before if shift.business_date == day - _DAY)])

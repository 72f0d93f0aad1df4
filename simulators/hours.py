"""When a plant is planned to work: the edges of shifts and breaks as moments in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from simulators.plant_models import DAYS, CalendarSpec

FAR_MS = 1 << 62
"""Later than everything: the next edge of who always works."""
_NEVER_ENDS_MS = 400 * 86_400_000  # shifts around the clock on all days, with no holiday in a year


@dataclass(frozen=True, slots=True)
class Hours:
    """The working time of a calendar; without one, always."""

    calendar: CalendarSpec | None
    zone: ZoneInfo

    def edges(self, from_ms: int) -> Iterator[tuple[int, bool]]:
        """Whether it is working time from `from_ms` on, then every change of that, in order and without end."""
        if self.calendar is None:
            yield from_ms, True
            yield FAR_MS, True
            return
        spans = self._merged(from_ms)
        begin, end = next(span for span in spans if span[1] > from_ms)
        yield from_ms, begin <= from_ms
        while True:
            if begin > from_ms:
                yield begin, True
            yield end, False
            begin, end = next(spans)

    def _merged(self, from_ms: int) -> Iterator[tuple[int, int]]:
        """Working spans in order, those that touch made one."""
        begin = end = 0
        for start, stop in self._spans(from_ms):
            if start > end:
                if end:
                    yield begin, end
                begin = start
            end = max(end, stop)
            if end - begin > _NEVER_ENDS_MS:
                yield begin, FAR_MS
                return

    def _spans(self, from_ms: int) -> Iterator[tuple[int, int]]:
        """The pieces of each day's shifts between breaks, from the day before on."""
        day = datetime.fromtimestamp(from_ms / 1000, self.zone).date() - timedelta(days=1)
        while day.year < 9000:
            if self._works(day):
                yield from self._day(day)
            day += timedelta(days=1)

    def _day(self, day: date) -> list[tuple[int, int]]:
        assert self.calendar
        breaks = [self._span(day + timedelta(days=offset), text) for offset in (0, 1) for text in self.calendar.breaks]
        pieces = [self._span(day, shift) for shift in self.calendar.shifts.values()]
        for pause in breaks:
            pieces = [piece for whole in pieces for piece in _without(whole, pause)]
        return sorted(pieces)

    def _works(self, day: date) -> bool:
        assert self.calendar
        first, last = (DAYS.index(name) for name in self.calendar.days.split("-"))
        number = day.weekday()
        inside = first <= number <= last if first <= last else number >= first or number <= last
        return inside and day not in self.calendar.holidays

    def _span(self, day: date, text: str) -> tuple[int, int]:
        """`22:00-06:00` of a day in epoch ms; an end that is not later is on the next day."""
        begin, end = (time.fromisoformat(clock) for clock in text.split("-"))
        return self._ms(day, begin), self._ms(day if end > begin else day + timedelta(days=1), end)

    def _ms(self, day: date, clock: time) -> int:
        return round(datetime.combine(day, clock, self.zone).timestamp() * 1000)


def _without(span: tuple[int, int], pause: tuple[int, int]) -> list[tuple[int, int]]:
    begin, end = span
    left, right = min(max(pause[0], begin), end), min(max(pause[1], begin), end)
    return [piece for piece in ((begin, left), (right, end)) if piece[0] < piece[1]]

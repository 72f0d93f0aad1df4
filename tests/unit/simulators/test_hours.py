from datetime import date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from simulators.hours import FAR_MS, Hours
from simulators.plant_models import CalendarSpec

SAIGON, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
TWO_SHIFTS = {"day": "06:00-14:00", "evening": "14:00-22:00"}


def ms(text: str, zone: ZoneInfo = SAIGON) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def edges(calendar: CalendarSpec, start: str, count: int, zone: ZoneInfo = SAIGON) -> list[tuple[str, bool]]:
    found = islice(Hours(calendar, zone).edges(ms(start, zone)), count)
    return [(datetime.fromtimestamp(at_ms / 1000, zone).strftime("%a %H:%M"), works) for at_ms, works in found]


def test_shifts_that_touch_are_one_span_and_breaks_cut_it() -> None:
    calendar = CalendarSpec(days="mon-sat", shifts=TWO_SHIFTS, breaks=["10:00-10:15", "18:00-18:15"])
    assert edges(calendar, "2026-03-07T09:00", 8) == [
        ("Sat 09:00", True),
        ("Sat 10:00", False),
        ("Sat 10:15", True),
        ("Sat 18:00", False),
        ("Sat 18:15", True),
        ("Sat 22:00", False),
        ("Mon 06:00", True),
        ("Mon 10:00", False),
    ]


def test_a_night_shift_ends_on_the_next_day_with_its_break() -> None:
    calendar = CalendarSpec(days="mon-fri", shifts={"night": "22:00-06:00"}, breaks=["02:00-02:30"])
    assert edges(calendar, "2026-03-06T23:00", 5) == [
        ("Fri 23:00", True),
        ("Sat 02:00", False),
        ("Sat 02:30", True),
        ("Sat 06:00", False),
        ("Mon 22:00", True),
    ]


def test_before_work_begins_and_on_a_holiday_nothing_is_planned() -> None:
    calendar = CalendarSpec(shifts={"day": "06:00-14:00"}, holidays=[date(2026, 3, 3)])
    assert edges(calendar, "2026-03-02T15:00", 3) == [
        ("Mon 15:00", False),
        ("Wed 06:00", True),
        ("Wed 14:00", False),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 8), ("2026-03-29", 7), ("2026-10-25", 9)])
def test_a_night_of_changing_clocks_is_as_long_as_it_is(day: str, hours: int) -> None:
    before = date.fromisoformat(day).toordinal() - 1
    calendar = CalendarSpec(shifts={"night": "22:00-06:00"})
    start = ms(f"{date.fromordinal(before)}T22:00", BERLIN)
    (_, _), (end, _) = islice(Hours(calendar, BERLIN).edges(start), 2)
    assert end - start == hours * 3_600_000


@pytest.mark.parametrize(
    "calendar",
    [None, CalendarSpec(shifts={"a": "06:00-18:00", "b": "18:00-06:00"}), CalendarSpec(shifts={"a": "00:00-00:00"})],
)
def test_work_around_the_clock_never_ends(calendar: CalendarSpec | None) -> None:
    start = ms("2026-03-02T07:00")
    assert list(islice(Hours(calendar, SAIGON).edges(start), 2))[1][0] == FAR_MS
    assert next(Hours(calendar, SAIGON).edges(start)) == (start, True)

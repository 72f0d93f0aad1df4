import json
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.kpi.calendar import Calendar, Shift
from gateway.kpi.calendar_config import CalendarConfig

HOUR = 3_600_000
HANOI = "Asia/Ho_Chi_Minh"
BERLIN = "Europe/Berlin"
THREE_SHIFTS = {"day": "06:00-14:00", "evening": "14:00-22:00", "night": "22:00-06:00"}


def calendar(tz: str = HANOI, **settings: object) -> Calendar:
    return Calendar.from_config(CalendarConfig.model_validate(settings), tz)


def at(text: str, tz: str = HANOI) -> int:
    """UTC ms of a local time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1000)


def hours(spans: list[tuple[int, int]]) -> float:
    return sum(end - start for start, end in spans) / HOUR


def test_tv29_a_shift_over_midnight_belongs_to_the_date_on_which_it_started() -> None:
    shift = calendar(shifts=THREE_SHIFTS).shift_at(at("2026-01-01T03:00"))
    assert shift is not None
    assert (shift.name, shift.business_date) == ("night", date(2025, 12, 31))
    assert (shift.start_ms, shift.end_ms) == (at("2025-12-31T22:00"), at("2026-01-01T06:00"))
    assert shift.end_ms - shift.start_ms == 8 * HOUR


@pytest.mark.parametrize(("night", "length"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8)])
def test_tv29_a_night_shift_has_seven_hours_in_spring_and_nine_in_autumn(night: str, length: int) -> None:
    found = calendar(BERLIN, shifts=THREE_SHIFTS)
    shift = found.shift_at(at(f"{night}T23:00", BERLIN))
    assert shift is not None
    assert shift.end_ms - shift.start_ms == length * HOUR
    assert hours(found.planned(shift.start_ms, shift.end_ms)) == length


def test_without_shifts_all_time_of_the_days_is_planned() -> None:
    always = Calendar.always(HANOI)
    assert always.planned(at("2026-05-01T10:00"), at("2026-05-09T10:00")) == [
        (at("2026-05-01T10:00"), at("2026-05-09T10:00"))
    ]
    assert always.shift_at(at("2026-05-01T10:00")) is None
    weekdays = calendar(days="mon-sat")
    assert hours(weekdays.planned(at("2026-05-04T00:00"), at("2026-05-11T00:00"))) == 6 * 24


def test_breaks_are_taken_out_of_the_shifts_even_after_midnight() -> None:
    found = calendar(days="mon", shifts=THREE_SHIFTS, breaks=["10:00-10:15", "02:00-02:30"])
    monday, tuesday = "2026-05-04", "2026-05-05"
    assert found.planned(at(f"{monday}T00:00"), at("2026-05-11T00:00")) == [
        (at(f"{monday}T06:00"), at(f"{monday}T10:00")),
        (at(f"{monday}T10:15"), at(f"{tuesday}T02:00")),
        (at(f"{tuesday}T02:30"), at(f"{tuesday}T06:00")),
    ]


def test_a_break_over_midnight_is_taken_out_on_both_sides() -> None:
    found = calendar(shifts={"night": "22:00-06:00"}, breaks=["23:45-00:15"])
    assert found.planned(at("2026-05-04T20:00"), at("2026-05-05T07:00")) == [
        (at("2026-05-04T22:00"), at("2026-05-04T23:45")),
        (at("2026-05-05T00:15"), at("2026-05-05T06:00")),
    ]


def test_a_break_that_began_yesterday_is_taken_out_of_today() -> None:
    found = calendar(days="mon", breaks=["23:45-00:15"])
    assert found.planned(at("2026-05-03T20:00"), at("2026-05-05T07:00")) == [
        (at("2026-05-04T00:15"), at("2026-05-04T23:45"))
    ]


def test_shifts_that_start_on_a_holiday_are_not_planned() -> None:
    found = calendar(shifts=THREE_SHIFTS, holidays=["2026-05-01"])
    assert found.planned(at("2026-05-01T00:00"), at("2026-05-02T08:00")) == [
        (at("2026-05-01T00:00"), at("2026-05-01T06:00")),  # the night before goes on
        (at("2026-05-02T06:00"), at("2026-05-02T08:00")),
    ]
    assert found.shift_at(at("2026-05-01T12:00")) is None


def test_a_business_day_begins_when_the_last_shift_of_the_day_before_ends() -> None:
    found = calendar(days="mon-sat", shifts=THREE_SHIFTS)
    assert found.business_date(at("2026-05-05T05:59")) == date(2026, 5, 4)
    assert found.business_date(at("2026-05-05T06:00")) == date(2026, 5, 5)
    assert found.business_date(at("2026-05-10T05:00")) == date(2026, 5, 9)  # Sunday, still Saturday's night
    assert found.business_date(at("2026-05-11T05:00")) == date(2026, 5, 11)  # no shift: the local date


def test_business_days_follow_each_other_without_a_gap_over_changes_of_the_clock() -> None:
    found = calendar(BERLIN, days="mon-fri", shifts=THREE_SHIFTS)
    days = found.days_in(at("2026-03-20T00:00", BERLIN), at("2026-04-02T00:00", BERLIN))
    assert all(one.end_ms == following.start_ms for one, following in pairwise(days))
    assert [(two.business_date - one.business_date).days for one, two in pairwise(days)] == [1] * (len(days) - 1)


def test_local_days_have_23_and_25_hours_when_the_clock_changes() -> None:
    berlin = Calendar.always(BERLIN)
    spring, autumn = (berlin.day_at(at(f"{day}T12:00", BERLIN)) for day in ("2026-03-29", "2026-10-25"))
    assert [(day.end_ms - day.start_ms) / HOUR for day in (spring, autumn)] == [23, 25]


def test_shifts_of_a_range_are_whole_and_in_order() -> None:
    found = calendar(shifts=THREE_SHIFTS).shifts_in(at("2026-05-04T05:00"), at("2026-05-04T14:00"))
    assert [(shift.name, shift.business_date.day) for shift in found] == [("night", 3), ("day", 4)]
    assert found[0].start_ms == at("2026-05-03T22:00")


def test_a_date_may_be_worked_otherwise_than_its_weekday() -> None:
    found = calendar(
        days="mon-fri",
        shifts={"day": "06:00-14:00", "night": "22:00-06:00"},
        breaks=["10:00-10:15"],
        holidays=["2026-12-24", "2026-12-25"],
        exceptions={
            "2026-12-23": {"breaks": []},
            "2026-12-24": {"shifts": {"short": "07:00-11:00"}},
            "2026-12-25": "off",
            "2026-12-26": "on",
        },
    )
    assert found.planned(at("2026-12-23T06:00"), at("2026-12-28T00:00")) == [
        (at("2026-12-23T06:00"), at("2026-12-23T14:00")),  # no break
        (at("2026-12-23T22:00"), at("2026-12-24T06:00")),
        (at("2026-12-24T07:00"), at("2026-12-24T10:00")),  # a holiday that is worked, with the usual break
        (at("2026-12-24T10:15"), at("2026-12-24T11:00")),
        (at("2026-12-26T06:00"), at("2026-12-26T10:00")),  # a Saturday that is worked as a weekday
        (at("2026-12-26T10:15"), at("2026-12-26T14:00")),
        (at("2026-12-26T22:00"), at("2026-12-27T06:00")),
    ]
    assert found.shift_at(at("2026-12-24T08:00")) == Shift(
        "short", at("2026-12-24T07:00"), at("2026-12-24T11:00"), date(2026, 12, 24)
    )


def test_a_shift_of_an_exception_begins_when_the_night_before_it_is_over() -> None:
    found = calendar(shifts={"night": "22:00-06:00"}, exceptions={"2026-05-05": {"shifts": {"early": "04:00-12:00"}}})
    shifts = found.shifts_in(at("2026-05-05T01:00"), at("2026-05-05T13:00"))
    assert [(shift.name, shift.start_ms, shift.end_ms) for shift in shifts] == [
        ("night", at("2026-05-04T22:00"), at("2026-05-05T06:00")),
        ("early", at("2026-05-05T06:00"), at("2026-05-05T12:00")),
    ]


def test_planned_maintenance_is_no_planned_time_every_week_or_once() -> None:
    found = calendar(
        days="mon-sat",
        shifts=THREE_SHIFTS,
        maintenance=[{"days": "sat", "at": "12:00-16:00"}, {"on": "2026-05-05", "at": "23:00-01:00"}],
    )
    windows = found.maintenance(at("2026-05-04T00:00"), at("2026-05-18T00:00"))
    assert windows == [
        (at("2026-05-05T23:00"), at("2026-05-06T01:00")),
        (at("2026-05-09T12:00"), at("2026-05-09T16:00")),
        (at("2026-05-16T12:00"), at("2026-05-16T16:00")),
    ]
    planned = found.planned(at("2026-05-04T00:00"), at("2026-05-18T00:00"))
    assert all(end <= a or start >= b for start, end in planned for a, b in windows)
    assert hours(planned) == 12 * 24 - 2 - 4 - 4


def test_maintenance_that_began_before_midnight_keeps_the_next_shift_waiting() -> None:
    found = calendar(shifts={"early": "00:00-08:00"}, maintenance=[{"days": "mon", "at": "22:00-02:00"}])
    assert found.planned(at("2026-05-05T00:00"), at("2026-05-05T12:00")) == [
        (at("2026-05-05T02:00"), at("2026-05-05T08:00"))
    ]
    assert found.maintenance(at("2026-05-05T00:00"), at("2026-05-05T12:00")) == [
        (at("2026-05-05T00:00"), at("2026-05-05T02:00"))
    ]


def test_the_day_begins_at_day_start_for_shifts_and_for_the_time_between_them() -> None:
    found = calendar(days="mon-fri", shifts={"day": "06:30-14:00", "night": "22:00-04:00"}, day_start="06:00")
    assert found.business_date(at("2026-05-05T05:59")) == date(2026, 5, 4)
    assert found.business_date(at("2026-05-05T06:00")) == date(2026, 5, 5)
    assert found.business_date(at("2026-05-10T03:00")) == date(2026, 5, 9)  # a Sunday without work
    early = calendar(shifts={"first": "02:00-10:00"}, day_start="06:00")
    shift = early.shift_at(at("2026-05-05T03:00"))
    assert shift is not None
    assert shift.business_date == date(2026, 5, 4)  # it begins before the day does
    assert early.business_date(at("2026-05-05T09:59")) == date(2026, 5, 4)
    assert early.business_date(at("2026-05-05T10:00")) == date(2026, 5, 5)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_days_that_begin_at_six_have_23_and_25_hours_too(day: str) -> None:
    found = calendar(BERLIN, day_start="06:00")
    lengths = [
        (one.end_ms - one.start_ms) / HOUR
        for one in found.days_in(at(f"{day}T00:00", BERLIN), at(f"{day}T12:00", BERLIN))
    ]
    assert lengths == ([23, 24] if day == "2026-03-29" else [25, 24])


def test_a_calendar_survives_its_record() -> None:
    for found in _EVERY:
        assert Calendar.described(json.loads(json.dumps(found.describe()))) == found
    assert len({json.dumps(found.describe()) for found in _EVERY}) == len(_EVERY)


_YEAR = st.integers(at("2026-01-01T00:00"), at("2027-01-01T00:00"))
_EVERY = [
    Calendar.always(BERLIN),
    calendar(days="mon-sat", shifts=THREE_SHIFTS, breaks=["10:00-10:15", "23:50-00:10"]),
    calendar(BERLIN, shifts={"late": "20:00-04:00"}, breaks=["02:15-02:45"], holidays=["2026-03-28"]),
    calendar("America/New_York", days="mon-fri", shifts={"all": "06:00-06:00"}),
    calendar(BERLIN, days="mon-fri", shifts=THREE_SHIFTS, day_start="05:00", exceptions={"2026-03-29": "on"}),
    calendar(
        "America/New_York",
        shifts={"early": "03:00-11:00", "late": "20:00-03:00"},
        day_start="06:00",
        maintenance=[{"days": "sat", "at": "23:00-05:00"}, {"on": "2026-07-04", "at": "00:00-24:00"}],
        exceptions={"2026-11-01": {"shifts": {"odd": "01:30-09:00"}}, "2026-03-08": "off"},
    ),
]
_CALENDARS = st.sampled_from(_EVERY)


@given(_CALENDARS, _YEAR, st.integers(0, 96 * HOUR), st.integers(0, 96 * HOUR))
def test_planned_time_of_two_ranges_is_that_of_both_together(
    found: Calendar, start: int, first: int, second: int
) -> None:
    middle, end = start + first, start + first + second
    whole = found.planned(start, end)
    assert hours(found.planned(start, middle)) + hours(found.planned(middle, end)) == pytest.approx(hours(whole))
    assert all(one[1] < following[0] for one, following in pairwise(whole))
    assert all(start <= a < b <= end for a, b in whole)


@given(_CALENDARS, _YEAR)
def test_planned_time_lies_in_the_shift_and_day_that_the_calendar_names(found: Calendar, moment: int) -> None:
    day, shift = found.day_at(moment), found.shift_at(moment)
    assert day.start_ms <= moment < day.end_ms
    if shift is not None:
        assert shift.start_ms <= moment < shift.end_ms
        assert shift.business_date == day.business_date
    elif found.shifts:
        assert found.planned(moment, moment + 1) == []
    else:
        assert (
            datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(found.timezone)).date() == day.business_date
        )


@pytest.mark.parametrize(
    "settings", [{"breaks": ["02:15-02:15"]}, {"exceptions": {"2026-12-24": {"breaks": ["0:00-24:00"]}}}]
)
def test_a_break_never_lasts_all_day(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="would last all day"):
        CalendarConfig.model_validate(settings)

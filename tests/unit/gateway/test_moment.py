"""Moments as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.moment import milliseconds, parse_moment, show_moment

HANOI, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")
NOW = milliseconds(datetime(2026, 11, 22, 1, 30, tzinfo=UTC))  # 08:30 in Hanoi


def utc(*parts: int) -> int:
    return milliseconds(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("06:00", utc(2026, 11, 21, 23, 0)),
        ("6:00", utc(2026, 11, 21, 23, 0)),
        ("06:00:01.250", utc(2026, 11, 21, 23, 0, 1, 250_000)),
        ("2026-11-20", utc(2026, 11, 19, 17, 0)),
        ("2026-11-20 14:00", utc(2026, 11, 20, 7, 0)),
        ("2026-11-20T14:00:30", utc(2026, 11, 20, 7, 0, 30)),
        ("2026-11-20T14:00Z", utc(2026, 11, 20, 14, 0)),
        ("2026-11-20T14:00+02:00", utc(2026, 11, 20, 12, 0)),
    ],
)
def test_a_moment_is_the_sites_wall_time_unless_it_has_an_offset(text: str, expected: int) -> None:
    assert parse_moment(text, HANOI, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2026-13-01", "06:00-14:00"])
def test_what_is_no_moment_is_refused_with_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 2026-11-22T06:00"):
        parse_moment(text, HANOI, NOW)


def test_a_wall_time_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        parse_moment("2026-03-29T02:30", BERLIN, NOW)


def test_a_wall_time_that_exists_twice_needs_its_offset() -> None:
    with pytest.raises(ValueError, match=r"twice on that day in Europe/Berlin: write its offset, \+02:00 or \+01:00"):
        parse_moment("2026-10-25T02:30", BERLIN, NOW)
    assert parse_moment("2026-10-25T02:30+01:00", BERLIN, NOW) == utc(2026, 10, 25, 1, 30)


@pytest.mark.parametrize("zone", [HANOI, BERLIN])
def test_what_is_shown_can_be_written(zone: ZoneInfo) -> None:
    for moment in (NOW, NOW + 7, utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)):
        assert parse_moment(show_moment(moment, zone), zone, NOW) == moment

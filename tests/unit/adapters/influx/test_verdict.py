"""What a store's words mean."""

import pytest

from adapters.influx.http import Reply
from adapters.influx.prepare import retention_ns
from adapters.influx.verdict import Verdict, hold_s, judge, refused_all

HOUR_NS = 3600 * 10**9
NOON = 1_780_056_000_000_000_000  # 2026-05-29 12:00 UTC


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("86400", 600),
        ("Fri, 29 May 2026 12:01:00 GMT", 60),
        ("Fri, 29 May 2026 11:00:00 GMT", 0),
        ("Fri, 29 May 2099 12:00:00 GMT", 600),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after_is_honoured_up_to_ten_minutes(header: str, seconds: float) -> None:
    assert hold_s({"Retry-After": header}, NOON) == seconds


def test_a_store_that_asks_for_no_pause_gets_none() -> None:
    assert hold_s({}, NOON) == 0


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(204, Verdict.STORED), (400, Verdict.POISONED), (422, Verdict.POISONED), (413, Verdict.TOO_LARGE)],
)
def test_a_status_has_one_meaning(status: int, verdict: Verdict) -> None:
    assert judge(Reply(status, {}, b"")) is verdict


def test_a_reply_is_quoted_without_its_wrapping() -> None:
    assert Reply(400, {}, b'{"error":"partial  write:\\n x"}').text == "partial write: x"
    assert Reply(422, {}, b'{"code":"x","message":"no"}').text == "no"
    assert Reply(502, {}, b"<html>Bad \xff gateway").text == "<html>Bad � gateway"
    assert len(Reply(400, {}, b"x" * 10_000).text) == 500


CONFLICT = "partial write: field type conflict: input field v on x is type integer, already exists as float dropped=3"
TOO_OLD = "partial write: points beyond retention policy dropped=3"


@pytest.mark.parametrize(
    ("text", "lines", "rows", "all_refused"),
    [
        (CONFLICT, 3, 3, True),
        (CONFLICT, 3, 9, False),  # six other fields stand on the refused lines
        (CONFLICT, 5, 5, False),
        (TOO_OLD, 3, 9, True),
        ("unable to parse", 3, 3, False),
    ],
)
def test_a_search_is_spared_only_where_the_store_refused_every_row(
    text: str, lines: int, rows: int, all_refused: bool
) -> None:
    assert refused_all(text, lines, rows) is all_refused


@pytest.mark.parametrize(
    ("flag", "hours"), [("1", 744), ("12h", 12), ("30d", 720), ("2w", 336), ("100y", 876_000), ("", None), ("x", None)]
)
def test_the_retention_flag_of_victoriametrics_is_understood(flag: str, hours: int | None) -> None:
    assert retention_ns(flag) == (None if hours is None else hours * HOUR_NS)

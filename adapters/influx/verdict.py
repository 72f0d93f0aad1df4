"""What a store's answer to a write means; pure."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from adapters.influx.http import Reply
from gateway.ports import NotConnected

LONGEST_HOLD_S: Final = 600.0
_DROPPED: Final = re.compile(r"\bdropped=(\d+)")
_ADVICE: Final[Mapping[int, str]] = {
    401: "the login is not accepted: check the token, or username and password",
    403: "the login may not write there: give it the permission",
    404: "there is no such database, bucket or path",
    429: "it asks for fewer writes",
}


class Verdict(Enum):
    """What to do with the rows of a write."""

    STORED = "stored"
    POISONED = "poisoned"
    TOO_LARGE = "too large"


def judge(reply: Reply) -> Verdict:
    """What became of the rows of a write.

    Only 204 means stored: InfluxDB 1 answers 200 to writes that it did not complete, and so does a proxy's login page.
    POISONED: at least one row will never be accepted. NotConnected: all are to be written again later.
    """
    if reply.status == 204:
        return Verdict.STORED
    if reply.status in {400, 422}:
        return Verdict.POISONED
    if reply.status == 413:
        return Verdict.TOO_LARGE
    raise NotConnected(complaint(reply))


def complaint(reply: Reply) -> str:
    """An unwelcome answer in words that say what to do."""
    if 300 <= reply.status < 400:
        return f"redirected to {reply.headers.get('Location', 'nowhere')}: write the final address in `url`"
    advice = _ADVICE.get(reply.status, "")
    return ": ".join(part for part in (f"answered {reply.status}", advice, reply.text) if part)


def refused_all(text: str, lines: int, rows: int) -> bool:
    """Whether a partial-write message says that each of the rows was refused, so that no search is needed.

    lines, rows: what the write held; where they are equal each row had its own line. Points beyond the retention
    policy are refused by time, which all rows of a line share.
    """
    found = _DROPPED.search(text)
    return found is not None and int(found[1]) == lines and (lines == rows or "retention policy" in text)


def hold_s(headers: Mapping[str, str], now_ns: int) -> float:
    """Seconds that `Retry-After` asks us to wait, 0 without one, at most ten minutes.

    Source: RFC 9110 §10.2.3, seconds or a date.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_HOLD_S)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, aware.timestamp() - now_ns / 1e9), LONGEST_HOLD_S)

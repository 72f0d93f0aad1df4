"""Moments as people write them: local to the site, or with an offset."""

import re
from datetime import UTC, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

_HOW: Final = "write 2026-11-22T06:00, 06:00 (today), now, or a time with an offset: 2026-11-22T06:00+07:00"


def parse_moment(text: str, zone: ZoneInfo, now_ms: int) -> int:
    """A moment in ms since 1970.

    Args:
        text: ISO 8601; without an offset the site's wall time; a date alone is its midnight, a time alone today's.
    Raises: ValueError: it is no moment, or its wall time does not exist or exists twice on that day.
    """
    cleaned = text.strip()
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    if cleaned == "now":
        return now_ms
    try:
        if re.fullmatch(r"\d\d?:\d\d(:\d\d(\.\d+)?)?", cleaned):
            found = datetime.combine(now.date(), time.fromisoformat(cleaned.rjust(5, "0")))
        else:
            found = datetime.fromisoformat(cleaned)
    except ValueError as exc:
        raise ValueError(f"{text!r} is no time: {_HOW}") from exc
    return milliseconds(found if found.tzinfo else _local(found, zone))


def show_moment(time_ms: int, zone: ZoneInfo) -> str:
    """A moment as the site's clock shows it, with its offset."""
    found = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
    return found.isoformat(" ", "milliseconds" if time_ms % 1000 else "seconds")


def milliseconds(moment: datetime) -> int:
    """ms since 1970, without the rounding of floats."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _local(wall: datetime, zone: ZoneInfo) -> datetime:
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        raise ValueError(f"{wall} does not exist in {zone.key}: the clock is put forward over it")
    offsets = " or ".join(one.isoformat(timespec="minutes")[-6:] for one in (first, second))
    raise ValueError(f"{wall} is twice on that day in {zone.key}: write its offset, {offsets}")

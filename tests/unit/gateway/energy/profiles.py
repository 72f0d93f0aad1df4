"""Profiles for tests: minutes and quarters with what is known of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from gateway.energy.profile import Profile

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60_000
QUARTER = 900_000
HOUR = 3_600_000
KWH = 1_000_000


def at(text: str, zone: ZoneInfo = HANOI) -> int:
    """A local moment in ms; the first of two that look alike."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC).timestamp() * 1000)


def profile(from_ms: int, mwh: Sequence[int | None], step_ms: int = MINUTE) -> Profile:
    """Intervals of one length; None: not measured."""
    edges = from_ms + step_ms * np.arange(len(mwh) + 1, dtype=np.int64)
    known = np.array([one is not None for one in mwh], np.bool_)
    return Profile(edges, np.array([one or 0 for one in mwh], np.int64), known)


def even(from_ms: int, to_ms: int, kw: float, step_ms: int = QUARTER) -> Profile:
    """The same power all the time."""
    return profile(from_ms, [round(kw * KWH * step_ms / HOUR)] * ((to_ms - from_ms) // step_ms), step_ms)

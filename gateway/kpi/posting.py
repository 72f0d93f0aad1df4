"""Writing an owner's minutes: what differs from the stored ones is stored, rolled up and published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.calendar import Calendar
from gateway.kpi.publisher import Change, Publisher
from gateway.kpi.rollup import refresh
from gateway.kpi.split import Split
from gateway.kpi.store import Progress, Row, Store

Span = tuple[int, int]
"""from_ms, to_ms."""
LATE: Final = "late facts"
_AUDITED: Final = ("shift", "day")


@dataclass(frozen=True, slots=True)
class Post:
    """New numbers of an owner.

    rows      minute → quantities, with the hash of the model that they come from
    progress  as it is after this
    final_ms  before this, minutes were final until now
    splits    minute → slices; None: the owner has none
    cause     why minutes that were there already may change
    """

    owner: str
    calendar: Calendar
    rows: Mapping[int, tuple[Row, str]]
    progress: Progress
    final_ms: int = 0
    splits: Mapping[int, Split] | None = None
    cause: str = LATE


def post(store: Store, publisher: Publisher, new: Post) -> list[int]:
    """Stores, rolls up and publishes what changed; returns the minutes that did."""
    changes: list[tuple[Change, str]] = []
    for first, last in runs(sorted(new.rows)):
        known = store.minutes(new.owner, first, last)
        for minute in range(first, last + 1):
            row, model = new.rows[minute]
            old, revision = known.get(minute, (None, -1))
            if row != old:
                start = minute * MINUTE_MS
                day = new.calendar.business_date(start)
                changes.append((Change(new.owner, "minute", start, day, revision + 1, old, row), model))
        if new.splits is not None:
            _split(store, new, {n: new.splits.get(n, ()) for n in range(first, last + 1)})
    store.put_minutes(
        new.owner,
        [(c.start_ms // MINUTE_MS, c.new, c.revision, c.start_ms < new.progress.final_ms, m) for c, m in changes],
    )
    minutes = [change.start_ms // MINUTE_MS for change, _ in changes]
    spans = [(first * MINUTE_MS, (last + 1) * MINUTE_MS) for first, last in runs(minutes)]
    for change, _ in changes:
        publisher.publish(store, change)
    for change, end_ms in refresh(store, new.owner, new.calendar, spans, new.progress.closed_ms):
        publisher.publish(store, change)
        if change.revision and change.window in _AUDITED and end_ms <= new.final_ms:
            _reopened(store, new, change, end_ms)
    return minutes


def _reopened(store: Store, new: Post, change: Change, end_ms: int) -> None:
    """A shift or day that was final changed: that leaves a trace."""
    what = {"window": change.window, "date": change.business_date.isoformat(), "revision": change.revision}
    detail = json.dumps(what | {"from_ms": change.start_ms, "to_ms": end_ms})
    store.add_audit(new.progress.horizon_ms, "reopened", new.owner, new.cause, detail)


def _split(store: Store, new: Post, split: Mapping[int, Split]) -> None:
    """Stores the slices that differ, and brings their days up to date."""
    known = store.splits.of(new.owner, min(split), max(split))
    changed = {minute: parts for minute, parts in split.items() if parts != known.get(minute, ())}
    store.splits.replace(new.owner, changed)
    days: dict[date, dict[int, Split]] = {}
    for minute, parts in changed.items():
        days.setdefault(new.calendar.business_date(minute * MINUTE_MS), {})[minute] = parts
    for day, minutes in days.items():
        if known.keys() & minutes.keys():
            whole = new.calendar.day_of(day)
            first, last = whole.start_ms // MINUTE_MS, whole.end_ms // MINUTE_MS - 1
            store.splits.sum_day(new.owner, day.isoformat(), first, last)
        else:
            store.splits.add_to_day(new.owner, day.isoformat(), minutes)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each unbroken run in ascending numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def minute_of(time_ms: int) -> int:
    """The start of the minute that a moment lies in, ms."""
    return time_ms // MINUTE_MS * MINUTE_MS


def whole_minutes(spans: Sequence[Span], from_ms: int, to_ms: int) -> list[Span]:
    """The minutes that some closed ranges touch, inside [from, to), as few ranges in order."""
    cut = sorted((max(minute_of(a), from_ms), min(minute_of(b) + MINUTE_MS, to_ms)) for a, b in spans)
    found: list[Span] = []
    for start, end in cut:
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found

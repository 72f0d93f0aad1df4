"""Writing an owner's minutes: what differs from the stored ones is stored, rolled up and published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.calendar import Calendar
from gateway.kpi.publisher import Change, Publisher
from gateway.kpi.rollup import refresh
from gateway.kpi.store import Progress, Row, Store

Span = tuple[int, int]
"""from_ms, to_ms."""


@dataclass(frozen=True, slots=True)
class Post:
    """New numbers of an owner. rows: minute → quantities, with the hash of the model that they come from."""

    owner: str
    calendar: Calendar
    rows: Mapping[int, tuple[Row, str]]
    progress: Progress  # as it is after this


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
    final_ms = new.progress.final_ms
    store.put_minutes(
        new.owner,
        [(c.start_ms // MINUTE_MS, c.new, c.revision, c.start_ms < final_ms, model) for c, model in changes],
    )
    minutes = [change.start_ms // MINUTE_MS for change, _ in changes]
    spans = [(first * MINUTE_MS, (last + 1) * MINUTE_MS) for first, last in runs(minutes)]
    for change, _ in changes:
        publisher.publish(store, change)
    for change in refresh(store, new.owner, new.calendar, spans, new.progress.closed_ms):
        publisher.publish(store, change)
    return minutes


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

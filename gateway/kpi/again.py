"""Minutes that are computed again because somebody asks for it: audited, and done by the commits that follow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.closing import AssetBook
from gateway.kpi.facts import FOREVER_MS
from gateway.kpi.model import ModelHistory, dump
from gateway.kpi.posting import Span, minute_of, whole_minutes
from gateway.kpi.store import Store
from gateway.model import TagTable


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for it and when; current: with today's models, otherwise with those recorded for the time."""

    current: bool
    by: str
    at_ms: int


def ask(store: Store, books: Mapping[str, AssetBook], tags: TagTable, span: Span, asked: Asked) -> int:
    """Has the stored minutes of a range computed again; returns how many these are.

    Today's models, where these are asked for, are from now on the recorded ones of the range.

    Raises ValueError: the facts of the range are forgotten.
    """
    spans = {name: stored for name, book in books.items() if (stored := _stored(book, *span))}
    later: dict[str, tuple[Span, ...]] = {}
    histories: dict[str, ModelHistory] = {}
    for name, stored in spans.items():
        book = books[name]
        both = [(start, end - 1) for start, end in (*book.later, stored)]
        later[name] = tuple(whole_minutes(both, -FOREVER_MS, FOREVER_MS))
        histories[name] = book.history.with_current(*stored) if asked.current else book.history
    with store.transaction():
        for name, (from_ms, to_ms) in spans.items():
            if asked.current:
                store.replace_models(name, _records(histories[name], tags))
            what = {"from_ms": from_ms, "to_ms": to_ms, "model": "current" if asked.current else "recorded"}
            store.add_audit(asked.at_ms, "recompute", name, asked.by, json.dumps(what))
        store.put_later({name: (spans, asked.by) for name, spans in later.items()})
    for name, minutes in later.items():
        book = books[name]
        book.history, book.later, book.asked_by, book.behind = histories[name], minutes, asked.by, True
    return sum(end - start for start, end in spans.values()) // MINUTE_MS


def _stored(book: AssetBook, from_ms: int, to_ms: int) -> Span | None:
    """The minutes of a range that an asset has. ValueError: they can no longer be computed."""
    progress = book.progress
    if progress is None:
        return None
    start, end = max(minute_of(from_ms), minute_of(progress.first_ms)), min(to_ms, progress.closed_ms)
    if start < end and start < progress.sealed_ms:
        since = datetime.fromtimestamp(progress.sealed_ms / 1000, UTC)
        raise ValueError(f"{book.model.name}: its facts are kept since {since:%Y-%m-%d %H:%M} UTC only: begin there")
    return (start, minute_of(end + MINUTE_MS - 1)) if start < end else None


def _records(history: ModelHistory, tags: TagTable) -> list[tuple[int, str, str]]:
    return [(start, model.hash, dump(model, tags)) for start, model in zip(history.starts, history.models, strict=True)]

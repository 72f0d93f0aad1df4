"""One asset in the worker: which minutes new facts change, and the numbers of those minutes."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.kpi.asset import FACT_ROLES, AssetModel, TimeClass, number_text
from gateway.kpi.book import Column, Derived, Span, derive
from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.model import History
from gateway.kpi.posting import minute_of, whole_minutes
from gateway.kpi.segments import POLLS_HELD, PROOF_GAP_MS, Segments, settled
from gateway.kpi.store import Progress, Row, SegmentRow, Store

_log = logging.getLogger("lineside.kpi")
SETTLE_MS: Final = 5000
_TAIL_MS: Final = 4 * MINUTE_MS
_PIECE_MS: Final = 6 * 3_600_000  # bounds the memory that one step of a long recomputation takes
_STOPS: Final = tuple(one.label for one in (TimeClass.IDLE, TimeClass.FAULT, TimeClass.BLOCKED, TimeClass.STARVED))


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things stay, and when a minute is final. Facts and minutes age by the asset's own newest fact."""

    lateness_ms: int = 900_000
    facts_ms: int = 35 * 86_400_000
    minutes_ms: int = 90 * 86_400_000


@dataclass(frozen=True, slots=True)
class Closed:
    """What a commit does to an asset. It counts once the transaction is through."""

    progress: Progress
    rows: Mapping[int, tuple[Row, str]]
    settled_ms: int


@dataclass(slots=True)
class AssetBook:
    """An asset's models, facts and progress.

    sessions    session tag id → presence of that source, shared with other assets
    settled_ms  results before this do not change merely because time goes on
    """

    history: History
    columns: dict[str, Column]
    sessions: dict[int, Column]
    progress: Progress | None = None
    settled_ms: int = -FOREVER_MS
    dropped: int = 0

    @staticmethod
    def open(history: History, sessions: dict[int, Column], progress: Progress | None) -> "AssetBook":
        """The book of an asset as kpi.db left it."""
        model = history.current
        roles = {role for one in history.models for role in one.bindings if role in FACT_ROLES}
        columns: dict[str, Column] = {role: Column(model.name, role) for role in FACT_ROLES if role in roles}
        longest = max((binding.hold.period_ms for binding in model.bindings.values()), default=0)
        settled_ms = progress.horizon_ms - max(PROOF_GAP_MS, POLLS_HELD * longest) if progress else -FOREVER_MS
        return AssetBook(history, columns, sessions, progress, settled_ms)

    @property
    def model(self) -> AssetModel:
        """The model that is valid now."""
        return self.history.current

    @property
    def settle_ms(self) -> int:
        """How long after its end a minute waits for readings that are on their way."""
        holds = [binding.hold for binding in self.model.bindings.values()]
        waits = [POLLS_HELD * hold.period_ms if hold.polled else SETTLE_MS for hold in holds]
        return min(SETTLE_MS, max(waits, default=0))

    def absorb(self, role: str, series: Series) -> None:
        """Takes new facts in. Those from before the sealed time are too late: their minutes are fixed."""
        if self.progress and len(series) and series.time_ms[0] < self.progress.sealed_ms:
            kept = series.at(np.flatnonzero(series.time_ms >= self.progress.sealed_ms))
            if not self.dropped:
                _log.warning("%s: readings older than the facts that are kept are ignored", self.model.name)
            self.dropped += len(series) - len(kept)
            series = kept
        if len(series):
            self.columns[role].absorb(series)

    def close(self, store: Store, presence_ms: int | None, limits: Limits) -> Closed | None:
        """The numbers of every minute that may have changed and of those that can be closed now. None: no facts yet."""
        before = self.now()
        if before is None:
            return None
        fresh = [series for column in self.columns.values() for series in column.fresh]
        first_ms = min([before.first_ms, *(int(series.time_ms[0]) for series in fresh)])
        newest_ms = max([before.newest_ms, *(int(series.time_ms[-1]) for series in fresh)])
        horizon_ms = max(before.horizon_ms, newest_ms if presence_ms is None else presence_ms)
        closed_ms = max(before.closed_ms, minute_of(horizon_ms - self.settle_ms))
        self._load(store, before)
        spans = [(before.closed_ms, closed_ms - 1), (self.settled_ms, closed_ms - 1), *self._dirty(store, before)]
        if first_ms < before.first_ms:
            spans.append((first_ms, before.first_ms))
        rows: dict[int, tuple[Row, str]] = {}
        for span in whole_minutes(spans, max(first_ms, before.sealed_ms), closed_ms):
            rows |= self._rows(store, span, horizon_ms)
        near = {role: column.tail for role, column in self.columns.items()}
        settled_ms = settled(self.model, near, {tag: c.tail for tag, c in self.sessions.items()}, horizon_ms)
        final_ms = max(before.final_ms, self._final(store, min(horizon_ms - limits.lateness_ms, closed_ms)))
        sealed_ms = max(
            before.sealed_ms, min(minute_of(min(newest_ms, horizon_ms) - limits.facts_ms), before.closed_ms)
        )
        return Closed(Progress(first_ms, newest_ms, horizon_ms, closed_ms, final_ms, sealed_ms), rows, settled_ms)

    def now(self) -> Progress | None:
        """How far the asset is, counting its first facts even before they are committed. None: no facts yet."""
        if self.progress:
            return self.progress
        times = [int(series.time_ms[0]) for column in self.columns.values() for series in column.fresh]
        start = min(times, default=None)
        return None if start is None else Progress(start, start, start, minute_of(start), minute_of(start), -FOREVER_MS)

    def _load(self, store: Store, before: Progress) -> None:
        """Makes sure that everything from shortly before the open minute is in memory."""
        for column in (*self.columns.values(), *self.sessions.values()):
            column.window(store, max(before.closed_ms - _TAIL_MS, 0), FOREVER_MS)

    def _dirty(self, store: Store, before: Progress) -> Iterator[Span]:
        seen_ms = max(before.newest_ms, before.horizon_ms)
        for role, column in self.columns.items():
            binding = next(one.bindings[role] for one in reversed(self.history.models) if role in one.bindings)
            reach_ms = 0 if binding.hold.polled else PROOF_GAP_MS
            yield from column.dirty(store, counter=binding.kind == "counter", reach_ms=reach_ms, seen_ms=seen_ms)
        for column in self.sessions.values():
            yield from column.dirty(store, counter=False, reach_ms=PROOF_GAP_MS, seen_ms=seen_ms)

    def _rows(self, store: Store, span: Span, horizon_ms: int) -> dict[int, tuple[Row, str]]:
        rows: dict[int, tuple[Row, str]] = {}
        for piece in pieces(span):
            for model, start, end in self.history.over(*piece):
                found = self.derive(store, model, (start, end), horizon_ms)
                numbered = zip(found.buckets.minute.tolist(), found.buckets.values.T.tolist(), strict=True)
                rows |= {minute: (tuple(row), model.hash) for minute, row in numbered}
                store.replace_segments(model.name, start, end, spell(model, found.segments, store))
        return rows

    def derive(self, store: Store, model: AssetModel, span: Span, horizon_ms: int) -> Derived:
        """Segments and buckets of any range, from the facts in memory where they suffice."""
        wide = (span[0] - PROOF_GAP_MS, span[1] + PROOF_GAP_MS)
        facts = {role: c.window(store, *wide) for role, c in self.columns.items() if role in model.bindings}
        sessions = {tag: column.window(store, *wide) for tag, column in self.sessions.items()}
        return derive(model, facts, sessions, span, horizon_ms)

    def _final(self, store: Store, until_ms: int) -> int:
        """Up to when nothing open covers the minutes: no interval of the energy meter, no stop."""
        energy = self.columns["energy"].tail if "energy" in self.columns else Series.empty()
        ends = [until_ms, *energy.time_ms[energy.usable][-1:].tolist()]
        stopped_ms = store.open_run(self.model.name, _STOPS)
        return minute_of(min(ends if stopped_ms is None else [*ends, stopped_ms]))

    def settle(self, closed: Closed) -> None:
        """The transaction is through: moves on and forgets what is no longer needed in memory."""
        self.progress, self.settled_ms = closed.progress, closed.settled_ms
        for column in self.columns.values():
            column.trim(self.keep_ms)

    @property
    def keep_ms(self) -> int:
        """From when on facts are needed in memory to go on."""
        return min(self.progress.closed_ms, self.settled_ms) - _TAIL_MS if self.progress else FOREVER_MS


def pieces(span: Span) -> Iterator[Span]:
    """A range in parts that meet at whole minutes."""
    start, end = span
    while start < end:
        stop = min(minute_of(start) + _PIECE_MS, end)
        yield start, stop
        start = stop


def spell(model: AssetModel, found: Segments, store: Store) -> list[SegmentRow]:
    """Segments with the words for class and state."""
    rows = zip(found.start_ms.tolist(), found.end_ms.tolist(), found.time_class.tolist(), found.state, strict=True)
    return [(start, end, TimeClass(kind).label, state_text(model, state, store)) for start, end, kind, state in rows]


def state_text(model: AssetModel, state: float, store: Store) -> str:
    """A state as its source wrote it; "" where it is not known."""
    if np.isnan(state):
        return ""
    return store.text_of(float(state)) if model.bindings["state"].is_text else number_text(float(state))

"""One asset in the worker: which minutes new facts change, and the numbers of those minutes."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.kpi.asset import ALIVE, STOPS, AssetModel, Binding, TimeClass, fact_roles
from gateway.kpi.backlog import share
from gateway.kpi.book import Column, Derived, Span, derive
from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.cells import ORDER, PRODUCT
from gateway.kpi.counters import energy_increments
from gateway.kpi.facts import FOREVER_MS, Series, since, slice_with_neighbours
from gateway.kpi.intervals import Interval
from gateway.kpi.laid import Laid
from gateway.kpi.model import ModelHistory
from gateway.kpi.posting import minute_of, whole_minutes
from gateway.kpi.segments import POLLS_HELD, Segments, reach_ms, settled
from gateway.kpi.split import Split, by_minute
from gateway.kpi.states import state_text
from gateway.kpi.store import Later, Progress, Row, SegmentRow, Store

_log = logging.getLogger("lineside.kpi")
SETTLE_MS: Final = 5000
_TAIL_MS: Final = 4 * MINUTE_MS
_STOPS: Final = tuple(one.label for one in (*STOPS, TimeClass.MINOR_STOP))


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things stay, and when a minute is final. Facts and minutes age by the asset's own newest fact."""

    lateness_ms: int = 900_000
    facts_ms: int = 35 * 86_400_000
    minutes_ms: int = 90 * 86_400_000


@dataclass(frozen=True, slots=True)
class Closed:
    """What a commit does to an asset. It counts once the transaction is through.

    splits  minute → slices of the rows; None: the asset never says what it makes
    later   stored minutes that are still to be computed again
    behind  there is more to do than this commit was allowed
    """

    progress: Progress
    rows: Mapping[int, tuple[Row, str]]
    splits: Mapping[int, Split] | None
    settled_ms: int
    later: tuple[Span, ...] = ()
    behind: bool = False


@dataclass(slots=True)
class AssetBook:
    """An asset's models, facts and progress.

    sessions    session tag id → presence of that source, shared with other assets
    laid        what people said about its time
    settled_ms  results before this do not change merely because time goes on
    later       stored minutes that are still to be computed again
    asked_by    who asked for that, "" where late facts did
    behind      more minutes are due than the last commit was allowed
    refused     facts that came too late, or from a clock that was never set
    """

    history: ModelHistory
    columns: dict[str, Column]
    sessions: dict[int, Column]
    laid: Laid = field(default_factory=Laid)
    progress: Progress | None = None
    settled_ms: int = -FOREVER_MS
    later: tuple[Span, ...] = ()
    asked_by: str = ""
    behind: bool = False
    refused: int = 0

    @staticmethod
    def open(
        history: ModelHistory,
        sessions: dict[int, Column],
        store: Store,
        progress: Progress | None,
        later: Later = ((), ""),
    ) -> "AssetBook":
        """The book of an asset as kpi.db left it."""
        model = history.current
        roles = {role for one in history.models for role in fact_roles(one)} | store.chunks.booked(model.name)
        columns = {role: Column(model.name, role) for role in sorted(roles)}
        from_ms = progress.sealed_ms if progress else -FOREVER_MS
        laid = Laid(store.intervals.of(model.name, from_ms - reach_ms(model), FOREVER_MS + 1))
        longest = max((binding.hold.period_ms for binding in model.bindings.values()), default=0)
        open_ms = max(reach_ms(model), POLLS_HELD * longest)
        settled_ms = progress.horizon_ms - open_ms if progress else -FOREVER_MS
        return AssetBook(history, columns, sessions, laid, progress, settled_ms, *later, behind=bool(later[0]))

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

    def absorb(self, role: str, series: Series, floor_ms: int = FOREVER_MS) -> None:
        """Takes new facts in. Those from before the sealed time are too late: their minutes are fixed.

        floor_ms  seals nothing above: what a clock that ran ahead had sealed is open again once it is right
        """
        if self.progress:
            kept = since(series, min(self.progress.sealed_ms, floor_ms))
            self._refuse(len(series) - len(kept))
            series = kept
        if len(series):
            self.columns.setdefault(role, Column(self.model.name, role)).absorb(series)

    def begin(self, presence_ms: int | None, limits: Limits) -> None:
        """Before an asset's first commit: facts older than what is kept were stamped by a clock that is not set."""
        times = [int(column.tail.time_ms[-1]) for column in self.columns.values() if len(column.tail)]
        if self.progress is None and times:
            floor_ms = (max(times) if presence_ms is None else presence_ms) - limits.facts_ms
            self._refuse(sum(column.refuse(floor_ms) for column in self.columns.values()))

    def _refuse(self, count: int) -> None:
        if count and not self.refused:
            _log.warning("%s: readings older than the facts that are kept are ignored", self.model.name)
        self.refused += count

    def close(self, store: Store, presence_ms: int | None, limits: Limits, limit_ms: int) -> Closed | None:
        """The numbers of minutes that may have changed and of those that can be closed now. None: no facts yet.

        limit_ms  how much time the minutes of this commit may cover; what is left is done by later ones
        """
        before = self.now()
        if before is None:
            return None
        fresh = [series for column in self.columns.values() for series in column.fresh]
        first_ms = min([before.first_ms, *(int(series.time_ms[0]) for series in fresh)])
        newest_ms = max([before.newest_ms, *(int(series.time_ms[-1]) for series in fresh)])
        horizon_ms = max(before.horizon_ms, newest_ms) if presence_ms is None else presence_ms
        back = horizon_ms < before.horizon_ms
        target_ms = minute_of(horizon_ms - self.settle_ms)
        target_ms = target_ms if back else max(before.closed_ms, target_ms)
        start_ms = min(before.closed_ms, target_ms)
        sealed_ms = min(before.sealed_ms, horizon_ms - limits.facts_ms) if back else before.sealed_ms
        self._load(store, start_ms)
        closing = [(start_ms, target_ms - 1), (self.settled_ms, target_ms - 1), *self._dirty(store, before)]
        if first_ms < before.first_ms:
            closing.append((first_ms, before.first_ms))
        due = self._due(closing, before, max(first_ms, sealed_ms), target_ms)
        part = share(due, start_ms, target_ms, limit_ms)
        rows, splits = self._computed(store, part.now, target_ms, horizon_ms)
        settled_ms = self._settled(horizon_ms)
        open_ms = min([part.closed_ms, *(start for start, _ in part.later)])
        final_ms = self._final(store, min(horizon_ms - limits.lateness_ms, open_ms))
        final_ms = min(before.final_ms, part.closed_ms) if back else max(before.final_ms, final_ms)
        kept_ms = min(minute_of(min(newest_ms, horizon_ms) - limits.facts_ms), start_ms, open_ms)
        progress = Progress(first_ms, newest_ms, horizon_ms, part.closed_ms, final_ms, max(sealed_ms, kept_ms))
        behind = bool(part.later) or part.closed_ms < target_ms
        return Closed(progress, rows, splits if self._is_split else None, settled_ms, part.later, behind)

    def now(self) -> Progress | None:
        """How far the asset is, counting its first facts even before they are committed. None: no facts yet."""
        if self.progress:
            return self.progress
        times = [int(series.time_ms[0]) for column in self.columns.values() for series in column.fresh]
        start = min(times, default=None)
        return None if start is None else Progress(start, start, start, minute_of(start), minute_of(start), -FOREVER_MS)

    def _due(self, closing: list[Span], before: Progress, floor_ms: int, target_ms: int) -> list[Span]:
        """Minutes to compute: new and changed ones, what earlier commits left, and what a clock closed too early.

        The last ones are taken back: their numbers are those of time to come, nothing.
        """
        again = [*whole_minutes(closing, floor_ms, target_ms), *self.later, (target_ms, before.closed_ms)]
        return whole_minutes([(start, end - 1) for start, end in again if start < end], floor_ms, FOREVER_MS)

    def _load(self, store: Store, closed_ms: int) -> None:
        """Makes sure that everything from shortly before the open minute is in memory."""
        for column in (*self.columns.values(), *self.sessions.values()):
            column.window(store, max(closed_ms - self.tail_ms, 0), FOREVER_MS)

    def _dirty(self, store: Store, before: Progress) -> Iterator[Span]:
        seen_ms = max(before.newest_ms, before.horizon_ms)
        for role, column in self.columns.items():
            binding = self._binding(role)
            if binding is None:
                yield from column.dirty_moments()
                continue
            reach_ms = binding.hold.period_ms + binding.flat_ms  # a late value was due before it, and changes others
            if _makes_state(role) or not binding.hold.polled:
                reach_ms = max(reach_ms, self.around_ms)
            counts = binding.kind != "level"
            yield from column.dirty(store, counter=counts, reach_ms=reach_ms, seen_ms=seen_ms)
        for column in self.sessions.values():
            yield from column.dirty(store, counter=False, reach_ms=self.around_ms, seen_ms=seen_ms)
        for from_ms, to_ms in self.laid.changed:
            yield from_ms - self.around_ms, to_ms + self.around_ms

    def _binding(self, role: str) -> Binding | None:
        """The newest binding of a role; None: people book it."""
        return next((one.bindings[role] for one in reversed(self.history.models) if role in one.bindings), None)

    @property
    def around_ms(self) -> int:
        """How far beyond a range facts may matter to it, by any of the models."""
        return max(map(reach_ms, self.history.models))

    @property
    def _is_split(self) -> bool:
        bound = any(kind in one.bindings for one in self.history.models for kind in (PRODUCT, ORDER))
        return bound or any(one.kind in (PRODUCT, ORDER) for one in self.laid.known)

    def _laid_near(self, from_ms: int, to_ms: int) -> tuple[Interval, ...]:
        return self.laid.near(from_ms - self.around_ms, to_ms + self.around_ms)

    def _settled(self, horizon_ms: int) -> int:
        near = {role: column.tail for role, column in self.columns.items()}
        present = {tag: column.tail for tag, column in self.sessions.items()}
        return settled(self.model, near, self._laid_near(horizon_ms, horizon_ms), present, horizon_ms)

    def _computed(
        self, store: Store, due: Sequence[Span], target_ms: int, horizon_ms: int
    ) -> tuple[dict[int, tuple[Row, str]], dict[int, Split]]:
        """The minutes of some ranges and their slices; what lies behind the target is known up to there only."""
        rows: dict[int, tuple[Row, str]] = {}
        splits: dict[int, Split] = {}
        for start, end in due:
            for span, until_ms in (
                ((start, min(end, target_ms)), horizon_ms),
                ((max(start, target_ms), end), target_ms),
            ):
                self._compute(store, span, until_ms, rows, splits)
        return rows, splits

    def _compute(
        self, store: Store, span: Span, horizon_ms: int, rows: dict[int, tuple[Row, str]], splits: dict[int, Split]
    ) -> None:
        """Adds the minutes of a range, and puts its segments into the store."""
        for model, start, end in self.history.over(*span):
            found = self.derive(store, model, (start, end), horizon_ms)
            numbered = zip(found.buckets.minute.tolist(), found.buckets.values.T.tolist(), strict=True)
            rows |= {minute: (tuple(row), model.hash) for minute, row in numbered}
            splits |= by_minute(found.buckets.slices)
            store.replace_segments(model.name, start, end, spell(model, found.segments, store))

    def derive(self, store: Store, model: AssetModel, span: Span, horizon_ms: int) -> Derived:
        """Segments and buckets of any range, from the facts in memory where they suffice."""
        wide = (span[0] - reach_ms(model), span[1] + reach_ms(model))
        facts = {
            role: column.window(store, *wide)
            for role, column in self.columns.items()
            if role in model.bindings or self._binding(role) is None
        }
        sessions = {tag: column.window(store, *wide) for tag, column in self.sessions.items()}
        return derive(model, facts, sessions, span, horizon_ms, self.laid.near(*wide), store.texts)

    def _final(self, store: Store, until_ms: int) -> int:
        """Up to when nothing open covers the minutes: no interval of the energy meter, no stop."""
        ends = [until_ms]
        if "energy" in self.columns and (binding := self._binding("energy")):
            energy = slice_with_neighbours(self.columns["energy"].tail, FOREVER_MS, FOREVER_MS)
            found = energy_increments(energy, binding)
            ends += found.time_ms[~found.rejected][-1:].tolist()  # a reading that cannot be may prove a spike
        stopped_ms = store.open_run(self.model.name, _STOPS)
        return minute_of(min(ends if stopped_ms is None else [*ends, stopped_ms]))

    def settle(self, closed: Closed) -> None:
        """The transaction is through: moves on and forgets what is no longer needed in memory."""
        self.progress, self.settled_ms = closed.progress, closed.settled_ms
        self.later, self.behind = closed.later, closed.behind
        self.asked_by = self.asked_by if closed.later else ""
        self.laid.settle(closed.progress.sealed_ms - self.around_ms)
        for column in self.columns.values():
            column.trim(self.keep_ms)

    @property
    def keep_ms(self) -> int:
        """From when on facts are needed in memory to go on."""
        return min(self.progress.closed_ms, self.settled_ms) - self.tail_ms if self.progress else FOREVER_MS

    @property
    def tail_ms(self) -> int:
        """How far before the open minute facts are needed in memory."""
        return _TAIL_MS + self.around_ms


def _makes_state(role: str) -> bool:
    return role == ALIVE or role.partition(".")[0] == "state"


def spell(model: AssetModel, found: Segments, store: Store) -> list[SegmentRow]:
    """Segments with the words for class, state and reason."""
    columns = (found.start_ms, found.end_ms, found.time_class, found.rule, found.state, found.reason)
    return [
        (start, end, TimeClass(kind).label, state_text(model, rule, state, store.text_of), found.reasons[reason])
        for start, end, kind, rule, state, reason in zip(*(column.tolist() for column in columns), strict=True)
    ]

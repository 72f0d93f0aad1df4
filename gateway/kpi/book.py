"""What the worker keeps in memory of each owner's facts: the newest ones, and what kpi.db does not have yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from gateway.kpi.asset import AssetModel
from gateway.kpi.buckets import Buckets, buckets
from gateway.kpi.facts import FOREVER_MS, Series, merge, merge_all, since, slice_with_neighbours, touched
from gateway.kpi.intervals import Interval
from gateway.kpi.segments import Segments, reach_ms, segments
from gateway.kpi.store import Store

Span = tuple[int, int]
"""from_ms, to_ms."""
_RUN_GAP_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Derived:
    """Segments and buckets of one range."""

    segments: Segments
    buckets: Buckets


def derive(
    model: AssetModel,
    facts: Mapping[str, Series],
    sessions: Mapping[int, Series],
    span: Span,
    horizon_ms: int,
    intervals: Sequence[Interval] = (),
    texts: Mapping[float, str] = MappingProxyType({}),
) -> Derived:
    """The one calculation path: live, stored and recomputed numbers all come from here.

    facts, intervals, sessions  all that the range depends on; more does not matter
    texts                       what codes of texts stand for: the names of products and orders
    """
    wide = (span[0] - reach_ms(model), span[1] + reach_ms(model))
    near = {role: slice_with_neighbours(series, *wide) for role, series in facts.items()}
    present = {tag: slice_with_neighbours(series, *wide) for tag, series in sessions.items()}
    found = segments(model, near, intervals, present, *span, horizon_ms)
    return Derived(found, buckets(model, found, near, intervals, *span, texts, present, horizon_ms))


@dataclass(slots=True)
class Column:
    """The facts of one (owner, role).

    tail         every accepted fact from `complete_ms` on, with its usable neighbours before; perhaps older ones
    fresh        accepted, but not in kpi.db yet
    """

    owner: str
    role: str
    tail: Series = field(default_factory=Series.empty)
    complete_ms: int = FOREVER_MS
    fresh: list[Series] = field(default_factory=list)

    def absorb(self, series: Series) -> None:
        """Takes new facts in."""
        self.tail = merge(self.tail, series)
        self.fresh.append(series)

    def refuse(self, before_ms: int) -> int:
        """Drops facts from before a time, none of which is in kpi.db; returns how many."""
        count = sum(map(len, self.fresh))
        self.fresh = [kept for series in self.fresh if len(kept := since(series, before_ms))]
        self.tail = since(self.tail, before_ms)
        return count - sum(map(len, self.fresh))

    def window(self, store: Store, from_ms: int, to_ms: int) -> Series:
        """All facts that a range depends on."""
        if from_ms >= self.complete_ms:
            return self.tail
        if to_ms >= FOREVER_MS:
            self.tail = merge_all((store.chunks.window(self.owner, self.role, from_ms, to_ms), *self.fresh))
            self.complete_ms = from_ms
            return self.tail
        return merge_all((store.chunks.window(self.owner, self.role, from_ms, to_ms), *self.fresh))

    def trim(self, from_ms: int) -> None:
        """Forgets what is older, but for the usable neighbours before it. Everything is in kpi.db by now."""
        self.fresh.clear()
        if self.complete_ms < from_ms:
            self.tail = slice_with_neighbours(self.tail, from_ms, FOREVER_MS)
            self.complete_ms = from_ms

    def dirty_moments(self) -> Iterator[Span]:
        """Ranges that the fresh facts change where each counts by itself."""
        for series in self.fresh:
            yield from zip(series.time_ms.tolist(), series.time_ms.tolist(), strict=True)

    def dirty(self, store: Store, *, counter: bool, reach_ms: int, seen_ms: int) -> Iterator[Span]:
        """Ranges whose numbers the fresh facts may change, as far as the role itself goes.

        counter   what it counts reaches back to facts before; a level only forward to the next one
        reach_ms  how far around itself a fact may change what was known: it proves life, and makes stops whole
        seen_ms   nothing newer was known before: later facts of levels change what follows only
        """
        if not self.fresh:
            return
        times = np.unique(np.concatenate([series.time_ms for series in self.fresh]))
        for run in np.split(times, np.flatnonzero(np.diff(times) > _RUN_GAP_MS) + 1):
            first, last = int(run[0]), int(run[-1])
            if first > seen_ms and not counter:
                continue
            known = self.window(store, first, last if first < self.complete_ms else FOREVER_MS)
            before, after = touched(known, first, counter=counter)[0], touched(known, last, counter=counter)[1]
            # a newer fact than all others proves nothing that was not held open for it, see `settled`
            reach = reach_ms if first <= seen_ms else 0
            yield min(before if counter else first, first - reach), max(after, last + reach)

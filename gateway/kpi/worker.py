"""The engine's one worker thread: takes facts in, closes minutes, writes everything in one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from gateway.kpi.again import Asked, ask
from gateway.kpi.asset import AssetModel
from gateway.kpi.book import Column, Derived
from gateway.kpi.closing import AssetBook, Closed, Limits
from gateway.kpi.entrybook import EntryBook
from gateway.kpi.facts import FOREVER_MS, Series, merge_all
from gateway.kpi.group import Group, groups, regroup
from gateway.kpi.intake import SESSION, Taken
from gateway.kpi.measured import measure_again
from gateway.kpi.metering import MeterTree
from gateway.kpi.model import ModelHistory, dump, load
from gateway.kpi.posting import LATE, Post, post
from gateway.kpi.publisher import Publisher
from gateway.kpi.store import Later, Progress, Store
from gateway.model import Site, TagTable

_HOUR_MS: Final = 3_600_000
_COMPACT_HOURS: Final = 200
_FORGET_ROWS: Final = 500
_AHEAD_MS: Final = 60_000
_PIECE_MS: Final = 6 * _HOUR_MS  # of one asset in one commit: bounds its memory
_MINUTES: Final = 2400  # of all assets in one commit, about: bounds the time that it takes
_WINDOW_MS: Final = 26 * _HOUR_MS  # the longest shift or day: a revision of its end needs the minutes of its start
_LEAST_MS: Final = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Plant:
    """What the engine computes, from the config.

    tree                the meters that stand above others
    constraints, lasts  serial line → the asset that limits it, and its last one (by default the last in the config)
    """

    models: Mapping[str, AssetModel]
    site: Site
    tags: TagTable
    constraints: Mapping[str, str]
    limits: Limits
    lasts: Mapping[str, str] = field(default_factory=dict)
    tree: MeterTree = MeterTree()  # noqa: RUF009  # frozen


class Worker:
    """Owns kpi.db and all state behind it; every method runs in the worker thread."""

    def __init__(self, path: Path, plant: Plant, publisher: Publisher) -> None:
        # what readers in other processes need to turn sums into KPIs
        self._about = {
            "site": plant.site.name,
            "timezone": plant.site.timezone,
            "needs": json.dumps({owner: dict(lacks) for owner, lacks in publisher.rules.needs.items()}),
            "catalogue": publisher.rules.catalogue.settings,
            "factors": publisher.rules.factors.dump(),
        }
        self.store = Store(path)
        self.entries = EntryBook(self.store.db)
        self.plant = plant
        self.progress = self.store.progress()
        self.position = int(self.store.get("position", "0"))
        presence = self.store.get("presence_ms")
        self.presence_ms = int(presence) if presence else None
        self.power: dict[str, tuple[int, float]] = {}
        self.groups: list[Group] = groups(plant.models, plant.site, plant.constraints, plant.lasts, plant.tree)
        self._about["groups"] = json.dumps({group.owner: _tree(group) for group in self.groups})
        self._publisher = publisher
        self._sources: dict[str, Column] = {}
        self._texts: dict[float, str] = {}
        self._booked_by: dict[str, set[str]] = {}
        self._taken = self.position
        self._limit_ms = max(_LEAST_MS, min(_PIECE_MS, _MINUTES * 60_000 // max(1, len(plant.models))))
        later = self.store.later()
        self.books = {name: self._open(model, later.get(name, ((), ""))) for name, model in plant.models.items()}

    def _open(self, model: AssetModel, later: Later) -> AssetBook:
        progress = self.progress.get(model.name)
        stored = self.store.models(model.name) if progress else []
        known = [(start, load(text, digest, self.plant.tags)) for start, digest, text in stored]
        if known and _is_same(known[-1][1], model):
            known[-1] = (known[-1][0], model)
        else:
            known.append((progress.closed_ms if known and progress else -FOREVER_MS, model))
        starts, models = zip(*known, strict=True)
        sessions = {
            binding.hold.session: self._source(self.plant.tags[binding.hold.session].name.rpartition("/")[0])
            for one in models
            for binding in one.bindings.values()
            if binding.hold.session >= 0
        }
        return AssetBook.open(ModelHistory(starts, models), sessions, self.store, progress, later)

    def _source(self, owner: str) -> Column:
        return self._sources.setdefault(owner, Column(owner, SESSION))

    def absorb(self, taken: Taken) -> None:
        """Takes facts into memory; they are durable after the next commit."""
        floor_ms = FOREVER_MS if taken.presence_ms is None else taken.presence_ms - self.plant.limits.facts_ms
        for (owner, role), series in taken.facts.items():
            if role == SESSION:
                if owner in self._sources:  # of another source no asset reads it
                    self._sources[owner].absorb(series)
            else:
                self.books[owner].absorb(role, series, floor_ms)
        for asset, intervals in taken.intervals.items():
            self.books[asset].laid.absorb(intervals)
        self.power |= taken.power
        self._texts |= taken.texts
        self.store.learn(taken.texts)
        self.entries.absorb(taken.entries)
        for asset, entry in taken.entries:
            self._booked_by.setdefault(asset, set()).add(entry.by)
        self.presence_ms, self._taken = taken.presence_ms, taken.position

    @property
    def behind(self) -> bool:
        """Whether a further commit has minutes to compute that are due already."""
        return any(book.behind for book in self.books.values())

    @property
    def refused(self) -> int:
        """Readings since the start that came too late for their minute, or from a clock that was never set."""
        return sum(book.refused for book in self.books.values())

    def commit(self, acked_seq: int) -> None:
        """Writes everything absorbed and what follows from it, but no more minutes than one commit should take.

        StoreFull: nothing was changed, call again.
        """
        for book in self.books.values():
            book.begin(self.presence_ms, self.plant.limits)
        closed: dict[str, Closed] = {}
        progress = dict(self.progress)
        try:
            with self.store.transaction():
                part = int(self.store.get("part", "0")) + 1
                self.store.add_texts(self._texts)
                self.entries.write()
                self._put_facts(part)
                causes = {name: why for name, book in self.books.items() if (why := self._cause(book))}
                changed = {
                    name: self._close(book, closed, progress, causes.get(name, LATE))
                    for name, book in self.books.items()
                }
                for group in self.groups:
                    found = regroup(self.store, group, progress, changed)
                    if found:
                        cause = next((cause for name in group.members if (cause := causes.get(name))), "")
                        causes[group.owner] = cause
                        changed[group.owner] = self._post(replace(found, cause=cause or LATE), progress)
                self._publisher.flush(self.store)
                self._tidy(progress)
                self._put_later(closed)
                self.store.outbox.trim(acked_seq)
                self.store.put(part=part, position=self._taken, **self._about)
                if self.presence_ms is not None:
                    self.store.put(presence_ms=self.presence_ms)
        except BaseException:
            self._publisher.forget()
            raise
        self._settle(closed, progress)

    def _put_facts(self, part: int) -> None:
        for name, book in self.books.items():
            if book.laid.fresh:
                self.store.intervals.put(name, book.laid.fresh)
        columns = [column for book in self.books.values() for column in book.columns.values()]
        for column in (*columns, *self._sources.values()):
            if column.fresh:
                self.store.chunks.put(column.owner, column.role, part, merge_all(column.fresh))
        for book in self.books.values():
            measure_again(self.store, book)

    def _put_later(self, closed: Mapping[str, Closed]) -> None:
        self.store.put_later({name: (one.later, self.books[name].asked_by) for name, one in closed.items()})

    def _cause(self, book: AssetBook) -> str:
        """Why stored minutes of an asset may change, "" where late facts may only."""
        if book.asked_by:
            return f"recompute by {book.asked_by}"
        return f"booked by {', '.join(sorted(names))}" if (names := self._booked_by.get(book.model.name)) else ""

    def _close(
        self, book: AssetBook, closed: dict[str, Closed], progress: dict[str, Progress], cause: str
    ) -> Sequence[int]:
        found = book.close(self.store, self.presence_ms, self.plant.limits, self._limit_ms)
        if found is None:
            return ()
        model = book.model
        closed[model.name] = found
        if model.name not in self.progress or len(book.history.models) > len(self.store.models(model.name)):
            self.store.add_model(model.name, book.history.starts[-1], model.hash, dump(model, self.plant.tags))
        final_ms = self.progress[model.name].final_ms if model.name in self.progress else 0
        new = Post(model.name, model.calendar, found.rows, found.progress, final_ms, found.splits, cause)
        return self._post(new, progress)

    def _post(self, new: Post, progress: dict[str, Progress]) -> list[int]:
        before = progress.get(new.owner)
        progress[new.owner] = new.progress
        changed = post(self.store, self._publisher, new)
        self.store.set_progress(new.owner, new.progress)
        final_before_ms = before.final_ms if before else 0
        if new.progress.final_ms > final_before_ms:
            self.store.finish_minutes(new.owner, final_before_ms, new.progress.final_ms)
        return changed

    def _tidy(self, progress: Mapping[str, Progress]) -> None:
        """Compaction and retention, a slice per commit."""
        if not progress:
            return
        self.store.chunks.compact(min(p.closed_ms for p in progress.values()) - _HOUR_MS // 12, _COMPACT_HOURS)
        passed = [owner for owner, after in progress.items() if _hour(after) != _hour(self.progress.get(owner, after))]
        for owner in passed:
            after = progress[owner]
            before_ms = min(after.newest_ms, after.horizon_ms) - self.plant.limits.minutes_ms
            before_ms = min(before_ms, after.sealed_ms - _WINDOW_MS)
            self.store.chunks.forget(owner, after.sealed_ms, _FORGET_ROWS)
            self.store.forget_minutes(owner, before_ms, _FORGET_ROWS)
            self.store.splits.forget(owner, before_ms, _FORGET_ROWS)
            self.store.forget_segments(owner, before_ms, _FORGET_ROWS)
        if passed:
            sealed_ms = min(progress[name].sealed_ms for name in self.books if name in progress)
            for owner in self._sources:
                self.store.chunks.forget(owner, sealed_ms, _FORGET_ROWS)

    def _settle(self, closed: Mapping[str, Closed], progress: dict[str, Progress]) -> None:
        self.progress, self.position = progress, self._taken
        self._texts = {}
        self._booked_by = {name: by for name, by in self._booked_by.items() if name in closed and closed[name].later}
        self.entries.settle()
        for name, one in closed.items():
            self.books[name].settle(one)
        oldest = min((book.keep_ms for book in self.books.values()), default=FOREVER_MS)
        for source in self._sources.values():
            source.trim(oldest)

    def recompute(self, assets: Sequence[str], from_ms: int, to_ms: int, *, current: bool, by: str, at_ms: int) -> int:
        """See `again.ask`. assets: none for all."""
        books = {name: self.books[name] for name in assets or self.books}
        return ask(self.store, books, self.plant.tags, (from_ms, to_ms), Asked(current, by, at_ms))

    def horizon_ms(self, asset: str) -> int:
        """Where an asset's live numbers end: just after presence and facts that are newer by no more than a minute."""
        columns = self.books[asset].columns.values()
        if self.presence_ms is None:
            return max((int(c.tail.time_ms[-1]) + 1 for c in columns if len(c.tail)), default=0)
        limit_ms = self.presence_ms + _AHEAD_MS
        near = [int(c.tail.time_ms[n - 1]) + 1 for c in columns if (n := np.searchsorted(c.tail.time_ms, limit_ms))]
        return max([self.presence_ms, *near])

    def derive(self, asset: str, from_ms: int, to_ms: int) -> Derived:
        """Segments and buckets of any range up to the live horizon, from everything absorbed."""
        book = self.books[asset]
        return book.derive(self.store, book.model, (from_ms, to_ms), self.horizon_ms(asset))

    def facts(self, asset: str, from_ms: int, to_ms: int) -> dict[str, Series]:
        """The facts that a range depends on, by role."""
        return {role: c.window(self.store, from_ms, to_ms) for role, c in self.books[asset].columns.items()}

    def close(self) -> None:
        """Releases the file."""
        self.store.close()


def _tree(group: Group) -> dict[str, object]:
    """Who adds up to a group, for readers in other processes."""
    head = {"members": group.members, "constraint": group.constraint, "last": group.last}
    return head | {"below": dict(group.tree.below)}


def _is_same(known: AssetModel, model: AssetModel) -> bool:
    """Whether it is the recorded model, with the same sources: a source that was renamed proves nothing of the past."""
    one, other = ({role: binding.hold.session for role, binding in m.bindings.items()} for m in (known, model))
    return known.hash == model.hash and one == other


def _hour(progress: Progress) -> int:
    return min(progress.newest_ms, progress.horizon_ms) // _HOUR_MS

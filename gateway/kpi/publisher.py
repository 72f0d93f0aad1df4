"""Results on their way to the journal: changes become readings, readings wait in the outbox until they are durable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from gateway.kpi.answer import Rules
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import Result, unit_of
from gateway.kpi.store import Row, Store
from gateway.model import GOOD, Batch, BatchBuilder, Reason, Tag, TagType, bad
from gateway.model.wire import Header, decode, encode

PRODUCER: Final = "kpi"
_BATCH_ROWS: Final = 5000
LAST_REVISION: Final = 9  # in names: a further one would be new tags for ever


@dataclass(frozen=True, slots=True)
class Change:
    """New sums of a window that is closed; `old` is what was published before, None the first time."""

    owner: str
    window: str  # minute | hour | shift | day
    start_ms: int
    business_date: date
    revision: int
    old: Row | None
    new: Row


@dataclass(slots=True)
class Publisher:
    """Collects the readings of one commit; each KPI is published for the windows that its row names."""

    rules: Rules
    _builder: BatchBuilder = field(default_factory=BatchBuilder)
    _ids: dict[str, int] = field(default_factory=dict)
    _bucket_ids: dict[str, list[int]] = field(default_factory=dict)

    def publish(self, store: Store, change: Change) -> None:
        """Puts a change into the outbox: bucket differences of assets' minutes, and KPIs that are new or differ."""
        stamp_ns = change.start_ms * 1_000_000
        if change.window == "minute" and "/" not in change.owner:
            self._publish_buckets(store, change, stamp_ns + change.revision * 1_000_000)
        revision = min(change.revision, LAST_REVISION)
        window = f"{change.window}@{revision}" if revision else change.window
        old = self._results(change, change.old) if change.old else {}
        for kpi, result in self._results(change, change.new).items():
            before = old[kpi].value if kpi in old else None
            if result.value != before:
                name = f"{change.owner}/kpi/{window}/{kpi}"
                known = self._ids.get(name)
                tag = self._tag(store, Tag(name, TagType.FLOAT, self.rules.unit(kpi))) if known is None else known
                quality = bad(Reason.NOT_A_VALUE) if result.value is None else GOOD
                self._builder.add(tag, stamp_ns, result.value or 0.0, quality)
        if len(self._builder) >= _BATCH_ROWS:
            self.flush(store)

    def _publish_buckets(self, store: Store, change: Change, stamp_ns: int) -> None:
        old = change.old or (0,) * len(quantities)
        ids = self._bucket_ids.get(change.owner)
        if ids is None:
            ids = self._bucket_ids[change.owner] = self._first_entries(store, change, old, stamp_ns)
        for tag, before, after in zip(ids, old, change.new, strict=True):
            if after != before:
                self._builder.add(tag, stamp_ns, after - before)

    def _first_entries(self, store: Store, change: Change, old: Row, stamp_ns: int) -> list[int]:
        """The owner's bucket tags. One that is new and does not change gets an entry of 0: to InfluxQL a field that was
        never written is no number in a sum.
        """
        ids = []
        for name, before, after in zip(quantities, old, change.new, strict=True):
            bucket = Tag(f"{change.owner}/bucket/{name}", TagType.INT, unit_of(name))
            is_new = not store.outbox.has(bucket)
            ids.append(store.outbox.tag(bucket))
            if is_new and after == before:
                self._builder.add(ids[-1], stamp_ns, 0)
        return ids

    def _results(self, change: Change, row: Row) -> dict[str, Result]:
        sums = dict(zip(quantities, row, strict=True))
        return self.rules.published(change.owner, sums, change.business_date, change.window)

    def _tag(self, store: Store, tag: Tag) -> int:
        if tag.name not in self._ids:
            self._ids[tag.name] = store.outbox.tag(tag)
        return self._ids[tag.name]

    def flush(self, store: Store) -> None:
        """Writes what was collected as one batch of the outbox."""
        if len(self._builder):
            store.outbox.put(encode(Header(PRODUCER), self._builder.build()))

    def forget(self) -> None:
        """After a transaction that failed: its results and outbox tags do not exist."""
        self._ids.clear()
        self._bucket_ids.clear()
        self._builder = BatchBuilder()


def with_ids(body: bytes, names: Mapping[int, Tag], ids: Callable[[str], int]) -> Batch:
    """A batch of the outbox with the journal's tag ids."""
    batch = decode(body)[1]
    known = {number: ids(names[number].name) for number in np.unique(batch.tag).tolist()}
    tags = np.array([known[number] for number in batch.tag.tolist()], np.int32)
    return Batch(tags, batch.time_ns, batch.value, batch.quality)


def tags_of(bodies: Sequence[bytes]) -> set[int]:
    """The outbox tags that some batches use."""
    return {number for body in bodies for number in np.unique(decode(body)[1].tag).tolist()}

"""The KPI engine: a consumer of the journal that turns facts into minutes, and minutes into readings."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from gateway.kpi.answer import Rules
from gateway.kpi.asset import AssetModel
from gateway.kpi.between import Between, between, spans
from gateway.kpi.buckets import MINUTE_MS
from gateway.kpi.catalogue import STANDARD, Catalogue
from gateway.kpi.closing import SETTLE_MS, Limits
from gateway.kpi.entrybook import Booked
from gateway.kpi.factors import Factors
from gateway.kpi.facts import Series
from gateway.kpi.group import groups
from gateway.kpi.intake import Intake, Taken
from gateway.kpi.live import Live
from gateway.kpi.metering import MeterTree
from gateway.kpi.needs import of_everyone
from gateway.kpi.publisher import PRODUCER, Publisher, tags_of, with_ids
from gateway.kpi.reading import revisions
from gateway.kpi.worker import Plant, Worker
from gateway.model import Site, Tag, TagTable
from gateway.ports import Clock, Delivery, Record

_log = logging.getLogger("lineside.kpi")
_CATCH_UP_FACTS: Final = 50_000
_PENDING_FACTS: Final = 400_000  # 8 MB
_COMMIT_S: Final = 5.0  # while catching up, minutes of the horizon pass faster than the disk should be written
_OUTBOX_READ: Final = 20
_PATIENCE_S: Final = 0.3
_CATCH_UP_S: Final = 1.0  # of closing minutes before further records are taken in
T = TypeVar("T")


class Recomputed(NamedTuple):
    """How many minutes were computed again, and how often one of them was stored anew because it differs."""

    minutes: int
    changed: int


class Outlet(Protocol):
    """Where results go: the journal, which also gives their tags ids."""

    tags: TagTable

    async def register(self, tags: Iterable[Tag]) -> None:
        """Gives new tags ids before they are appended."""
        ...

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        """See `ports.Journal`."""
        ...


class Engine:
    """`ports.Consumer` that keeps kpi.db.

    Everything heavy runs in one worker thread; the event loop only picks facts out of the batches that pass.
    """

    def __init__(
        self,
        path: Path,
        models: Mapping[str, AssetModel],
        site: Site,
        factors: Factors,
        journal: Outlet,
        clock: Clock,
        *,
        constraints: Mapping[str, str] | None = None,
        lasts: Mapping[str, str] | None = None,
        tree: MeterTree = MeterTree(),  # noqa: B008  # frozen
        catalogue: Catalogue = STANDARD,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        commit_every_s: float = _COMMIT_S,
    ) -> None:
        plant = Plant(models, site, journal.tags, constraints or {}, limits, lasts or {}, tree)
        above = groups(models, site, plant.constraints, plant.lasts, tree)
        serial = frozenset(group.owner for group in above if group.constraint)
        rules = Rules(factors, of_everyone(models, above, catalogue), catalogue, serial)
        self._worker = Worker(path, plant, Publisher(rules))
        self._between = partial(between, self._worker, rules)
        self._live = Live(self._worker, rules)
        self._intake = Intake(models, journal.tags, self._worker.position, self._worker.presence_ms, limits.lateness_ms)
        self._thread = ThreadPoolExecutor(1, "kpi")
        self._journal, self._clock = journal, clock
        self._commit_every_s = commit_every_s
        self._committed_at = float("-inf")
        self._committed_minute = self._committed_entries = 0
        self._moved = asyncio.Event()
        self._position = self._worker.position
        self._sent_seq = self._acked_seq = 0
        self._refreshing: asyncio.Future[dict[str, Any]] | None = None
        self._snapshot: dict[str, Any] = {"assets": [], "lines": []}

    # the port -------------------------------------------------------------------------------------------------------

    def position(self) -> int:
        """See `ports.Consumer`."""
        return self._position

    async def take(self, records: Sequence[Record]) -> int:
        """See `ports.Consumer`. StoreFull: kpi.db cannot be written; call again with the same records."""
        for record in records:
            if record.position > self._intake.position:
                self._intake.take(record.position, record.batch)
                if self._intake.pending >= _CATCH_UP_FACTS and self._due():
                    await self._commit()
        self._moved.set()
        if self._due():
            await self._commit()
        return self._position

    async def close(self) -> None:
        """See `ports.Consumer`. Minutes that are still to be computed then are computed after the next start."""
        if self._refreshing:
            await asyncio.wait([self._refreshing])
        await self._run(self._worker.absorb, self._intake.drain())
        await self._run(self._worker.commit, self._acked_seq)
        self._position = self._worker.position
        await self._run(self._worker.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def flush(self) -> None:
        """Makes everything taken durable now, and hands all results to the journal."""
        await self._commit(float("inf"))

    # numbers --------------------------------------------------------------------------------------------------------

    async def live(self) -> dict[str, Any]:
        """`assets` and `lines` of the board's snapshot, recomputed at most every 2 s; hardly ever waits."""
        if not self._refreshing and self._live.due(self._clock.monotonic()):
            taken = self._intake.drain()
            self._refreshing = asyncio.get_running_loop().run_in_executor(self._thread, self._refresh, taken)
        refreshing = self._refreshing
        if refreshing:
            await asyncio.wait([refreshing], timeout=_PATIENCE_S)
            if refreshing.done() and self._refreshing is refreshing:  # another caller may have been faster
                self._snapshot, self._refreshing = refreshing.result(), None
        return self._snapshot

    async def between(self, asset: str, from_ms: int, to_ms: int) -> Between:
        """Sums, KPIs and evidence of any range, from everything taken so far. KeyError: no such asset."""
        await self._run(self._worker.absorb, self._intake.drain())
        return await self._run(self._between, asset, from_ms, to_ms)

    def presence_ms(self) -> int | None:
        """Up to when time has passed for the engine, UTC ms; None before the first proof of life."""
        return self._intake.presence_ms

    def refused(self) -> int:
        """Readings since the start that came too late for their minute, or from a clock that was never set."""
        return self._worker.refused

    async def spans(self, asset: str) -> dict[str, tuple[int, int]]:
        """First and newest usable fact (ms) of each of the asset's roles that has any."""
        await self._run(self._worker.absorb, self._intake.drain())
        return await self._run(spans, self._worker, asset)

    # entries --------------------------------------------------------------------------------------------------------

    async def reach(self, position: int) -> None:
        """Returns when everything up to a position of the journal was taken."""
        while self._intake.position < position:
            self._moved.clear()
            await self._moved.wait()

    async def entries_of(self, entry_ids: Sequence[str]) -> dict[str, Booked]:
        """The newest revision of each of these entries that was taken, by id."""
        await self._run(self._worker.absorb, self._intake.drain())
        return await self._run(self._worker.entries.find, entry_ids)

    async def entries_between(self, asset: str, from_ms: int, to_ms: int, limit: int) -> list[Booked]:
        """The newest revisions of entries that touch a range, oldest first. asset: "" for all."""
        await self._run(self._worker.absorb, self._intake.drain())
        return await self._run(self._worker.entries.between, asset, from_ms, to_ms, limit)

    async def readings(self, asset: str, role: str, from_ms: int, to_ms: int) -> set[tuple[int, int]]:
        """(time_ms, seq) of the role's facts near a range. KeyError: no such asset."""
        await self._run(self._worker.absorb, self._intake.drain())
        series = (await self._run(self._worker.facts, asset, from_ms, to_ms)).get(role, Series.empty())
        return set(zip(series.time_ms.tolist(), series.seq.tolist(), strict=True))

    async def sealed_ms(self) -> dict[str, int]:
        """asset → before this its facts are forgotten."""
        return {owner: progress.sealed_ms for owner, progress in self._worker.progress.items()}

    async def recompute(self, assets: Sequence[str], span: tuple[int, int], *, current: bool, by: str) -> Recomputed:
        """Computes stored minutes again and waits until it is done. ValueError: their facts are forgotten.

        assets: their names; none: all.
        """
        assets = assets or list(self._worker.books)
        await self._run(self._worker.absorb, self._intake.drain())
        count = partial(revisions, self._worker.store.db, assets, span)
        before = await self._run(count)
        at_ms = self._clock.wall_ns() // 1_000_000
        ask = partial(self._worker.recompute, assets, *span, current=current, by=by, at_ms=at_ms)
        minutes = await self._run(ask)
        await self.flush()
        return Recomputed(minutes, await self._run(count) - before)

    # inside ---------------------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        """Whether a minute can be closed or somebody booked something, but not too often; or memory wants it."""
        entered = self._intake.entered != self._committed_entries
        if self._closable_minute() == self._committed_minute and not self._worker.behind and not entered:
            return self._intake.pending >= _PENDING_FACTS
        waited_s = self._clock.monotonic() - self._committed_at
        return waited_s >= self._commit_every_s or self._intake.pending >= _CATCH_UP_FACTS

    def _closable_minute(self) -> int:
        horizon_ms = self._intake.newest_ms if self._intake.presence_ms is None else self._intake.presence_ms
        return (horizon_ms - SETTLE_MS) // MINUTE_MS

    async def _commit(self, within_s: float | None = None) -> None:
        """Commits until nothing is due, or for about this time: facts are durable after the first."""
        minute, until_s = self._closable_minute(), self._clock.monotonic() + (within_s or _CATCH_UP_S)
        entered = self._intake.entered
        await self._run(self._worker.absorb, self._intake.drain())
        behind = True
        while behind:
            await self._run(self._worker.commit, self._acked_seq)
            self._position = self._worker.position
            self._committed_minute, self._committed_entries = minute, entered
            self._committed_at = self._clock.monotonic()
            await self._send()
            behind = self._worker.behind and self._committed_at < until_s

    async def _send(self) -> None:
        """Appends what the outbox holds to the journal; rows are forgotten by the commit after the acknowledgement."""
        while waiting := await self._run(self._worker.store.outbox.read, self._sent_seq, _OUTBOX_READ):
            names = await self._run(self._worker.store.outbox.tags)
            bodies = [body for _, body in waiting]
            tags = self._journal.tags
            await self._journal.register([names[n] for n in tags_of(bodies) if names[n].name not in tags])
            for seq, body in waiting:
                delivery = Delivery(with_ids(body, names, tags.id_of), ack=partial(self._acked, seq))
                await self._journal.append(delivery, PRODUCER, seq)
                self._sent_seq = seq

    def _acked(self, seq: int) -> None:
        self._acked_seq = max(self._acked_seq, seq)

    def _refresh(self, taken: Taken) -> dict[str, Any]:
        started_s = self._clock.monotonic()
        self._worker.absorb(taken)
        found = self._live.refresh()
        self._live.plan(started_s, self._clock.monotonic())
        return found

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        # shielded: a task that is cancelled must not take a step with it that waits for the thread, and its facts
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, call, *args))

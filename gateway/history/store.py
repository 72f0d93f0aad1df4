"""The embedded store: a consumer of the journal that keeps readings, roll-ups and KPIs in history.db."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gateway.history.compaction import Compaction
from gateway.history.file import StoreFault, create_or_open, in_our_words
from gateway.history.retention import Retention
from gateway.history.roster import Roster
from gateway.history.writer import flush, start
from gateway.model import Batch, TagTable
from gateway.ports import Clock, Record

log = logging.getLogger("lineside.history")

_DAY_S: Final = 86_400.0
_TIDY_EVERY_S: Final = 60.0
_COMPACTIONS_PER_FLUSH: Final = 2
_SLICES_PER_FLUSH: Final = 20


class History:
    """`ports.Consumer` that writes history.db; one thread owns the only connection that writes.

    Readings wait in memory for at most `flush_every_s` or `open_bytes`, then go to the file in one transaction with the
    cursor. Such a commit is not waited for; one every `sync_every_s` is, and it makes all before it durable.

    path, tags        the file and the journal's TagTable
    retention_raw_s   readings stay so long; `retention_minute_s`: roll-ups and KPIs of minutes; other KPIs stay
    max_size          bytes: beyond, the oldest readings go first
    """

    def __init__(
        self,
        path: Path,
        tags: TagTable,
        *,
        clock: Clock,
        retention_raw_s: float = 35 * _DAY_S,
        retention_minute_s: float = 90 * _DAY_S,
        max_size: int = 4 << 30,
        flush_every_s: float = 5.0,
        sync_every_s: float = 30.0,
        open_bytes: int = 6_000_000,
        compaction: Compaction = Compaction(),  # noqa: B008  # frozen
    ) -> None:
        self._path = path
        self._clock = clock
        self._retention = Retention(retention_raw_s, retention_minute_s, max_size)
        self._flush_every_s, self._sync_every_s, self._open_limit = flush_every_s, sync_every_s, open_bytes
        self._compaction = compaction
        self._roster = Roster(tags)
        self._roster.refresh()
        self._db = create_or_open(path)
        with in_our_words(path):
            self._taken = self._written = self._durable = start(self._db, self._roster)
        self._open: list[Record] = []  # the loop appends, the worker takes off what it has written
        self._open_bytes = 0
        self._flushed_at = self._synced_at = self._tidied_at = clock.monotonic()
        self._full = False
        self._closed = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")

    def position(self) -> int:
        """The position up to which the file is durable."""
        return self._durable

    async def take(self, records: Sequence[Record]) -> int:
        """Works records in; those up to the last position taken change nothing.

        Returns the durable position. StoreFault, StoreFull: could not be written; calling again with the same
        records goes on where it stopped and counts nothing twice.
        """
        for record in records:
            if record.position > self._taken:
                if self._open_bytes >= self._open_limit:
                    await self._flush()
                self._open.append(record)
                self._open_bytes += record.batch.nbytes
                self._taken = record.position
        waited_s = self._clock.monotonic() - self._flushed_at
        if self._open and (waited_s >= self._flush_every_s or self._open_bytes >= self._open_limit):
            await self._flush()
        return self._durable

    async def close(self) -> None:
        """Makes everything taken durable where the disk allows it, and releases the file; safe to call again."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._in_worker(self._finish)
        except StoreFault as exc:
            log.warning("closed before everything was written, the journal still holds it: %s", exc)
        finally:
            await self._in_worker(self._db.close)
            self._worker.shutdown(wait=False)

    async def _flush(self) -> None:
        now = self._clock.monotonic()
        durable = now - self._synced_at >= self._sync_every_s
        await self._in_worker(lambda: self._write(durable=durable))
        self._flushed_at = now
        self._open_bytes = sum(record.batch.nbytes for record in self._open)
        if durable:
            self._synced_at = now
        tidy = now - self._tidied_at >= _TIDY_EVERY_S
        await self._in_worker(lambda: self._tidy(by_age=tidy))
        if tidy:
            self._tidied_at = now

    async def _in_worker(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _write(self, *, durable: bool) -> None:
        records = tuple(self._open)
        position = records[-1].position if records else self._written
        self._roster.refresh()
        batch = Batch.concat([record.batch for record in records], self._roster.is_text)
        with in_our_words(self._path):
            flush(self._db, batch, self._roster, position, durable=durable)
        del self._open[: len(records)]
        self._written = position
        if durable:
            self._durable = position

    def _tidy(self, *, by_age: bool) -> None:
        with in_our_words(self._path):
            if by_age:
                self._retention.apply(self._db, self._clock.wall_ns() // 1_000_000)
            for _ in range(_COMPACTIONS_PER_FLUSH):
                if not self._compaction.step(self._db):
                    break
            self._make_room()

    def _make_room(self) -> None:
        slices = 0
        while slices < _SLICES_PER_FLUSH and self._retention.make_room(self._db):
            slices += 1
        if slices and not self._full:
            self._full = True
            log.warning("%s has reached its size: the oldest readings make room for new ones", self._path)

    def _finish(self) -> None:
        self._write(durable=True)
        with in_our_words(self._path):
            self._db.pragma("wal_checkpoint(truncate)")

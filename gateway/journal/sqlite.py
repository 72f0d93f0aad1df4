"""The journal port on SQLite: an event-loop face over the writer thread and read-only connections."""

import asyncio
import ctypes
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from gateway.journal.accounting import Ledger, open_readonly, read_ledger, read_tags, row, rows
from gateway.journal.commit_rule import CommitRule
from gateway.journal.database import Database, JournalError
from gateway.journal.writer import Append, Committed, Move, Writer
from gateway.model import Batch, Tag, TagTable
from gateway.model.wire import Corrupt, decode
from gateway.ports import Clock, Delivery, Outcome, Record

_log = logging.getLogger("lineside.journal")
_INBOX_BYTES = 16 * 2**20
_TAIL_BYTES = 8 * 2**20
_READ_ROWS = 64
_TIMEX_BYTES = 256  # larger than struct timex on every architecture
_LIBC = ctypes.CDLL(None)
T = TypeVar("T")


class SqliteJournal:
    """`ports.Journal` in one file; see docs/journal.md for its promises.

    commit_every_s  what a power cut may cost of data that nobody acknowledges
    max_bytes       quota; over it the oldest batches are dropped, and counted for whoever had not taken them
    """

    def __init__(self, path: Path, clock: Clock, *, commit_every_s: float = 1.0, max_bytes: int = 2 * 2**30) -> None:
        self._path, self._clock, self.max_bytes = path, clock, max_bytes
        self._database = Database(path)
        self.tags: TagTable = read_tags(self._database.db)
        self.blocked = ""
        self._death: BaseException | None = None
        self.used_bytes = 0
        self.newest = 0
        self._writer = Writer(
            self._database,
            CommitRule(commit_every_s),
            max_bytes,
            on_commit=lambda done: self._from_thread(self._committed, done),
            on_block=lambda reason: self._from_thread(self._set_blocked, reason),
            on_death=lambda error: self._from_thread(self._die, error),
        )
        self._reader = ThreadPoolExecutor(1, "journal-reader")
        self._read_db: apsw.Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tail: deque[Record] = deque()
        self._tail_bytes = 0
        self._inbox_bytes = 0
        self._room = asyncio.Event()
        self._grown = asyncio.Event()
        self._cursors: dict[str, int] = {}
        self._corrupt: dict[str, dict[int, int]] = {}

    async def open(self, consumers: Iterable[tuple[str, bool]], tags: Iterable[Tag] = ()) -> None:
        """Registers readers and tags and starts the writer. consumers: (name, only what comes from now on).

        JournalError: the file cannot be written.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._prepare, tuple(consumers), tuple(tags))
        except apsw.Error as exc:
            self._database.close()
            raise JournalError(f"cannot write {self._path}: {exc}; check free space and the folder's owner") from exc
        self._writer.start()

    def _prepare(self, consumers: tuple[tuple[str, bool], ...], tags: tuple[Tag, ...]) -> None:
        with self._database.db:
            for tag_id, tag in self._database.register(tags):
                self.tags.add(tag_id, tag)
            self._database.set_consumers(consumers)
        self.newest = int((row(self._database.db, "SELECT seq FROM sqlite_sequence WHERE name = 'batch'") or (0,))[0])
        self._cursors = dict(self._database.db.execute("SELECT name, position FROM consumer"))
        self._read_db = open_readonly(self._path)

    def must_reach(self, position: int, consumer: str) -> None:
        """JournalError: a consumer's own file is ahead of this journal, so it read another one that is gone."""
        if position > self.newest:
            raise JournalError(
                f"{consumer}.db has read up to position {position}, but {self._path} ends at {self.newest}: put the "
                f"journal back that belongs to it, or move history.db and kpi.db away to start anew"
            )

    async def close(self) -> None:
        """Commits everything that waits and releases the file."""
        await asyncio.to_thread(self._shut)
        await asyncio.sleep(0)  # lets the last acknowledgements run

    def _shut(self) -> None:
        if self._writer.is_alive():
            self._writer.stop()
            self._writer.join()
        self._reader.shutdown()
        if self._read_db:
            self._read_db.close()

    async def register(self, tags: Iterable[Tag]) -> None:
        """Gives new tags their ids, durably, before any reading of them is appended."""
        new = [tag for tag in tags if tag.name not in self.tags or self.tags[self.tags.id_of(tag.name)] != tag]
        if new:
            for tag_id, tag in await asyncio.wrap_future(self._writer.register(new)):
                self.tags.add(tag_id, tag)

    # the port -------------------------------------------------------------------------------------------------------

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        """See `ports.Journal`."""
        self._must_live()
        while self._inbox_bytes > _INBOX_BYTES:
            if self.blocked and delivery.ack is None:
                self._writer.lose(producer, len(delivery.batch))
                return
            self._room.clear()
            await self._room.wait()
            self._must_live()
        self._inbox_bytes += delivery.nbytes
        now_ns, steady_ns = self._clock.wall_ns(), round(self._clock.monotonic() * 1e9)
        self._writer.put(Append(delivery, producer, seq, now_ns, steady_ns, _clock_is_synced()))

    async def read(self, consumer: str, after: int | None = None) -> list[Record]:
        """See `ports.Journal`."""
        position = self._cursors.get(consumer, 0) if after is None else after
        while True:
            self._must_live()
            self._grown.clear()
            records = self._from_tail(position)
            if records is None:
                records, position = await self._from_file(consumer, position)
            if records:
                return records
            if position >= self.newest:
                await self._grown.wait()

    async def ack(self, consumer: str, position: int, outcome: Outcome | None = None) -> None:
        """See `ports.Journal`."""
        if position <= self._cursors.get(consumer, 0):
            return
        self._cursors[consumer] = position
        holes = self._corrupt.get(consumer, {})
        corrupt = sum(holes.pop(hole) for hole in [hole for hole in holes if hole <= position])
        self._writer.put(Move(consumer, position, outcome, corrupt))

    async def ledger(self) -> Ledger:
        """The books as of the last commit."""
        assert self._read_db
        return await asyncio.get_running_loop().run_in_executor(self._reader, read_ledger, self._read_db)

    async def flush(self) -> None:
        """Returns when everything that was appended so far is durable."""
        done = asyncio.Event()
        await self.append(Delivery(Batch.empty(), ack=done.set, window_share=1.0), "gateway")
        await done.wait()

    def waiting_bytes(self) -> int:
        """Bytes accepted but not committed yet."""
        return self._inbox_bytes

    # inside ---------------------------------------------------------------------------------------------------------

    def _from_tail(self, position: int) -> list[Record] | None:
        """The next records from memory; None: the file must be asked."""
        if not self._tail or self._tail[0].position > position + 1:
            return None
        skip = position + 1 - self._tail[0].position
        return [self._tail[i] for i in range(max(0, skip), min(len(self._tail), max(0, skip) + _READ_ROWS))]

    async def _from_file(self, consumer: str, position: int) -> tuple[list[Record], int]:
        """The next records that can be read, and the position up to which the file was looked at."""
        found = await asyncio.get_running_loop().run_in_executor(self._reader, self._query, position)
        records = []
        for at, n, body in found:
            position = at
            try:
                header, batch = decode(body)
            except Corrupt as exc:
                if at not in self._corrupt.setdefault(consumer, {}):
                    _log.error("batch %d with %d readings is damaged (%s): skipped for %s", at, n, exc, consumer)
                self._corrupt[consumer][at] = n
                continue
            records.append(Record(at, header.source, header.seq, header.received_ns, batch))
        return records, position

    def _query(self, position: int) -> list[tuple[int, int, bytes]]:
        assert self._read_db
        sql = "SELECT position, n, body FROM batch WHERE position > ? ORDER BY position LIMIT ?"
        return rows(self._read_db, sql, position, _READ_ROWS)

    def _committed(self, done: Committed) -> None:
        self.used_bytes = done.used_bytes
        for record in done.records:
            self.newest = record.position
            self._tail.append(record)
            self._tail_bytes += record.batch.nbytes
        while self._tail and (self._tail_bytes > _TAIL_BYTES or self._tail[0].position <= done.dropped_to):
            self._tail_bytes -= self._tail.popleft().batch.nbytes
        for item in done.items:
            if isinstance(item, Append):
                self._inbox_bytes -= item.delivery.nbytes
                if item.delivery.ack:
                    item.delivery.ack()
        self._room.set()
        self._grown.set()

    def _set_blocked(self, reason: str) -> None:
        self.blocked = reason
        self._room.set()

    def _die(self, error: BaseException) -> None:
        self._death = error
        self._room.set()
        self._grown.set()

    def _must_live(self) -> None:
        """Ends whoever uses a journal that writes no more; with them the process ends, and a restart reads on."""
        if isinstance(self._death, apsw.Error):
            raise JournalError(f"{self._path} cannot be used any more: {self._death}") from self._death
        if self._death is not None:
            raise RuntimeError("the journal's writer ended") from self._death

    def _from_thread(self, call: Callable[[T], None], value: T) -> None:
        assert self._loop
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, value)


def _clock_is_synced() -> bool:
    """Whether the kernel believes its clock is synchronised (adjtimex returns TIME_ERROR, 5, when not)."""
    return int(_LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))) not in {-1, 5}

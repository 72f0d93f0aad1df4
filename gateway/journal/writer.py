"""The writer thread: owns the only read-write connection and turns what waits in the inbox into commits."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import apsw

from gateway.journal.accounting import used_bytes
from gateway.journal.commit_rule import CommitRule
from gateway.journal.database import Database
from gateway.model import Tag
from gateway.ports import Delivery, Outcome, Record

_log = logging.getLogger("lineside.journal")
_RETRY_S = 1.0
_PRUNE_EVERY_S = 10.0
_PRUNE_FOR_S = 0.2
_LETTER_BYTES = 2**20
_DISK_REFUSES = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.BusyError, apsw.CantOpenError)
_CHECKPOINT_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Append:
    """A delivery on its way to the disk."""

    delivery: Delivery
    producer: str
    seq: int | None
    received_ns: int
    monotonic_ns: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A consumer's new cursor; `corrupt` readings between the old one and this could not be read."""

    consumer: str
    position: int
    outcome: Outcome | None
    corrupt: int


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit made durable: the items in order, the new records; bytes in use; what the quota dropped."""

    items: list[Append | Move]
    records: list[Record]
    used_bytes: int
    dropped_to: int


@dataclass(slots=True)
class _Inbox:
    items: deque[Append | Move] = field(default_factory=deque)
    tags: deque[tuple[tuple[Tag, ...], "Future[list[tuple[int, Tag]]]"]] = field(default_factory=deque)
    lost: dict[str, int] = field(default_factory=dict)
    closing: bool = False


class Writer(threading.Thread):
    """Commits by the `CommitRule`; while the disk refuses, keeps everything and tries again each second.

    on_commit  called in this thread after each commit
    on_block   called in this thread with the reason when the disk refuses, with "" when it works again
    on_death   called in this thread with the error that ended it: nothing will become durable any more
    """

    def __init__(
        self,
        database: Database,
        rule: CommitRule,
        max_bytes: int,
        on_commit: Callable[[Committed], None],
        on_block: Callable[[str], None],
        on_death: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="journal-writer", daemon=True)
        self._database, self._rule, self._max_bytes = database, rule, max_bytes
        self._on_commit, self._on_block, self._on_death = on_commit, on_block, on_death
        self._inbox = _Inbox()
        self._wake = threading.Condition()
        self._blocked = ""
        self._used_bytes = 0
        self._pruned_at = self._checkpointed_at = time.monotonic()

    # called from the event loop ------------------------------------------------------------------------------------

    def put(self, item: Append | Move) -> None:
        """Queues a delivery or a cursor move."""
        with self._wake:
            self._inbox.items.append(item)
            if isinstance(item, Append):
                delivery = item.delivery
                awaited = delivery.ack is not None
                self._rule.note(
                    time.monotonic(), item.producer, delivery.window_share, delivery.nbytes, awaited=awaited
                )
                self._wake.notify()

    def register(self, tags: Iterable[Tag]) -> "Future[list[tuple[int, Tag]]]":
        """Registers tags in a commit of their own."""
        future: Future[list[tuple[int, Tag]]] = Future()
        with self._wake:
            self._inbox.tags.append((tuple(tags), future))
            self._wake.notify()
        return future

    def lose(self, producer: str, readings: int) -> None:
        """Books readings that found no room while the disk refused."""
        with self._wake:
            self._inbox.lost[producer] = self._inbox.lost.get(producer, 0) + readings

    def stop(self) -> None:
        """Commits what waits, closes the database and ends the thread; `join` afterwards."""
        with self._wake:
            self._inbox.closing = True
            self._wake.notify()

    # the thread ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stop`, or until something happens that no waiting mends."""
        try:
            self._work()
        except BaseException as exc:  # noqa: BLE001  # whatever ends this thread has to end the process
            self._on_death(exc)
        finally:
            self._database.close()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wait_until_due()
                inbox, self._inbox = self._inbox, _Inbox(closing=self._inbox.closing)
                self._rule.committed()
            done = self._commit(inbox)
            if not done:
                self._put_back(inbox)
            if inbox.closing:
                self._give_up(inbox if not done else _Inbox())
                return
            if not done:
                time.sleep(_RETRY_S)

    @staticmethod
    def _give_up(inbox: _Inbox) -> None:
        """What the disk did not take before the end; a source that waits for its acknowledgement sends it again."""
        readings = sum(len(i.delivery.batch) for i in inbox.items if isinstance(i, Append) and not i.delivery.ack)
        if readings := readings + sum(inbox.lost.values()):
            _log.error("ended while the disk refused: %d readings that nobody holds any more are lost", readings)

    def _wait_until_due(self) -> None:
        while not (self._inbox.closing or self._inbox.tags):
            wait = self._rule.wait_s(time.monotonic())
            if wait <= 0:
                return
            self._wake.wait(None if math.isinf(wait) else wait)

    def _commit(self, inbox: _Inbox) -> bool:
        db = self._database.db
        before = self._database.counters()
        try:
            db.execute("BEGIN IMMEDIATE")
            registered = [(self._database.register(tags), future) for tags, future in inbox.tags]
            records = [record for item in inbox.items if (record := self._write(item))]
            self._count(records, inbox.lost)
            db.execute("COMMIT")
        except _DISK_REFUSES as exc:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._database.restore(before)
            self._block(f"{exc}")
            return False
        self._block("")
        for found, future in registered:
            if future.set_running_or_notify_cancel():
                future.set_result(found)
        used = self._tidy()
        self._on_commit(Committed(list(inbox.items), records, used, self._database.dropped_to))
        return True

    def _write(self, item: Append | Move) -> Record | None:
        if isinstance(item, Move):
            self._database.move(item.consumer, item.position, item.outcome, item.corrupt)
            return None
        last = self._database.seqs.get(item.producer, 0)
        seq = last + 1 if item.seq is None else item.seq
        if seq <= last:
            return None
        self._database.reject(item.delivery.rejects)
        batch = item.delivery.batch
        if not len(batch):
            self._database.seqs[item.producer] = seq
            return None
        position = self._database.append(
            batch, item.producer, seq, item.received_ns, item.monotonic_ns, synced=item.synced
        )
        return Record(position, item.producer, seq, item.received_ns, batch)

    def _count(self, records: Iterable[Record], lost: Mapping[str, int]) -> None:
        ingested: dict[str, int] = dict(lost)
        for record in records:
            ingested[record.producer] = ingested.get(record.producer, 0) + len(record.batch)
        for producer, readings in ingested.items():
            self._database.count(producer, readings, lost.get(producer, 0))
        self._database.save_total()

    def _tidy(self) -> int:
        """Prunes, enforces the quota and truncates the write-ahead log, each now and then; bytes in use."""
        database, now = self._database, time.monotonic()
        try:
            database.forget_letters(max(_LETTER_BYTES, self._max_bytes // 20))
            if now - self._pruned_at >= _PRUNE_EVERY_S:
                self._pruned_at = now
                while database.prune() and time.monotonic() < now + _PRUNE_FOR_S:
                    pass
            dropped = 0
            while count := database.enforce(self._max_bytes):
                dropped += count
            if dropped:
                _log.warning("over its quota of %d bytes: dropped the oldest %d batches", self._max_bytes, dropped)
            if now - self._checkpointed_at >= _CHECKPOINT_EVERY_S:
                self._checkpointed_at = now
                database.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._used_bytes = used_bytes(database.db)
        except _DISK_REFUSES as exc:
            _log.warning("cannot tidy up now: %s", exc)
        return self._used_bytes

    def _put_back(self, inbox: _Inbox) -> None:
        with self._wake:
            inbox.items.extend(self._inbox.items)
            inbox.tags.extend(self._inbox.tags)
            for producer, readings in self._inbox.lost.items():
                inbox.lost[producer] = inbox.lost.get(producer, 0) + readings
            inbox.closing = self._inbox.closing
            self._inbox = inbox
            self._rule.note(time.monotonic(), "", 1.0, 0, awaited=True)

    def _block(self, reason: str) -> None:
        if bool(reason) != bool(self._blocked):
            if reason:
                _log.error("cannot write the journal (%s): keeping readings in memory and trying again", reason)
            else:
                _log.info("the journal can be written again")
            self._blocked = reason
            self._on_block(reason)

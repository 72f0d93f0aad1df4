"""journal.db itself: opening, and the statements that one commit consists of. Used by the writer thread alone."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from importlib.resources import files
from pathlib import Path
from typing import IO

import apsw

from gateway.journal.accounting import row, rows, used_bytes
from gateway.model import Batch, Tag
from gateway.model.wire import Header, encode
from gateway.ports import Outcome, Reject, Unusable

_SCHEMA = 1
_PRUNE_ROWS = 500
_DROP_ROWS = 100


class JournalError(Unusable):
    """The journal cannot be used; the text says what to do. Nothing was changed or deleted."""


class JournalInUse(JournalError):  # noqa: N818  # a state, for its user to mend
    """Another gateway runs on the journal."""


def lock(path: Path) -> IO[bytes]:
    """Holds the journal for this process. JournalInUse: another has it. JournalError: the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_name(path.name + ".lock").open("ab")
    except OSError as exc:
        raise JournalError(
            f"cannot write in {path.parent}: {exc.strerror}; create it for this user or set journal.path"
        ) from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        handle.close()
        raise JournalInUse(f"another gateway runs on {path}: stop it, or give this one its own journal.path") from exc
    return handle


def connect(path: Path) -> apsw.Connection:
    """The one read-write connection. JournalError: not a journal, a newer schema, not writable."""
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(5000)
        db.pragma("page_size", 8192)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.pragma("journal_size_limit", 4 * 2**20)
        found = row(db, "SELECT count(*) FROM sqlite_schema")
        if found == (0,):
            schema = files("gateway.journal").joinpath("schema_v1.sql").read_text()
            db.execute(f"BEGIN IMMEDIATE; {schema}; COMMIT")
        (version,) = row(db, "SELECT value FROM meta WHERE key = 'schema'")
        if row(db, "SELECT count(*) FROM pragma_table_info('tag') WHERE name = 'source_time'") == (0,):
            db.execute("ALTER TABLE tag ADD COLUMN source_time INTEGER NOT NULL DEFAULT 0")  # a file from before 0.1
    except (apsw.NotADBError, apsw.SQLError, apsw.CorruptError, TypeError) as exc:
        raise JournalError(
            f"{path} is not a journal ({exc}); move it away to start a new one, nothing was changed"
        ) from exc
    except apsw.Error as exc:
        raise JournalError(f"cannot open {path}: {exc}; check the folder's owner and free space") from exc
    if version != _SCHEMA:
        raise JournalError(f"{path} has schema {version}, this Lineside knows {_SCHEMA}: run the version that wrote it")
    return db


def config_hash(tag: Tag) -> str:
    """Changes when a tag's definition does, so that it gets a new id."""
    return hashlib.blake2b(json.dumps(astuple(tag)).encode(), digest_size=8).hexdigest()


class Database:
    """The statements; every call but `open` runs inside a transaction that the writer begins."""

    def __init__(self, path: Path) -> None:
        self._lock = lock(path)
        try:
            self.db = connect(path)
        except JournalError:
            self._lock.close()
            raise
        try:
            self.db.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
        except apsw.Error as exc:
            self.close()
            raise JournalError(f"cannot write {path}: {exc}; check free space and the folder's owner") from exc
        (self.epoch,) = row(self.db, "SELECT value FROM meta WHERE key = 'epoch'")
        (self.total,) = row(self.db, "SELECT value FROM meta WHERE key = 'total'")
        self.seqs: dict[str, int] = dict(rows(self.db, "SELECT name, seq FROM producer"))
        self.dropped_to = 0
        (self.letter_bytes,) = row(self.db, "SELECT coalesce(sum(length(body)), 0) FROM dead_letter")
        self._boot_id = _boot_id()

    def close(self) -> None:
        """Checkpoints and releases file and lock."""
        self.db.close()
        self._lock.close()

    # tags and consumers -------------------------------------------------------------------------------------------

    def register(self, tags: Iterable[Tag]) -> list[tuple[int, Tag]]:
        """Ids of these definitions, new ones where a definition was not known."""
        found = []
        for tag in tags:
            definition = (*astuple(tag), config_hash(tag))
            self.db.execute(
                "INSERT INTO tag (name, type, unit, counter, modulus, period_ms, source, source_time, config_hash)"
                " VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                definition,
            )
            (tag_id,) = row(self.db, "SELECT id FROM tag WHERE name = ? AND config_hash = ?", tag.name, definition[-1])
            found.append((tag_id, tag))
        return found

    def set_consumers(self, consumers: Iterable[tuple[str, bool]]) -> None:
        """Who reads from now on: (name, from_now). Others keep their cursor but hold nothing back."""
        self.db.execute("UPDATE consumer SET active = 0")
        (oldest,) = row(self.db, "SELECT coalesce(min(position), 0) FROM batch")
        (newest,) = row(self.db, "SELECT coalesce(max(position), 0) FROM batch")
        before = self.total_at(oldest - 1)
        for name, from_now in consumers:
            position, total = (newest, self.total) if from_now else (max(0, oldest - 1), before)
            self.db.execute(
                "INSERT INTO consumer VALUES (?, 1, ?, ?, ?, 0, 0) ON CONFLICT (name) DO UPDATE SET active = 1",
                (name, position, total, total),
            )
        self._skip_lost(max(0, oldest - 1), before, "quota")

    # one commit ----------------------------------------------------------------------------------------------------

    def append(
        self, batch: Batch, producer: str, seq: int, received_ns: int, monotonic_ns: int, *, synced: bool
    ) -> int:
        """Writes a batch; its position."""
        header = Header(producer, self.epoch, seq, received_ns, monotonic_ns, self._boot_id, synced)
        self.total += len(batch)
        self.db.execute(
            "INSERT INTO batch (n, total, body) VALUES (?,?,?)", (len(batch), self.total, encode(header, batch))
        )
        self.seqs[producer] = seq
        return self.db.last_insert_rowid()

    def count(self, producer: str, ingested: int, lost: int) -> None:
        """Adds to a producer's books, with its newest seq."""
        self.db.execute(
            "INSERT INTO producer VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE SET"
            " seq = max(seq, excluded.seq), ingested = ingested + excluded.ingested, lost = lost + excluded.lost",
            (producer, self.seqs.get(producer, 0), ingested, lost),
        )

    def counters(self) -> tuple[int, int, dict[str, int]]:
        """What one commit changes in memory, for `restore` after a rollback."""
        return self.total, self.letter_bytes, dict(self.seqs)

    def restore(self, counters: tuple[int, int, dict[str, int]]) -> None:
        """Back to what was before the commit that failed."""
        self.total, self.letter_bytes, self.seqs = counters

    def save_total(self) -> None:
        """Stores the running total of all readings."""
        self.db.execute("UPDATE meta SET value = ? WHERE key = 'total'", (self.total,))

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Keeps payloads that could not be parsed."""
        self.db.executemany(
            "INSERT INTO dead_letter (consumer, time_ms, origin, reason, body) VALUES ('',?,?,?,?)",
            [(r.time_ns // 1_000_000, r.origin, r.reason, r.raw) for r in rejects],
        )
        self.letter_bytes += sum(len(reject.raw) for reject in rejects)

    def total_at(self, position: int) -> int:
        """Readings up to and including a position."""
        if found := row(
            self.db, "SELECT total FROM batch WHERE position <= ? ORDER BY position DESC LIMIT 1", position
        ):
            return int(found[0])
        found = row(self.db, "SELECT total - n FROM batch ORDER BY position LIMIT 1")
        return int(found[0]) if found else self.total

    def move(self, consumer: str, position: int, outcome: Outcome | None, corrupt: int = 0) -> None:
        """Moves a cursor and books what became of the readings passed; a position behind the cursor changes nothing."""
        cursor = row(self.db, "SELECT position, total FROM consumer WHERE name = ?", consumer)
        if not cursor or position <= cursor[0]:
            return
        total = self.total_at(position)
        dead = outcome.dead if outcome else ()
        dropped = dict(outcome.dropped) if outcome else {}
        if corrupt:
            dropped["corrupt"] = dropped.get("corrupt", 0) + corrupt
        dead_rows = sum(len(batch) for batch, _ in dead)
        delivered = total - cursor[1] - dead_rows - sum(dropped.values())
        self.db.execute(
            "UPDATE consumer SET position = ?, total = ?, delivered = delivered + ?, dead = dead + ? WHERE name = ?",
            (position, total, delivered, dead_rows, consumer),
        )
        now_ms = time.time_ns() // 1_000_000
        for batch, reason in dead:
            body = encode(Header(consumer, self.epoch), batch)
            self.letter_bytes += len(body)
            self.db.execute(
                "INSERT INTO dead_letter (consumer, time_ms, origin, reason, body) VALUES (?,?,'',?,?)",
                (consumer, now_ms, reason, body),
            )
        for reason, readings in dropped.items():
            self._drop(consumer, reason, readings)

    # space ---------------------------------------------------------------------------------------------------------

    def prune(self) -> int:
        """Deletes up to 500 batches that every active consumer is done with; how many."""
        (done,) = row(self.db, "SELECT min(position) FROM consumer WHERE active")
        return 0 if done is None else self._in_transaction(lambda: self._delete(done))

    def enforce(self, max_bytes: int) -> int:
        """Over quota: drops the oldest 100 batches, booked as dropped for whoever had not taken them; how many."""
        if used_bytes(self.db) <= max_bytes:
            return 0
        (oldest,) = row(
            self.db,
            "SELECT max(position) FROM (SELECT position FROM batch WHERE position < (SELECT max(position) FROM batch)"
            " ORDER BY position LIMIT ?)",
            _DROP_ROWS,
        )
        if oldest is None:
            return 0

        def drop() -> int:
            self.dropped_to = oldest
            self._skip_lost(oldest, self.total_at(oldest), "quota")
            return self._delete(oldest)

        return self._in_transaction(drop)

    def forget_letters(self, max_bytes: int) -> None:
        """Deletes the oldest dead letters over their own quota, so that a bad publisher costs no other readings."""
        while self.letter_bytes > max_bytes:
            oldest = rows(self.db, "SELECT id, length(body) FROM dead_letter ORDER BY id LIMIT ?", _DROP_ROWS)
            if not oldest:
                return
            ids, sizes = zip(*oldest, strict=True)
            self._in_transaction(lambda last=ids[-1]: self._forget_letters_to(last))  # type: ignore[misc]
            self.letter_bytes -= sum(sizes)

    def _forget_letters_to(self, last: int) -> int:
        self.db.execute("DELETE FROM dead_letter WHERE id <= ?", (last,))
        return self.db.changes()

    def _in_transaction(self, step: Callable[[], int]) -> int:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            changed = step()
            self.db.execute("COMMIT")
        except apsw.Error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        return changed

    def _delete(self, position: int) -> int:
        """Deletes the oldest rows up to a position, but never the newest row: its total is the account's anchor."""
        self.db.execute(
            "DELETE FROM batch WHERE position IN (SELECT position FROM batch WHERE position <= ?"
            " AND position < (SELECT max(position) FROM batch) ORDER BY position LIMIT ?)",
            (position, _PRUNE_ROWS),
        )
        return self.db.changes()

    def _skip_lost(self, position: int, total: int, reason: str) -> None:
        behind = rows(self.db, "SELECT name, total FROM consumer WHERE position < ?", position)
        for name, had in behind:
            self._drop(name, reason, total - had)
        self.db.execute("UPDATE consumer SET position = ?, total = ? WHERE position < ?", (position, total, position))

    def _drop(self, consumer: str, reason: str, readings: int) -> None:
        if readings:
            self.db.execute(
                "INSERT INTO dropped VALUES (?,?,?) ON CONFLICT DO UPDATE SET readings = readings + excluded.readings",
                (consumer, reason, readings),
            )


def _boot_id() -> bytes:
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except OSError:
        return os.urandom(16)

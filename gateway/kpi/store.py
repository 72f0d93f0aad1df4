"""kpi.db: opening it, and what one transaction of the engine reads and writes. One thread owns the connection."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.kpi.buckets import quantities
from gateway.kpi.chunks import Chunks
from gateway.kpi.laid import Intervals
from gateway.kpi.outbox import Outbox
from gateway.kpi.split import Splits
from gateway.ports import Unusable

SCHEMA: Final = "2"
COLUMNS: Final = ", ".join(quantities)
Row = tuple[int, ...]
"""One int per quantity, in the order of `quantities`."""
Later = tuple[tuple[tuple[int, int], ...], str]
"""Stored minutes that are to be computed again, as ranges in ms; and who asked for it, "" where late facts did."""
SegmentRow = tuple[int, int, str, str, str]
"""from_ms, to_ms, class, state, reason."""


class StoreError(Unusable):
    """kpi.db cannot be used; the text says what to do. Nothing was changed or deleted."""


class StoreFull(OSError):  # noqa: N818  # a state of the disk: nothing was changed, the caller tries again
    """kpi.db cannot be written now (disk full, I/O error): nothing was changed, try again later."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an owner's minutes are; all times in ms, minutes before `closed_ms` are published."""

    first_ms: int
    newest_ms: int
    horizon_ms: int
    closed_ms: int
    final_ms: int
    sealed_ms: int


def connect(path: Path) -> apsw.Connection:
    """The read-write connection, on a file that is created where there is none. StoreError: says what is wrong."""
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(5000)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.pragma("journal_size_limit", 4 * 2**20)
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            db.execute(f"BEGIN IMMEDIATE; {_schema()}; COMMIT")
        found = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except (apsw.NotADBError, apsw.SQLError, apsw.CorruptError) as exc:
        raise StoreError(f"{path} is not a kpi.db ({exc}); move it away to start a new one") from exc
    except apsw.Error as exc:
        raise StoreError(f"cannot open {path}: {exc}; check the folder's owner and free space") from exc
    if found != (SCHEMA,):
        known = f"this Lineside knows {SCHEMA}"
        wrote = f"{path} has schema {found[0]}, {known}" if found else f"{path} names no schema, {known}"
        raise StoreError(f"{wrote}: run the version that wrote it, or move it away to begin anew from the journal")
    return db


def _schema() -> str:
    text = files("gateway.kpi").joinpath("schema_v2.sql").read_text()
    columns = ", ".join(f"{name} INTEGER NOT NULL" for name in quantities)
    # a new file goes on above the seqs of one that was moved away, which the journal would ignore as seen
    first_seq = time.time_ns() // 1_000_000
    return (
        text.replace("{quantities}", columns)
        + f"INSERT INTO meta VALUES ('schema', '{SCHEMA}');"
        + f"INSERT INTO sqlite_sequence VALUES ('outbox', {first_seq})"
    )


class Store:
    """The statements. Everything but reads runs inside `transaction`."""

    def __init__(self, path: Path) -> None:
        self.db = connect(path)
        self.chunks = Chunks(self.db)
        self.outbox = Outbox(self.db)
        self.intervals = Intervals(self.db)
        self.splits = Splits(self.db)
        self._texts = {float(code): str(text) for code, text in self.db.execute("SELECT id, text FROM text")}

    def close(self) -> None:
        """Releases the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. StoreFull: the disk did not take it, nothing was changed."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        except (apsw.FullError, apsw.IOError, apsw.BusyError) as exc:
            raise StoreFull(f"kpi.db cannot be written: {exc}") from exc

    def rows(self, sql: str, bindings: Sequence[str | int] = ()) -> list[Any]:
        """All rows of a statement. Columns are as the schema says, which type checkers cannot know."""
        return self.db.execute(sql, bindings).fetchall()

    # small things ---------------------------------------------------------------------------------------------------

    def get(self, key: str, default: str = "") -> str:
        """A value of `meta`."""
        found = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else default

    def put(self, **values: object) -> None:
        """Sets values of `meta`."""
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?,?)", [(k, str(v)) for k, v in values.items()])

    def learn(self, texts: Mapping[float, str]) -> None:
        """Knows texts of state codes before they are stored."""
        self._texts |= texts

    def add_texts(self, texts: Mapping[float, str]) -> None:
        """Keeps the texts of codes."""
        self.db.executemany("INSERT OR IGNORE INTO text VALUES (?,?)", [(int(c), text) for c, text in texts.items()])

    @property
    def texts(self) -> Mapping[float, str]:
        """Code → text, also of those that are not stored yet."""
        return self._texts

    def text_of(self, code: float) -> str:
        """The text of a state code."""
        return self._texts.get(code, "")

    def progress(self) -> dict[str, Progress]:
        """How far each owner is."""
        return {owner: Progress(*rest) for owner, *rest in self.db.execute("SELECT * FROM progress")}

    def set_progress(self, owner: str, progress: Progress) -> None:
        """Moves an owner on."""
        p = progress
        row = (owner, p.first_ms, p.newest_ms, p.horizon_ms, p.closed_ms, p.final_ms, p.sealed_ms)
        self.db.execute("INSERT OR REPLACE INTO progress VALUES (?,?,?,?,?,?,?)", row)

    def models(self, asset: str) -> list[tuple[int, str, str]]:
        """valid_from_ms, hash and json of an asset's models, oldest first."""
        sql = "SELECT valid_from_ms, hash, json FROM model WHERE asset = ? ORDER BY valid_from_ms"
        return self.rows(sql, (asset,))

    def add_model(self, asset: str, valid_from_ms: int, digest: str, text: str) -> None:
        """Records what an asset is from a time on."""
        self.db.execute("INSERT OR REPLACE INTO model VALUES (?,?,?,?)", (asset, valid_from_ms, digest, text))

    def later(self) -> dict[str, Later]:
        """What assets still have to compute again."""
        found = json.loads(self.get("later", "{}"))
        return {asset: (tuple((start, end) for start, end in spans), by) for asset, (spans, by) in found.items()}

    def put_later(self, found: Mapping[str, Later]) -> None:
        """Sets that of some assets."""
        known = self.later()
        changed = {asset: later for asset, later in {**known, **found}.items() if later[0]}
        if changed != known:
            self.put(later=json.dumps(changed))

    def add_audit(self, at_ms: int, kind: str, owner: str, by: str, detail: str) -> None:
        """Notes what changed numbers that were final, or who asked for it."""
        sql = "INSERT INTO audit (at_ms, kind, owner, by, detail) VALUES (?,?,?,?,?)"
        self.db.execute(sql, (at_ms, kind, owner, by, detail))

    def replace_models(self, asset: str, models: Iterable[tuple[int, str, str]]) -> None:
        """Writes an asset's models (valid_from_ms, hash, json) in place of those it had."""
        self.db.execute("DELETE FROM model WHERE asset = ?", (asset,))
        self.db.executemany("INSERT INTO model VALUES (?,?,?,?)", [(asset, *model) for model in models])

    # buckets --------------------------------------------------------------------------------------------------------

    def minutes(self, owner: str, first: int, last: int) -> dict[int, tuple[Row, int]]:
        """minute → (quantities, revision) of the stored minutes first … last."""
        sql = f"SELECT minute, revision, {COLUMNS} FROM minute WHERE asset = ? AND minute BETWEEN ? AND ?"
        return {minute: (tuple(row), revision) for minute, revision, *row in self.db.execute(sql, (owner, first, last))}

    def put_minutes(self, owner: str, rows: Iterable[tuple[int, Row, int, bool, str]]) -> None:
        """Writes (minute, quantities, revision, final, model hash)."""
        marks = ",".join("?" * (len(quantities) + 5))
        self.db.executemany(
            f"INSERT OR REPLACE INTO minute VALUES ({marks})",
            [(owner, minute, *row, *rest) for minute, row, *rest in rows],
        )

    def finish_minutes(self, owner: str, from_ms: int, to_ms: int) -> None:
        """Marks the minutes of a range final."""
        sql = "UPDATE minute SET final = 1 WHERE asset = ? AND minute >= ? AND minute < ?"
        self.db.execute(sql, (owner, from_ms // 60_000, to_ms // 60_000))

    def summed(self, owners: Sequence[str], first: int, last: int) -> NDArray[np.int64]:
        """Rows (minute, quantities …) of the owners' sums for the minutes first … last that any of them has."""
        sums = ", ".join(f"sum({name})" for name in quantities)
        marks = ",".join("?" * len(owners))
        sql = f"SELECT minute, {sums} FROM minute WHERE asset IN ({marks}) AND minute BETWEEN ? AND ? GROUP BY minute"
        found = self.rows(sql, (*owners, first, last))
        return np.array(found, np.int64).reshape(-1, len(quantities) + 1)

    def forget_minutes(self, owner: str, before_ms: int, limit: int) -> None:
        """Deletes at most `limit` minutes that are older than their retention; hours and longer stay."""
        old = "SELECT minute FROM minute WHERE asset = ?1 AND minute < ?2 LIMIT ?3"
        sql = f"DELETE FROM minute WHERE asset = ?1 AND minute IN ({old})"
        self.db.execute(sql, (owner, before_ms // 60_000, limit))

    def forget_segments(self, asset: str, before_ms: int, limit: int) -> None:
        """Deletes at most `limit` segments that ended before a time."""
        old = "SELECT from_ms FROM segment WHERE asset = ?1 AND from_ms < ?2 AND to_ms <= ?2 ORDER BY from_ms LIMIT ?3"
        self.db.execute(f"DELETE FROM segment WHERE asset = ?1 AND from_ms IN ({old})", (asset, before_ms, limit))

    def replace_segments(self, asset: str, from_ms: int, to_ms: int, found: Sequence[SegmentRow]) -> None:
        """Puts these segments in place of what the range held; neighbours that are alike are joined."""
        sql = "SELECT coalesce(max(from_ms), ?2) FROM segment WHERE asset = ?1 AND from_ms < ?2"
        (floor,) = self.rows(sql, (asset, from_ms))[0]
        columns = "from_ms, to_ms, class, state, reason"
        sql = f"SELECT {columns} FROM segment WHERE asset = ? AND from_ms BETWEEN ? AND ? AND to_ms >= ?"
        old: list[SegmentRow] = self.rows(sql, (asset, floor, to_ms, from_ms))
        left = [(row[0], min(row[1], from_ms), *row[2:]) for row in old if row[0] < from_ms]
        right = [(max(row[0], to_ms), *row[1:]) for row in old if row[1] > to_ms]
        self.db.executemany("DELETE FROM segment WHERE asset = ? AND from_ms = ?", [(asset, row[0]) for row in old])
        rows = joined([*left, *found, *right])
        self.db.executemany("INSERT OR REPLACE INTO segment VALUES (?,?,?,?,?,?)", [(asset, *row) for row in rows])

    def open_run(self, asset: str, classes: Sequence[str]) -> int | None:
        """When the unbroken run of segments of these classes began that reaches to the newest segment."""
        marks = ",".join("?" * len(classes))
        sql = f"SELECT to_ms FROM segment WHERE asset = ? AND class NOT IN ({marks}) ORDER BY from_ms DESC LIMIT 1"
        other = self.db.execute(sql, (asset, *classes)).fetchone()
        sql = "SELECT min(from_ms), max(to_ms) FROM segment WHERE asset = ?"
        first, newest = self.rows(sql, (asset,))[0]
        if newest is None or (other and other[0] >= newest):
            return None
        return int(other[0]) if other else int(first)

    def began(self, asset: str, at_ms: int, kind: str, state: str) -> int:
        """When a segment began that goes on at `at_ms` with this class and state."""
        sql = "SELECT from_ms FROM segment WHERE asset = ? AND to_ms = ? AND class = ? AND state = ? AND from_ms <= ?"
        sql += " ORDER BY from_ms DESC LIMIT 1"
        found = self.db.execute(sql, (asset, at_ms, kind, state, at_ms)).fetchone()
        return int(found[0]) if found else at_ms


def joined(segments: Iterable[SegmentRow]) -> list[SegmentRow]:
    """Touching neighbours of one class, state and reason become one segment."""
    rows: list[SegmentRow] = []
    for row in segments:
        if rows and rows[-1][1] == row[0] and rows[-1][2:] == row[2:]:
            rows[-1] = (rows[-1][0], *row[1:])
        elif row[1] > row[0]:
            rows.append(row)
    return rows

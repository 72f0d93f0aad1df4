"""Where every reading went: ingested = delivered + buffered + dead-lettered + dropped, per consumer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from gateway.model import Tag, TagTable, TagType
from gateway.ports import Unusable


class NoJournal(Unusable):
    """There is no journal (yet)."""


def rows(db: apsw.Connection, sql: str, *values: float | str | bytes | None) -> list[tuple[Any, ...]]:
    """All rows of a query; the schema, not Python, says their types."""
    return db.execute(sql, values).fetchall()


def row(db: apsw.Connection, sql: str, *values: float | str | bytes | None) -> tuple[Any, ...]:
    """The first row of a query, () where there is none."""
    found: tuple[Any, ...] | None = db.execute(sql, values).fetchone()
    return found or ()


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the readings that one consumer was to take, all as counts of readings."""

    consumer: str
    active: bool
    position: int
    ingested: int
    delivered: int
    buffered: int
    dead: int
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """The invariant that every reading is in exactly one place."""
        return self.ingested == self.delivered + self.buffered + self.dead + sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class Producer:
    """What one producer delivered; `lost` never reached the disk."""

    name: str
    seq: int
    ingested: int
    lost: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The journal's books at one commit."""

    bytes: int
    batches: int
    newest: int
    dead_letters: int
    accounts: tuple[Account, ...]
    producers: tuple[Producer, ...]


def read_ledger(db: apsw.Connection) -> Ledger:
    """The books of an open journal."""
    with db:
        (total,) = row(db, "SELECT value FROM meta WHERE key = 'total'")
        dropped: dict[str, dict[str, int]] = {}
        for consumer, reason, readings in rows(db, "SELECT consumer, reason, readings FROM dropped"):
            dropped.setdefault(consumer, {})[reason] = readings
        accounts = tuple(
            Account(name, bool(active), position, total - start, delivered, total - at, dead, dropped.get(name, {}))
            for name, active, position, at, start, delivered, dead in rows(
                db,
                "SELECT name, active, position, total, start_total, delivered, dead FROM consumer ORDER BY name",
            )
        )
        producers = tuple(
            Producer(*found) for found in rows(db, "SELECT name, seq, ingested, lost FROM producer ORDER BY name")
        )
        oldest, newest = row(db, "SELECT coalesce(min(position), 1), coalesce(max(position), 0) FROM batch")
        (dead,) = row(db, "SELECT count(*) FROM dead_letter")
    return Ledger(used_bytes(db), newest - oldest + 1, newest, dead, accounts, producers)


def read_tags(db: apsw.Connection) -> TagTable:
    """Every tag ever registered."""
    columns = "id, name, type, unit, counter, modulus, period_ms, source, source_time"
    found = rows(db, f"SELECT {columns} FROM tag ORDER BY id")
    return TagTable((i, Tag(n, TagType(t), u, bool(c), m, p, s, bool(own))) for i, n, t, u, c, m, p, s, own in found)


def used_bytes(db: apsw.Connection) -> int:
    """Bytes of the main file that hold data; free pages are reused and do not count."""
    pages, free, size = (db.pragma(name) for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def open_readonly(path: Path) -> apsw.Connection:
    """A read-only connection to a journal that may be in use. NoJournal: there is none yet."""
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        db.set_busy_timeout(2000)
        row(db, "SELECT value FROM meta")
    except (apsw.CantOpenError, apsw.SQLError) as exc:
        raise NoJournal(f"no journal at {path}: the gateway has not run with this config yet") from exc
    return db

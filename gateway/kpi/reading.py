"""kpi.db for readers: while the gateway runs or after it stopped, never written."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from gateway.kpi.store import SCHEMA, StoreError

_BUSY_MS = 5000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Something that changed numbers which were final, or had them computed again. detail: its own fields by kind."""

    at_ms: int
    kind: str
    owner: str
    by: str
    detail: dict[str, Any]


class NoKpis(StoreError):  # noqa: N818  # an answer, not a fault
    """kpi.db cannot be read now; the text says why."""


def open_to_read(path: Path, busy_ms: int) -> apsw.Connection:
    """A read-only connection; busy_ms: how long it waits for a writer. NoKpis: no file yet, or of another version."""
    if not path.exists():
        raise NoKpis(f"{path} does not exist yet: the gateway writes it when it has run for a minute")
    with _in_our_words(path):
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(busy_ms)
            found = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except apsw.Error:
            db.close()
            raise
    if found != (SCHEMA,):
        db.close()
        raise NoKpis(f"{path} has another schema than {SCHEMA}: use the Lineside that wrote it")
    return db


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A read-only connection for a while. NoKpis: kpi.db cannot be read."""
    db = open_to_read(path, _BUSY_MS)
    try:
        with _in_our_words(path):
            yield db
    finally:
        db.close()


@contextmanager
def _in_our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.Error as exc:
        raise NoKpis(f"{path} cannot be read: {exc}") from exc


def audit_records(db: apsw.Connection, owners: Sequence[str], limit: int) -> list[AuditRecord]:
    """The newest records, newest first. owners: of these only; none: of all."""
    sql = "SELECT at_ms, kind, owner, by, detail FROM audit"
    sql += f" WHERE owner IN ({','.join('?' * len(owners))})" if owners else ""
    found: list[Any] = db.execute(f"{sql} ORDER BY id DESC LIMIT ?", (*owners, limit)).fetchall()
    return [AuditRecord(at_ms, kind, owner, by, json.loads(detail)) for at_ms, kind, owner, by, detail in found]


def revisions(db: apsw.Connection, assets: Sequence[str], span: tuple[int, int]) -> int:
    """How often minutes of a range were stored anew: it grows by one with each minute that changes."""
    marks = ",".join("?" * len(assets))
    sql = f"SELECT coalesce(sum(revision), 0) FROM minute WHERE asset IN ({marks}) AND minute >= ? AND minute < ?"
    found: Any = db.execute(sql, (*assets, span[0] // 60_000, -(-span[1] // 60_000))).fetchone()
    return int(found[0])

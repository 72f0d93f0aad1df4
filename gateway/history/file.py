"""history.db as a SQLite file: opening, transactions, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import apsw

from gateway.history.codec import UnreadableChunk
from gateway.ports import Unusable

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = files("gateway.history").joinpath(f"schema_v{SCHEMA_VERSION}.sql").read_text("utf-8")
_APPLICATION_ID: Final = 0x4C4E4831  # "LNH1"
_PAGE_SIZE: Final = 4096
_CACHE_KIB: Final = 4096
_WAL_LIMIT: Final = 16 << 20
_BUSY_MS: Final = 5000


class StoreFault(OSError):  # noqa: N818  # the fault lies outside: disk, permissions, another process
    """The file cannot be written now (I/O error, locked, read-only). Nothing was taken in twice: try again later."""


class StoreFull(StoreFault):
    """There is no space left for the file. Nothing is lost while the journal holds it: try again later."""


class StoreUnusable(Unusable):  # a state of the file that a retry cannot heal
    """The file is damaged, not a history, or was written by a later version; the text says what to do."""


class NoHistory(LookupError):  # noqa: N818  # an answer rather than a fault
    """There is no history file (yet)."""


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into the history's own."""
    try:
        yield
    except apsw.FullError as exc:
        raise StoreFull(f"{path}: no space left; free some, or lower `retention` or the history's size") from exc
    except (apsw.CorruptError, apsw.NotADBError, UnreadableChunk) as exc:
        raise StoreUnusable(f"{path}: damaged or not a history ({exc}); move it away to start a new one") from exc
    except (apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.ReadOnlyError, apsw.CantOpenError) as exc:
        raise StoreFault(f"{path}: {exc}") from exc


def create_or_open(path: Path) -> apsw.Connection:
    """The writer's connection. StoreFault, StoreUnusable: say why not."""
    with in_our_words(path):
        db = apsw.Connection(str(path))
        db.set_busy_timeout(_BUSY_MS)
        is_new = db.pragma("user_version") == 0 and db.pragma("schema_version") == 0
        if is_new:
            db.pragma("page_size", _PAGE_SIZE)
        else:
            check_schema(db, path)
        db.pragma("journal_mode", "wal")
        db.pragma("journal_size_limit", _WAL_LIMIT)
        db.pragma("cache_size", -_CACHE_KIB)
        if is_new:
            _create(db)
        return db


def open_to_read(path: Path) -> apsw.Connection:
    """A connection that only reads. NoHistory, StoreFault, StoreUnusable: say why not."""
    with in_our_words(path):
        try:
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.CantOpenError as exc:
            if path.exists():
                raise
            raise NoHistory(f"{path}: no history yet; the gateway creates it when it starts") from exc
        db.set_busy_timeout(_BUSY_MS)
        db.pragma("cache_size", -_CACHE_KIB)
        check_schema(db, path)
        return db


def check_schema(db: apsw.Connection, path: Path) -> None:
    """StoreUnusable: the file is of a later version, or something else than a history."""
    version, application = db.pragma("user_version"), db.pragma("application_id")
    if application != _APPLICATION_ID:
        raise StoreUnusable(f"{path}: a SQLite file, but not a history of Lineside; choose another path")
    if version != SCHEMA_VERSION:
        raise StoreUnusable(f"{path}: schema {version}, this Lineside reads {SCHEMA_VERSION}; install the later one")


@contextmanager
def transaction(db: apsw.Connection, *, durable: bool = False) -> Iterator[None]:
    """Commits at the end or leaves the file as it was.

    durable: the commit returns when it and, the log being one file, every commit before it are on the disk.
    """
    db.pragma("synchronous", "full" if durable else "normal")
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _create(db: apsw.Connection) -> None:
    with transaction(db, durable=True):
        db.execute(_SCHEMA)
        db.pragma("application_id", _APPLICATION_ID)
        db.pragma("user_version", SCHEMA_VERSION)

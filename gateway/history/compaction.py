"""Keeps the file small and quick to read: folds blocks, settles them into chunks; one slice per call."""

from typing import Final, cast

import apsw

from gateway.history.codec import decode, encode
from gateway.history.file import transaction
from gateway.history.readings import Readings
from gateway.history.writer import add_block

_FOLD_AT: Final = 96  # fresh blocks of a group: a query decodes at most so many small ones
_SETTLE_AT: Final = 192_000  # readings of a group: about 3,000 per chunk and 15 MB of memory while settling
_SETTLE_FOLDED_AT: Final = 32  # folded blocks of a group, for groups with few readings
_CHUNK_READINGS: Final = 8192

_DUE = """
SELECT tag_group, sum(count) >= :settle OR sum(folded) >= :folded FROM block GROUP BY tag_group
HAVING sum(count) >= :settle OR sum(folded) >= :folded OR sum(NOT folded) >= :fold ORDER BY sum(count) DESC LIMIT 1"""
_BLOCKS = "SELECT id, data FROM block WHERE tag_group = ? AND folded <= ? ORDER BY id"
_CHUNK = "INSERT INTO chunk (tag, from_ms, to_ms, count, data) VALUES (?, ?, ?, ?, ?)"


def compact(db: apsw.Connection) -> bool:
    """Folds or settles the blocks of the one group that needs it most; false where none does."""
    limits = {"settle": _SETTLE_AT, "folded": _SETTLE_FOLDED_AT, "fold": _FOLD_AT}
    due = db.execute(_DUE, limits).fetchone()
    if due is None:
        return False
    group, settles = cast("tuple[int, int]", due)
    rows = db.execute(_BLOCKS, (group, settles)).fetchall()
    readings = Readings.concat([decode(cast("bytes", data)) for _, data in rows]).sorted()
    with transaction(db):
        db.executemany("DELETE FROM block WHERE id = ?", [(block,) for block, _ in rows])
        if settles:
            settle(db, readings)
        else:
            add_block(db, group, 1, readings)
    return True


def settle(db: apsw.Connection, readings: Readings) -> None:
    """Writes sorted readings as chunks, one row per tag and span."""
    for of_tag in readings.split(readings.runs()):
        for start in range(0, len(of_tag), _CHUNK_READINGS):
            part = of_tag[start : start + _CHUNK_READINGS]
            span = int(part.time_ms[0]), int(part.time_ms[-1])
            db.execute(_CHUNK, (int(part.tag[0]), *span, len(part), encode(part)))

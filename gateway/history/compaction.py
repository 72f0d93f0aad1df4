"""Keeps the file small and quick to read: folds blocks, settles them into chunks; one slice per call."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final, cast

import apsw

from gateway.history.codec import UnreadableChunk, decode, encode
from gateway.history.file import transaction
from gateway.history.readings import Readings
from gateway.history.writer import add_block

log = logging.getLogger("lineside.history")

_DUE: Final = """
SELECT tag_group, sum(count) >= :settle_at OR sum(folded) >= :settle_folded_at FROM block GROUP BY tag_group
HAVING sum(count) >= :settle_at OR sum(folded) >= :settle_folded_at OR sum(NOT folded) >= :fold_at
ORDER BY sum(count) DESC LIMIT 1"""
_BLOCKS: Final = "SELECT id, data FROM block WHERE tag_group = ? AND folded <= ? ORDER BY id"
_CHUNK: Final = "INSERT INTO chunk (tag, from_ms, to_ms, count, data) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Compaction:
    """When blocks become chunks. Counts only, no clock: the same readings always end in the same chunks.

    fold_at           fresh blocks of a group become one folded block: a query decodes at most so many small ones
    settle_at         readings of a group become chunks: about 3,000 per tag, and 15 MB of memory while doing it
    settle_folded_at  so do so many folded blocks, for groups with few readings
    chunk_readings    a chunk holds at most so many readings
    """

    fold_at: int = 96
    settle_at: int = 192_000
    settle_folded_at: int = 32
    chunk_readings: int = 8192

    def step(self, db: apsw.Connection) -> bool:
        """Folds or settles the blocks of the one group that needs it most; false where none does."""
        due = db.execute(_DUE, asdict(self)).fetchone()
        if due is None:
            return False
        group, settles = cast("tuple[int, int]", due)
        rows = cast("list[tuple[int, bytes]]", db.execute(_BLOCKS, (group, settles)).fetchall())
        readings = Readings.concat(list(_readable(rows))).sorted()
        with transaction(db):
            db.executemany("DELETE FROM block WHERE id = ?", [(block,) for block, _ in rows])
            if settles:
                self._settle(db, readings)
            elif len(readings):
                add_block(db, group, 1, readings)
        return True

    def _settle(self, db: apsw.Connection, readings: Readings) -> None:
        for of_tag in readings.split(readings.runs()):
            for start in range(0, len(of_tag), self.chunk_readings):
                part = of_tag[start : start + self.chunk_readings]
                span = int(part.time_ms[0]), int(part.time_ms[-1])
                db.execute(_CHUNK, (int(part.tag[0]), *span, len(part), encode(part)))


def _readable(blocks: Iterable[tuple[int, bytes]]) -> Iterator[Readings]:
    """What the blocks hold. A damaged one (a failing card) is given up and said, so that all others live on."""
    for block, data in blocks:
        try:
            yield decode(data)
        except UnreadableChunk as exc:
            log.error("a block of readings is lost (%d, %d bytes): %s", block, len(data), exc)  # noqa: TRY400

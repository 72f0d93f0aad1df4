"""What is too old or too much goes, oldest first; one slice per call."""

from dataclasses import dataclass
from typing import Final

import apsw

from gateway.history.file import transaction
from gateway.history.rollup import MINUTE_MS, MINUTE_S

_SLICE_CHUNKS: Final = 500
_SLICE_MINUTES_S: Final = 300

_OLD_CHUNKS = "DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE to_ms < ? ORDER BY to_ms LIMIT ?)"
_OLD_BLOCKS = "DELETE FROM block WHERE to_ms < ?"
_OLD_MINUTES = "DELETE FROM minute WHERE time_s < min(?, (SELECT min(time_s) FROM minute) + ?)"
_OLD_KPIS = """
WITH RECURSIVE each (owner) AS (
    SELECT min(owner) FROM kpi
    UNION ALL SELECT (SELECT min(owner) FROM kpi WHERE owner > each.owner) FROM each WHERE each.owner IS NOT NULL)
DELETE FROM kpi WHERE window = 'minute' AND start_ms < ? AND owner IN (SELECT owner FROM each)"""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long readings (raw) and roll-ups (minute; KPIs of minutes too) stay, and how large the file grows."""

    raw_s: float
    minute_s: float
    max_size: int

    def apply(self, db: apsw.Connection, now_ms: int) -> None:
        """Deletes one slice of what is older than it may be.

        Age counts from the newest reading, or from `now_ms` where a reading claims to be later: neither an import of
        old data nor a wrong time in one payload empties the history.
        """
        newest_ms = min(now_ms, db.execute("SELECT newest_ms FROM cursor").get)
        raw_ms, minute_ms = newest_ms - int(self.raw_s * 1000), newest_ms - int(self.minute_s * 1000)
        with transaction(db):
            db.execute(_OLD_CHUNKS, (raw_ms, _SLICE_CHUNKS))
            db.execute(_OLD_BLOCKS, (raw_ms,))
            db.execute(_OLD_MINUTES, (minute_ms // MINUTE_MS * MINUTE_S, _SLICE_MINUTES_S))
            db.execute(_OLD_KPIS, (minute_ms,))

    def make_room(self, db: apsw.Connection) -> bool:
        """Deletes one slice of the oldest readings, then of roll-ups, where the file is too large; false where not."""
        if used_bytes(db) <= self.max_size:
            return False
        forever = 1 << 62
        with transaction(db):
            db.execute(_OLD_CHUNKS, (forever, _SLICE_CHUNKS))
            if not db.changes():
                db.execute(_OLD_MINUTES, (forever, _SLICE_MINUTES_S))
            return bool(db.changes())


def used_bytes(db: apsw.Connection) -> int:
    """Bytes of the pages in use; deleted ones are used again before the file grows."""
    pages = db.pragma("page_count") - db.pragma("freelist_count")
    return int(pages * db.pragma("page_size"))

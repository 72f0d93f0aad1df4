"""What people booked, in kpi.db: every revision of every entry, so that nothing is corrected without a trace."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw

from gateway.kpi.entries import Entry, dump, load

Booked = tuple[str, Entry]
"""Asset and entry."""
_LATEST: Final = "SELECT asset, text FROM entry e WHERE revision = (SELECT max(revision) FROM entry WHERE id = e.id)"


class EntryBook:
    """Entries that are stored, and those that the next commit will store. Lives in the worker thread."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._fresh: dict[tuple[str, int], Booked] = {}

    def absorb(self, booked: Iterable[Booked]) -> None:
        """Takes entries into memory; they are durable after the next commit."""
        self._fresh |= {(entry.id, entry.revision): (asset, entry) for asset, entry in booked}

    def write(self) -> None:
        """Inside the store's transaction: stores what is fresh."""
        rows = [
            (asset, one.id, one.revision, one.kind, one.from_ms, one.to_ms, one.usable, dump(one))
            for asset, one in self._fresh.values()
        ]
        self._db.executemany("INSERT OR REPLACE INTO entry VALUES (?,?,?,?,?,?,?,?)", rows)

    def settle(self) -> None:
        """The transaction is through."""
        self._fresh.clear()

    def find(self, entry_ids: Sequence[str]) -> dict[str, Booked]:
        """The newest revision of each of these entries that is known, by id."""
        found: dict[str, Booked] = {}
        for entry_id in entry_ids:
            row = self._db.execute(f"{_LATEST} AND id = ?", (entry_id,)).fetchone()
            if row:
                found[entry_id] = _booked(row)
        wanted = set(entry_ids)
        for asset, entry in self._fresh.values():
            known = found.get(entry.id)
            if entry.id in wanted and (known is None or entry.revision > known[1].revision):
                found[entry.id] = (asset, entry)
        return found

    def between(self, asset: str, from_ms: int, to_ms: int, limit: int) -> list[Booked]:
        """The newest revisions of entries that touch a range, oldest first. asset: "" for all."""
        sql = f"{_LATEST} AND from_ms < ? AND max(to_ms, from_ms + 1) > ? AND ? IN ('', asset) ORDER BY from_ms LIMIT ?"
        found = {one[1].id: one for one in map(_booked, self._db.execute(sql, (to_ms, from_ms, asset, limit)))}
        for one in self._fresh.values():
            known = found.get(one[1].id)
            if known is None or known[1].revision < one[1].revision:
                found[one[1].id] = one
        inside = [(at, entry) for at, entry in found.values() if _touches(entry, from_ms, to_ms) and asset in ("", at)]
        return sorted(inside, key=lambda one: (one[1].from_ms, one[1].id))[:limit]


def _touches(entry: Entry, from_ms: int, to_ms: int) -> bool:
    return entry.from_ms < to_ms and max(entry.to_ms, entry.from_ms + 1) > from_ms


def _booked(row: Any) -> Booked:
    return str(row[0]), load(row[1])

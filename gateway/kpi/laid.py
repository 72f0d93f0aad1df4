"""Intervals in kpi.db, and those of one asset in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import apsw

from gateway.kpi.facts import FOREVER_MS
from gateway.kpi.intervals import Interval, Kind, latest

_COLUMNS: Final = "id, kind, from_ms, to_ms, value, revision, usable"


class Intervals:
    """The statements over table `interval`; writes run inside the store's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def of(self, asset: str, from_ms: int, to_ms: int) -> tuple[Interval, ...]:
        """The newest revision of every interval that touches a range, in order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM interval WHERE asset = ? AND to_ms > ? AND from_ms < ? ORDER BY id"
        found: list[Any] = self._db.execute(sql, (asset, from_ms, to_ms)).fetchall()
        return tuple(_interval(*row) for row in found)

    def put(self, asset: str, intervals: Iterable[Interval]) -> None:
        """Writes newest revisions."""
        rows = [(asset, i.id, i.kind, i.from_ms, i.to_ms, i.value, i.revision, i.usable) for i in intervals]
        self._db.executemany("INSERT OR REPLACE INTO interval VALUES (?,?,?,?,?,?,?,?)", rows)


def _interval(key: str, kind: Kind, from_ms: int, to_ms: int, value: str, revision: int, usable: int) -> Interval:
    return Interval(key, kind, from_ms, to_ms, value, revision, bool(usable))


@dataclass(slots=True)
class Laid:
    """What people said about an asset's time.

    known    the newest revision of each interval that still matters
    fresh    those that kpi.db does not have yet
    changed  ranges that they change
    """

    known: tuple[Interval, ...] = ()
    fresh: tuple[Interval, ...] = ()
    changed: list[tuple[int, int]] = field(default_factory=list)

    def absorb(self, intervals: Sequence[Interval]) -> None:
        """Takes new revisions in: both the old and the new time of each are to be computed again."""
        before = {one.id: one for one in self.known}
        self.known = latest((*self.known, *intervals))
        news = [one for one in self.known if before.get(one.id) != one]
        self.fresh = latest((*self.fresh, *news))
        for one in news:
            old = [before[one.id]] if one.id in before else []
            self.changed += [(each.from_ms, each.to_ms) for each in (*old, one)]

    def near(self, from_ms: int, to_ms: int) -> tuple[Interval, ...]:
        """Those that touch a range."""
        return tuple(one for one in self.known if one.to_ms > from_ms and one.from_ms < to_ms)

    def settle(self, from_ms: int) -> None:
        """Everything is in kpi.db by now; what ended before a time does not matter any more."""
        self.fresh, self.changed = (), []
        self.known = self.near(from_ms, FOREVER_MS + 1)

"""Facts in kpi.db: sorted columns by owner, role and hour, written in parts and merged when the hour is over."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import numpy as np

from gateway.kpi import facts
from gateway.kpi.facts import READ_AFTER, READ_BEFORE, Series
from gateway.kpi.parts import BOOKED_ROLES

_HOUR_MS: Final = 3_600_000
_ENOUGH: Final = max(READ_BEFORE, READ_AFTER)


class Chunks:
    """The statements over table `fact`; writes run inside the store's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def put(self, owner: str, role: str, part: int, series: Series) -> None:
        """Adds a part to each hour that the facts touch. part: a number that no earlier commit used."""
        hours = series.time_ms // _HOUR_MS
        for hour in np.unique(hours).tolist():
            body = facts.encode(series.at(np.flatnonzero(hours == hour)))
            self._put(owner, role, hour, part, body)

    def _put(self, owner: str, role: str, hour: int, part: int, body: bytes) -> None:
        sql = "INSERT INTO fact (owner, role, hour, part, body) VALUES (?,?,?,?,?)"
        self._db.execute(sql, (owner, role, hour, part, body))

    def booked(self, owner: str) -> set[str]:
        """The roles that people booked something for."""
        sql = "SELECT 1 FROM fact WHERE owner = ? AND role = ? LIMIT 1"  # at once; all roles of an owner are many hours
        return {role for role in BOOKED_ROLES if self._db.execute(sql, (owner, role)).fetchone()}

    def window(self, owner: str, role: str, from_ms: int, to_ms: int) -> Series:
        """The facts of these hours, with whole hours before and after up to enough usable facts."""
        first, last = from_ms // _HOUR_MS, to_ms // _HOUR_MS
        sql = "SELECT body FROM fact WHERE owner = ? AND role = ? AND hour BETWEEN ? AND ? ORDER BY hour, part"
        inside = merged(body for (body,) in _rows(self._db, sql, (owner, role, first, last)))
        before = self._neighbour(owner, role, first, "hour < ? ORDER BY hour DESC")
        after = self._neighbour(owner, role, last, "hour > ? ORDER BY hour")
        return facts.merge_all((before, inside, after))

    def _neighbour(self, owner: str, role: str, hour: int, where: str) -> Series:
        found = Series.empty()
        while np.count_nonzero(found.usable) < _ENOUGH:
            sql = f"SELECT hour FROM fact WHERE owner = ? AND role = ? AND {where} LIMIT 1"
            row = self._db.execute(sql, (owner, role, hour)).fetchone()
            if row is None:
                break
            hour = row[0]
            sql = "SELECT body FROM fact WHERE owner = ? AND role = ? AND hour = ?"
            found = facts.merge(found, merged(body for (body,) in _rows(self._db, sql, (owner, role, hour))))
        return found

    def compact(self, before_ms: int, limit: int) -> None:
        """Makes one part of all parts of an hour, for at most `limit` hours that ended before a time."""
        sql = (
            "SELECT owner, role, hour, max(part) FROM fact WHERE hour < ?"
            " GROUP BY owner, role, hour HAVING count(*) > 1 LIMIT ?"
        )
        for owner, role, hour, part in _rows(self._db, sql, (before_ms // _HOUR_MS, limit)):
            key = (owner, role, hour)
            parts = _rows(self._db, "SELECT body FROM fact WHERE owner = ? AND role = ? AND hour = ?", key)
            body = facts.encode(merged(body for (body,) in parts))
            self._db.execute("DELETE FROM fact WHERE owner = ? AND role = ? AND hour = ?", key)
            self._put(owner, role, hour, part, body)

    def forget(self, owner: str, sealed_ms: int, limit: int) -> None:
        """Deletes at most `limit` chunks before a time; each role keeps its last hours, neighbours of what follows."""
        last = "SELECT DISTINCT hour FROM fact g WHERE g.owner = f.owner AND g.role = f.role AND g.hour < ?"
        sql = (
            "DELETE FROM fact WHERE id IN (SELECT f.id FROM fact f WHERE f.owner = ? AND f.hour <"
            f" ({last} ORDER BY hour DESC LIMIT 1 OFFSET {_ENOUGH - 1}) LIMIT ?)"
        )
        self._db.execute(sql, (owner, sealed_ms // _HOUR_MS, limit))


def merged(bodies: Iterable[bytes]) -> Series:
    """All facts of some chunks."""
    return facts.merge_all([facts.decode(body) for body in bodies])


def _rows(db: apsw.Connection, sql: str, bindings: Sequence[str | int]) -> list[Any]:
    """All rows of a statement. Columns are as the schema says, which type checkers cannot know."""
    return db.execute(sql, bindings).fetchall()

"""Measures in kpi.db: the sums of each hour, kept for ever, written anew when a fact of the hour is."""

from collections.abc import Iterable
from typing import Any, Final

import apsw
import numpy as np

from gateway.kpi.asset import MEASURE
from gateway.kpi.closing import AssetBook
from gateway.kpi.measures import HOUR_MS, Hour, hour_of, hours_touched
from gateway.kpi.store import Store

_COLUMNS: Final = ", ".join(Hour._fields)


def hours_of(db: apsw.Connection, asset: str, name: str, from_ms: int, to_ms: int) -> list[Hour]:
    """The stored hours of a measure that begin in a range, in order."""
    sql = f"SELECT {_COLUMNS} FROM measure WHERE asset = ? AND name = ? AND hour >= ? AND hour < ? ORDER BY hour"
    found: list[Any] = db.execute(sql, (asset, name, -(-from_ms // HOUR_MS), -(-to_ms // HOUR_MS))).fetchall()
    return [Hour(*row) for row in found]


def _put(db: apsw.Connection, asset: str, name: str, hours: Iterable[Hour]) -> None:
    marks = ",".join("?" * (len(Hour._fields) + 2))
    sql = f"INSERT OR REPLACE INTO measure (asset, name, {_COLUMNS}) VALUES ({marks})"
    db.executemany(sql, [(asset, name, *hour) for hour in hours])


def measure_again(store: Store, book: AssetBook) -> None:
    """Writes the hours that new facts change. Inside the store's transaction, with the facts put already."""
    for name, measure in book.model.measures.items():
        role = MEASURE + name
        column = book.columns[role]
        if not column.fresh:
            continue
        fresh = np.unique(np.concatenate([series.time_ms for series in column.fresh]))
        known = column.window(store, int(fresh[0]) // HOUR_MS * HOUR_MS, int(fresh[-1]) // HOUR_MS * HOUR_MS + HOUR_MS)
        found = []
        for hour in hours_touched(fresh, known):
            series = column.window(store, hour * HOUR_MS, (hour + 1) * HOUR_MS)
            found.append(hour_of(series, book.model.bindings[role], measure, hour))
        _put(store.db, book.model.name, name, found)

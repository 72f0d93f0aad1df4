"""Slices in kpi.db: minutes split by product and order, and their sums over business days."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import apsw

from gateway.kpi.buckets import quantities
from gateway.kpi.slices import Slice

Part = tuple[str, str, tuple[int, ...]]
"""Product, order, and one int per quantity."""
Split = tuple[Part, ...]
"""The slices of one minute, in order."""
_COLUMNS: Final = ", ".join(quantities)
_SUMS: Final = ", ".join(f"sum({name})" for name in quantities)
_ADDED: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in quantities)


def by_minute(found: Iterable[Slice]) -> dict[int, Split]:
    """minute → its slices, without those in which nothing was: of time to come, where a clock was put back."""
    rows = sorted(
        (minute, one.product, one.order, tuple(values))
        for one in found
        for minute, values in zip(one.minute.tolist(), one.values.T.tolist(), strict=True)
        if any(values)
    )
    return {minute: tuple(row[1:] for row in some) for minute, some in groupby(rows, lambda row: row[0])}


class Splits:
    """The statements over tables `slice` and `slice_day`; writes run inside the store's transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def of(self, asset: str, first: int, last: int) -> dict[int, Split]:
        """minute → slices of the minutes first … last that have any."""
        sql = f"SELECT minute, product, order_id, {_COLUMNS} FROM slice WHERE asset = ? AND minute BETWEEN ? AND ?"
        rows: list[Any] = self._db.execute(f"{sql} ORDER BY minute, product, order_id", (asset, first, last)).fetchall()
        parts = ((minute, (product, order, tuple(row))) for minute, product, order, *row in rows)
        return {minute: tuple(part for _, part in some) for minute, some in groupby(parts, lambda one: one[0])}

    def replace(self, asset: str, changed: Mapping[int, Split]) -> None:
        """Writes the slices of minutes in place of those they had."""
        self._db.executemany("DELETE FROM slice WHERE asset = ? AND minute = ?", [(asset, n) for n in changed])
        marks = ",".join("?" * (4 + len(quantities)))
        rows = [
            (asset, minute, product, order, *row) for minute, split in changed.items() for product, order, row in split
        ]
        self._db.executemany(f"INSERT INTO slice VALUES ({marks})", rows)

    def add_to_day(self, asset: str, day: str, minutes: Mapping[int, Split]) -> None:
        """Adds minutes that the day did not have."""
        marks = ",".join("?" * (6 + len(quantities)))
        sql = f"INSERT INTO slice_day VALUES ({marks}) ON CONFLICT DO UPDATE SET {_ADDED},"
        sql += " first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)"
        for minute, split in minutes.items():
            span = (minute * 60_000, minute * 60_000 + 60_000)
            rows: Sequence[Any] = [(asset, day, product, order, *span, *row) for product, order, row in split]
            self._db.executemany(sql, rows)

    def sum_day(self, asset: str, day: str, first: int, last: int) -> None:
        """Makes the day anew from its minutes first … last."""
        self._db.execute("DELETE FROM slice_day WHERE asset = ? AND business_date = ?", (asset, day))
        sql = (
            "INSERT INTO slice_day SELECT asset, ?2, product, order_id, min(minute) * 60000, max(minute + 1) * 60000,"
            f" {_SUMS} FROM slice WHERE asset = ?1 AND minute BETWEEN ?3 AND ?4 GROUP BY product, order_id"
        )
        self._db.execute(sql, (asset, day, first, last))

    def forget(self, asset: str, before_ms: int, limit: int) -> None:
        """Deletes the slices of at most `limit` minutes that are older than their retention; days stay."""
        old = "SELECT DISTINCT minute FROM slice WHERE asset = ?1 AND minute < ?2 ORDER BY minute LIMIT ?3"
        sql = f"DELETE FROM slice WHERE asset = ?1 AND minute IN ({old})"
        self._db.execute(sql, (asset, before_ms // 60_000, limit))

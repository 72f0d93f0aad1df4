"""Tiers, kept up to date in the same transaction: quarters, hours, business days and shifts are sums of minutes,
weeks and months are sums of days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from gateway.kpi.buckets import quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.publisher import Change
from gateway.kpi.store import COLUMNS, Row, Store

_HOUR_MS: Final = 3_600_000
_SUMS: Final = ", ".join(f"sum({name})" for name in quantities)
_TOTALS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in quantities)


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a tier. key: the columns that name it in the tier's table, beside the owner."""

    tier: str
    key: tuple[tuple[str, str | int], ...]
    start_ms: int
    end_ms: int
    business_date: date


def hours(calendar: Calendar, from_ms: int, to_ms: int) -> Iterator[Window]:
    """The hours that a range touches."""
    for hour in range(from_ms // _HOUR_MS, (to_ms - 1) // _HOUR_MS + 1):
        start = hour * _HOUR_MS
        yield Window("hour", (("hour", hour),), start, start + _HOUR_MS, calendar.business_date(start))


def local_windows(calendar: Calendar, from_ms: int, to_ms: int) -> Iterator[Window]:
    """The business days and shifts that a range touches."""
    for day in calendar.days_in(from_ms, to_ms):
        key = (("business_date", day.business_date.isoformat()),)
        yield Window("day", key, day.start_ms, day.end_ms, day.business_date)
    for shift in calendar.shifts_in(from_ms, to_ms):
        names = (("business_date", shift.business_date.isoformat()), ("shift", shift.name))
        yield Window("shift", names, shift.start_ms, shift.end_ms, shift.business_date)


def week_of(calendar: Calendar, day: date) -> Window:
    """The week of a business date, from Monday's business day to Sunday's."""
    monday = day - timedelta(days=day.weekday())
    key = (("monday", monday.isoformat()),)
    return Window("week", key, *_ends(calendar, monday, monday + timedelta(days=6)), monday)


def month_of(calendar: Calendar, day: date) -> Window:
    """The month of a business date."""
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return Window("month", (("month", f"{first:%Y-%m}"),), *_ends(calendar, first, last), first)


def _ends(calendar: Calendar, first: date, last: date) -> tuple[int, int]:
    return calendar.day_of(first).start_ms, calendar.day_of(last).end_ms


def windows(calendar: Calendar, spans: Sequence[tuple[int, int]]) -> list[Window]:
    """Every window above the quarter that some ranges touch, each once."""
    found: dict[tuple[str, int], Window] = {}
    for from_ms, to_ms in spans:
        for window in (*hours(calendar, from_ms, to_ms), *local_windows(calendar, from_ms, to_ms)):
            found.setdefault((window.tier, window.start_ms), window)
    return list(found.values())


def refresh(
    store: Store, owner: str, calendar: Calendar, spans: Sequence[tuple[int, int]], closed_ms: int
) -> Iterator[tuple[Change, int]]:
    """Recomputes what lies over changed minutes; yields windows that closed or changed after they had, and their ends.

    Weeks and months are looked at only when a day closes or a closed day changes.
    """
    for from_ms, to_ms in spans:
        _refresh_quarters(store, owner, from_ms // 900_000, (to_ms - 1) // 900_000)
    days: list[date] = []
    for window in windows(calendar, spans):
        sums = window_sums(store, owner, window.start_ms, window.end_ms)
        for change in _refresh(store, owner, window, sums, closed_ms):
            yield change, window.end_ms
            days += [window.business_date] * (window.tier == "day")
    longer = {window.key: window for day in days for window in (week_of(calendar, day), month_of(calendar, day))}
    for window in longer.values():
        for change in _refresh(store, owner, window, _sum_of_days(store, owner, window), closed_ms):
            yield change, window.end_ms


def _refresh_quarters(store: Store, owner: str, first: int, last: int) -> None:
    store.db.execute(
        f"INSERT OR REPLACE INTO quarter SELECT asset, minute / 15, {_SUMS} FROM minute"
        " WHERE asset = ? AND minute BETWEEN ? AND ? GROUP BY minute / 15",
        (owner, first * 15, last * 15 + 14),
    )


def _sum_of_days(store: Store, owner: str, window: Window) -> Row:
    sql = f"SELECT {_TOTALS} FROM day WHERE asset = ? AND from_ms >= ? AND from_ms < ?"
    return tuple(store.rows(sql, (owner, window.start_ms, window.end_ms))[0])


def _refresh(store: Store, owner: str, window: Window, new: Row, closed_ms: int) -> Iterator[Change]:
    where = " AND ".join(f"{name} = ?" for name, _ in window.key)
    values = [value for _, value in window.key]
    sql = f"SELECT revision, {COLUMNS} FROM {window.tier} WHERE asset = ? AND {where}"
    stored = store.db.execute(sql, (owner, *values)).fetchone()
    old: Row | None = tuple(stored[1:]) if stored else None
    before: int | None = stored[0] if stored else None
    revision = None
    if closed_ms >= window.end_ms or before is not None:  # published before: a clock that ran ahead closed it too early
        revision = 0 if before is None else before + (new != old)
    if new != old or revision != before:
        row = (owner, *values, window.start_ms, window.end_ms, *new, revision)
        store.db.execute(f"INSERT OR REPLACE INTO {window.tier} VALUES ({','.join('?' * len(row))})", row)
    if revision is not None and revision != before:
        published = None if before is None else old
        yield Change(owner, window.tier, window.start_ms, window.business_date, revision, published, new)


def window_sums(store: Store, owner: str, from_ms: int, to_ms: int) -> Row:
    """Sums over whole minutes: whole quarters inside, minutes at ragged ends."""
    first, last = from_ms // 60_000, to_ms // 60_000
    inner_first, inner_last = -(-first // 15), last // 15
    if inner_first >= inner_last:
        sql = f"SELECT {_TOTALS} FROM minute WHERE asset = ? AND minute >= ? AND minute < ?"
        return tuple(store.rows(sql, (owner, first, last))[0])
    sql = (
        f"SELECT {_TOTALS} FROM (SELECT {COLUMNS} FROM quarter WHERE asset = ?1 AND quarter >= ?2 AND quarter < ?3"
        f" UNION ALL SELECT {COLUMNS} FROM minute WHERE asset = ?1 AND minute >= ?4 AND minute < ?5"
        f" UNION ALL SELECT {COLUMNS} FROM minute WHERE asset = ?1 AND minute >= ?6 AND minute < ?7)"
    )
    edges = (first, inner_first * 15, inner_last * 15, last)
    return tuple(store.rows(sql, (owner, inner_first, inner_last, *edges))[0])

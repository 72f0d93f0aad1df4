"""Periods with their energy and drivers: out of kpi.db, or out of a CSV file. What cannot be used is said with why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from gateway.energy.baseline.drivers import Lacking, Means, NoDriver, day_of, driver, made_of, number, table
from gateway.energy.baseline.record import Ask, LeftOut, Period
from gateway.energy.baseline.watched import Watcher, leaves, there, unwatched
from gateway.kpi.windows import Context, Sums

PERIODS: Final = ("day", "week", "month", "shift")
CARRIERS: Final[Mapping[str, tuple[str, str, float]]] = {"electricity": ("energy", "kWh", 1e-6)}
"""Carrier → bucket quantity, unit shown, that unit in one of the quantity."""
_DAY_MS: Final = 86_400_000
_KNOWN: Final = 0.95


class NoPeriods(ValueError):  # noqa: N818  # what the data do not hold, rather than a fault
    """No period can be used; the text says why."""


class Reader(Watcher, Protocol):
    """What is asked of kpi.db."""

    def final_ms(self, owner: str) -> int:
        """See `KpiReader`."""
        ...

    def context(self, owner: str) -> Context:
        """See `KpiReader`."""
        ...


@dataclass(frozen=True, slots=True)
class Collected:
    """Periods in order of time, and those that were left out.

    units    of energy, then of each driver
    members  the assets behind a line, area or site that were there
    """

    periods: tuple[Period, ...]
    left_out: tuple[LeftOut, ...]
    units: tuple[str, ...]
    members: tuple[str, ...] = ()


def of_store(reader: Reader, ask: Ask, span: tuple[int, int], zone: ZoneInfo, means: Means) -> Collected:
    """Periods of an owner that begin in a range.

    A period is used when it is final, was seen whole (`unwatched`), at most 5 % of its planned time is unknown, and
    every driver has a value.

    Raises: NoDriver: a driver cannot be used. NoPeriods: the owner has no such energy.
    """
    quantity, unit, scale = CARRIERS[ask.energy]
    context = reader.context(ask.owner)
    if need := context.rules.needs.get(ask.owner, {}).get(quantity):
        raise NoPeriods(f"{ask.owner} has no {ask.energy}: it {need}")
    made = made_of(reader, ask.owner)
    drivers = [driver(text, made, ask.period, zone, means) for text in ask.drivers]
    units = (unit, *(one.unit for one in drivers))
    rows = reader.sums(ask.owner, ask.period, *span)
    unseen = unwatched(reader, ask.owner, context.groups, rows, ask.period)
    final_ms = reader.final_ms(ask.owner)

    def period(row: Sums) -> Period:
        if row.end_ms > final_ms:
            raise Lacking("is not final yet")
        if row.start_ms in unseen:
            raise Lacking(unseen[row.start_ms])
        if row.sums["time_unknown"] > (1 - _KNOWN) * row.sums["planned"]:
            raise Lacking(f"{row.sums['time_unknown'] / row.sums['planned']:.0%} of its planned time is unknown")
        values = tuple(one.value(row) for one in drivers)
        return Period(row.start_ms, row.end_ms, row.sums[quantity] * scale, values, row.name)

    found = _sorted_out(rows, period, units)
    if ask.owner in context.groups and found.periods:
        whole = found.periods[0].start_ms, found.periods[-1].end_ms
        return replace(found, members=there(reader, leaves(ask.owner, context.groups), whole))
    return found


def of_file(ask: Ask, span: tuple[int, int], zone: ZoneInfo) -> Collected:
    """Periods of a CSV file whose rows begin in a range: `date`, the energy's column and one column per driver.

    A row's period ends with the date of the next row; the last one is as long as the one before it.

    Raises: NoDriver: the file cannot be read, or lacks a column; says file and line.
    """
    file = Path(ask.data)
    rows = sorted(
        (_midnight(day_of(cells["date"], file, line), zone), line, cells)
        for line, cells in table(file, (ask.energy, *ask.drivers))
    )
    for (start_ms, _, cells), (next_ms, line, _) in pairwise(rows):
        if start_ms == next_ms:
            raise NoDriver(f"{file}:{line}: the date {cells['date']} is there twice")
    starts = [start_ms for start_ms, *_ in rows]
    length_ms = starts[-1] - starts[-2] if len(starts) > 1 else _DAY_MS
    ends = [*starts[1:], *(start + length_ms for start in starts[-1:])]

    def period(row: tuple[int, int, int, dict[str, str]]) -> Period:
        start_ms, end_ms, line, cells = row
        if missing := [name for name in (ask.energy, *ask.drivers) if name not in cells]:
            raise Lacking(f"line {line} has no {missing[0]}")
        energy, *drivers = (number(cells[name], file, line) for name in (ask.energy, *ask.drivers))
        return Period(start_ms, end_ms, energy, tuple(drivers))

    inside = [
        (start, end, line, cells)
        for (start, line, cells), end in zip(rows, ends, strict=True)
        if span[0] <= start < span[1]
    ]
    return _sorted_out(inside, period, ("",) * (1 + len(ask.drivers)))


def _sorted_out(rows: Sequence[Any], period: Callable[[Any], Period], units: tuple[str, ...]) -> Collected:
    used, left = [], []
    for row in rows:
        try:
            used.append(period(row))
        except Lacking as exc:
            left.append(LeftOut(row.start_ms if isinstance(row, Sums) else row[0], str(exc)))
    return Collected(tuple(used), tuple(left), units)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)

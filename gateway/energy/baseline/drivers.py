"""Drivers of energy: what is written on the command line as a number per period."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from gateway.kpi.buckets import quantities
from gateway.kpi.windows import Sums
from gateway.spelling import closest
from gateway.table import read_table

Means = Callable[[str, date], float | None]
"""Tag and local date → the tag's mean on that day, None where too little of it was measured."""
Made = Callable[[int, int], Mapping[str, int]]
"""Start and end of a period → product → parts."""
TEMPERATURE: Final = "temperature"
_DEGREE_DAYS: Final = re.compile(r"(hdd|cdd)(\d+(?:\.\d+)?)")
_HOUR_US: Final = 3.6e9
_OWN: Final = tuple(name for name in quantities if not name.startswith(("energy", "dq_", "facts")))


class Lacking(Exception):  # noqa: N818  # a period without a number, not a fault
    """A driver has no value in a period; the text says why."""


class NoDriver(ValueError):  # noqa: N818  # something to write otherwise
    """A driver cannot be used; the text says what to write."""


class Driver(Protocol):
    """A number per period."""

    @property
    def unit(self) -> str:
        """Its unit, "" for a plain number."""
        ...

    def value(self, row: Sums) -> float:
        """Its amount in a period. Lacking: there is none."""
        ...


class Asked(Protocol):
    """What a driver may ask of kpi.db."""

    def sums(self, owner: str, window: str, from_ms: int, to_ms: int) -> list[Sums]:
        """See `KpiReader`."""
        ...


@dataclass(frozen=True, slots=True)
class Quantity:
    """A bucket quantity; times in hours."""

    name: str
    unit: str
    scale: float

    def value(self, row: Sums) -> float:
        """Its sum."""
        return row.sums[self.name] * self.scale


@dataclass(frozen=True, slots=True)
class Length:
    """The period's own length, for a base load of periods that are not equally long."""

    unit: str = "h"

    def value(self, row: Sums) -> float:
        """Hours."""
        return (row.end_ms - row.start_ms) / 3.6e6


@dataclass(frozen=True, slots=True)
class Product:
    """Parts of one product, good and bad."""

    made: Made
    name: str
    unit: str = "parts"

    def value(self, row: Sums) -> float:
        """Parts of the period; 0 where it was not made."""
        return float(self.made(row.start_ms, row.end_ms).get(self.name, 0))


@dataclass(frozen=True, slots=True)
class Daily:
    """A column with one number a day, summed; or with one number a period."""

    what: str
    days: Mapping[date, float]
    zone: ZoneInfo
    unit: str = ""

    def value(self, row: Sums) -> float:
        """The sum over the period's days."""
        days = dates(row, self.zone)
        found = [self.days[day] for day in days if day in self.days]
        if len(found) == len(days) or (len(found) == 1 and self._is_sparse(len(days))):
            return sum(found)
        missing = next(day for day in days if day not in self.days)
        raise Lacking(f"{self.what} has nothing for {missing}")

    def _is_sparse(self, length: int) -> bool:
        """Whether the file has one row for each period rather than for each day."""
        ordered = sorted(self.days)
        gaps = [(after - before).days for before, after in pairwise(ordered)]
        return bool(gaps) and min(gaps) > length / 2


@dataclass(frozen=True, slots=True)
class DegreeDays:
    """How far the days' mean temperatures lie below (hdd) or above (cdd) a base temperature, summed."""

    source: str
    mean: Callable[[date], float | None]
    base: float
    sign: int
    zone: ZoneInfo
    unit: str = "K·d"

    def value(self, row: Sums) -> float:
        """Degree days."""
        total = 0.0
        for day in dates(row, self.zone):
            mean = self.mean(day)
            if mean is None:
                raise Lacking(f"{self.source} has no mean temperature for {day}")
            total += max(0.0, self.sign * (mean - self.base))
        return total


def dates(row: Sums, zone: ZoneInfo) -> list[date]:
    """The local dates of a period: from that of its beginning to before that of its end, one at least."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).date() for ms in (row.start_ms, row.end_ms))
    return [first + timedelta(days=n) for n in range(max(1, (last - first).days))]


def made_of(reader: Asked, owner: str) -> Made:
    """The parts of an owner by product; each period is asked for once, however many products drive it."""

    @cache
    def made(start_ms: int, end_ms: int) -> Mapping[str, int]:
        return {run.name: run.sums["total"] for run in reader.sums(owner, "product", start_ms, end_ms)}

    return made


def driver(text: str, made: Made, period: str, zone: ZoneInfo, means: Means) -> Driver:
    """A driver as it is written.

    `total` and other quantities · `hours` · `product:NAME` · `NAME:FILE.csv` (a column by date) · `hdd15:FILE.csv`,
    `cdd24.5:FILE.csv` (from a column `temperature`) · `hdd15:asset/point` (from a tag of the history).

    Raises: NoDriver: it is none of these, or its file cannot be used.
    """
    head, _, source = text.partition(":")
    if not source:
        return _own(head)
    if period == "shift":
        raise NoDriver(f"{text!r} is known by day, not by shift: take --period day, week or month")
    if head == "product":
        return Product(made, source)
    degrees = _DEGREE_DAYS.fullmatch(head)
    if degrees and not source.endswith(".csv"):
        return _degree_days(degrees, source, lambda day: means(source, day), zone)
    if degrees:
        days = {day: sum(found) / len(found) for day, found in column(Path(source), TEMPERATURE).items()}
        return _degree_days(degrees, source, days.get, zone)
    if not source.endswith(".csv"):
        raise NoDriver(f"{text!r}: write product:NAME, NAME:FILE.csv, hdd15:FILE.csv or hdd15:asset/point")
    return Daily(source, {day: sum(found) for day, found in column(Path(source), head).items()}, zone)


def column(file: Path, name: str) -> dict[date, list[float]]:
    """The numbers of a column by the column `date`. NoDriver: the file has no such column, or something else in it."""
    rows = table(file, (name,))
    found: dict[date, list[float]] = {}
    for line, cells in rows:
        if name in cells:
            found.setdefault(day_of(cells["date"], file, line), []).append(number(cells[name], file, line))
    return found


def table(file: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows, with their lines, of a CSV file that has `date` and these columns. NoDriver: it has not."""
    try:
        found = read_table(file)
    except ValueError as exc:
        raise NoDriver(str(exc)) from exc
    for name in ("date", *columns):
        if name not in found.columns:
            raise NoDriver(f"{file} has no column {name!r}{closest(name, found.columns)}")
    for line, cells in found.rows:
        if "date" not in cells:
            raise NoDriver(f"{file}:{line}: has no date")
    return found.rows


def day_of(text: str, file: Path, line: int) -> date:
    """The day of a cell. NoDriver: it is none."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as exc:
        raise NoDriver(f"{file}:{line}: {text!r} is no date: write 2026-03-01") from exc


def number(text: str, file: Path, line: int) -> float:
    """The number of a cell. NoDriver: it is none."""
    try:
        found = float(text)
    except ValueError as exc:
        raise NoDriver(f"{file}:{line}: {text!r} is no number: write 1234.5") from exc
    if not abs(found) < float("inf"):
        raise NoDriver(f"{file}:{line}: {text!r} is no number: leave the cell empty where nothing is known")
    return found


def _own(name: str) -> Driver:
    if name == "hours":
        return Length()
    if name not in _OWN:
        raise NoDriver(f"{name!r} is no driver{closest(name, (*_OWN, 'hours', 'product:NAME', 'NAME:FILE.csv'))}")
    is_time = name.startswith(("time_", "ideal_", "rated_", "takt_")) or name == "planned"
    return Quantity(name, "h", 1 / _HOUR_US) if is_time else Quantity(name, "", 1.0)


def _degree_days(match: re.Match[str], source: str, mean: Callable[[date], float | None], zone: ZoneInfo) -> DegreeDays:
    return DegreeDays(source, mean, float(match[2]), -1 if match[1] == "hdd" else 1, zone)

"""A baseline as a record: what was asked, what was found, and the data behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gateway.energy.baseline.regression import Column, Model, Statistics

Level = Literal["ok", "warning"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Where periods come from.

    owner    asset, line/NAME, area/NAME or site/NAME; "" where the data are a CSV file
    data     that file, "" where the data are kpi.db's
    energy   carrier, or the file's column
    period   day, week, month, shift; row: one row of the file is one period
    drivers  as written: total, product:NAME, hdd15:FILE.csv, …
    """

    owner: str
    data: str
    energy: str
    period: str
    drivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """One period: its energy and its drivers, in the order of the ask."""

    start_ms: int
    end_ms: int
    energy: float
    drivers: tuple[float, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A period that cannot be used, and why."""

    start_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at when a baseline was fitted."""

    check: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """One version of a baseline. It never changes: a new fit is a new version.

    note      why it was made
    units     of energy, then of each driver
    static    factors that are taken as unchanging, as the user wrote them
    members   the assets behind the owner when it was fitted
    """

    name: str
    version: int
    made_at_ms: int
    by: str
    note: str
    ask: Ask
    timezone: str
    from_ms: int
    to_ms: int
    units: tuple[str, ...]
    model: Model
    statistics: Statistics
    checks: tuple[Check, ...]
    static: Mapping[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The drivers' short names."""
        return tuple(map(short, self.ask.drivers))

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Least and most of each driver over the fitted periods."""
        columns = driver_columns(self.periods)
        return tuple(zip(columns.min(axis=0).tolist(), columns.max(axis=0).tolist(), strict=True))

    @property
    def label(self) -> str:
        """Name and version, as results cite it."""
        return f"{self.name} v{self.version}"

    @property
    def formula(self) -> str:
        """The line as text."""
        terms = (
            f" {'-' if b < 0 else '+'} {abs(b):.6g}·{x}" for b, x in zip(self.model.slopes, self.names, strict=True)
        )
        return f"{self.model.base:.6g}{''.join(terms)}"


def short(driver: str) -> str:
    """A driver without where it comes from: the product itself, the name before a file or tag."""
    head, _, rest = driver.partition(":")
    return rest if head == "product" else head


def energies(periods: Sequence[Period]) -> Column:
    """float64[m]"""
    return np.array([period.energy for period in periods], np.float64)


def driver_columns(periods: Sequence[Period]) -> Column:
    """float64[m, k]"""
    return np.array([period.drivers for period in periods], np.float64).reshape(len(periods), -1)

"""Reading kpi.db from any process: segments, energy by state, and KPIs of windows, computed as they are asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import apsw

from gateway.kpi.answer import Kpis, kpis
from gateway.kpi.buckets import quantities
from gateway.kpi.factors import FactorRecord, Factors
from gateway.kpi.store import COLUMNS, SCHEMA

_BUSY_MS: Final = 1000
_HOUR_MS: Final = 3_600_000
_ENERGIES: Final = tuple(name for name in quantities if name.startswith("energy_"))
WINDOWS: Final = ("minute", "hour", "shift", "day")


class NoKpis(Exception):  # noqa: N818  # an answer, not a fault
    """kpi.db cannot be read now; the text says why."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an asset's time in one class."""

    from_ms: int
    to_ms: int
    time_class: str
    state: str


@dataclass(frozen=True, slots=True)
class EnergyHour:
    """The electricity of one hour by time class, kWh; classes without energy are left out."""

    hour_ms: int
    kwh: dict[str, float]


@dataclass(frozen=True, slots=True)
class WindowKpis:
    """KPIs of one window, ratios of its sums; name: of the shift, else ""."""

    start_ms: int
    end_ms: int
    name: str
    values: dict[str, float | None]
    reasons: dict[str, str]
    coverage: float | None
    factors: dict[str, str]
    final: bool
    revision: int | None
    sums: dict[str, int]


class KpiReader:
    """Read-only access with short reads; opens the file at the first question, so that it may come later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None

    def close(self) -> None:
        """Releases the file; a further question opens it again."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def segments(self, asset: str, from_ms: int, to_ms: int) -> list[Segment]:
        """The asset's states that touch the range, whole, in order."""
        sql = (
            "SELECT from_ms, to_ms, class, state FROM segment WHERE asset = ?1 AND to_ms > ?2 AND from_ms < ?3"
            " AND from_ms >= coalesce((SELECT max(from_ms) FROM segment WHERE asset = ?1 AND from_ms <= ?2), 0)"
            " ORDER BY from_ms"
        )
        return [Segment(*row) for row in self._rows(sql, asset, from_ms, to_ms)]

    def energy_per_hour(self, asset: str, from_ms: int, to_ms: int) -> list[EnergyHour]:
        """kWh by time class for each hour that begins in the range."""
        sql = f"SELECT hour, {', '.join(_ENERGIES)} FROM hour WHERE asset = ? AND hour >= ? AND hour < ? ORDER BY hour"
        found = self._rows(sql, asset, -(-from_ms // _HOUR_MS), -(-to_ms // _HOUR_MS))
        names = [name.removeprefix("energy_") for name in _ENERGIES]
        return [
            EnergyHour(hour * _HOUR_MS, {name: mwh / 1e6 for name, mwh in zip(names, row, strict=True) if mwh})
            for hour, *row in found
        ]

    def kpis(self, owner: str, window: str, from_ms: int, to_ms: int) -> list[WindowKpis]:
        """KPIs of each window that begins in the range, factors applied now.

        owner: an asset, `line/<line>` or `site/<site>`. window: minute, hour, shift or day. ValueError: another one.
        """
        if window not in WINDOWS:
            raise ValueError(f"no window {window!r}: {', '.join(WINDOWS)}")
        head, at, step_ms = "from_ms, to_ms, ''", "from_ms", 1
        if window == "minute":
            head, at, step_ms = "minute * 60000, minute * 60000 + 60000, ''", "minute", 60_000
        elif window == "shift":
            head = "from_ms, to_ms, shift"
        ends = (-(-from_ms // step_ms), -(-to_ms // step_ms))
        sql = (
            f"SELECT {head}, revision, {COLUMNS} FROM {window} WHERE asset = ? AND {at} >= ? AND {at} < ? ORDER BY {at}"
        )
        facts = _Context.read(self, owner)
        return [facts.answer(*row) for row in self._rows(sql, owner, *ends)]

    def owners(self) -> list[str]:
        """Every asset, line and site with facts."""
        return [owner for (owner,) in self._rows("SELECT owner FROM progress ORDER BY owner")]

    def meta(self, key: str) -> str:
        """A value of `meta`, "" where there is none."""
        found = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0][0]) if found else ""

    def final_ms(self, owner: str) -> int:
        """Before this an owner's minutes are final."""
        found = self._rows("SELECT final_ms FROM progress WHERE owner = ?", owner)
        return int(found[0][0]) if found else 0

    def closed_ms(self, owner: str) -> int:
        """Before this an owner's minutes are stored."""
        found = self._rows("SELECT closed_ms FROM progress WHERE owner = ?", owner)
        return int(found[0][0]) if found else 0

    def _rows(self, sql: str, *bindings: str | int) -> list[Any]:
        try:
            return self._open().execute(sql, bindings).fetchall()
        except apsw.Error as exc:
            self.close()
            raise NoKpis(f"{self._path} cannot be read: {exc}") from exc

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            if not self._path.exists():
                raise NoKpis(f"{self._path} does not exist yet: the gateway writes it when it has run for a minute")
            self._connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            self._connection.set_busy_timeout(_BUSY_MS)
            found = self._connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall()
            if found != [(SCHEMA,)]:
                self.close()
                raise NoKpis(f"{self._path} has another schema than {SCHEMA}: use the Lineside that wrote it")
        return self._connection


@dataclass(frozen=True, slots=True)
class _Context:
    """What turns an owner's sums into KPIs."""

    factors: Factors
    needs: Mapping[str, str]
    timezone: ZoneInfo
    final_ms: int

    @staticmethod
    def read(reader: KpiReader, owner: str) -> "_Context":
        records = json.loads(reader.meta("factors") or "[]")
        needs = json.loads(reader.meta("needs") or "{}").get(owner, {})
        factors = Factors(tuple(FactorRecord.model_validate(record) for record in records))
        return _Context(factors, needs, ZoneInfo(reader.meta("timezone") or "UTC"), reader.final_ms(owner))

    def answer(self, start_ms: int, end_ms: int, name: str, revision: int | None, *row: int) -> WindowKpis:
        sums = dict(zip(quantities, row, strict=True))
        found: Kpis = kpis(sums, self._date(start_ms), self.factors, self.needs)
        return WindowKpis(
            start_ms,
            end_ms,
            name,
            found.values,
            found.reasons,
            found.values.get("coverage"),
            found.factors,
            end_ms <= self.final_ms,
            revision,
            sums,
        )

    def _date(self, time_ms: int) -> date:
        return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(self.timezone).date()

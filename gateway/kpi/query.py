"""Reading kpi.db from any process: segments, energy by state, and KPIs of windows, computed as they are asked for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from gateway.kpi.asset import Measure
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import Catalogue
from gateway.kpi.chunks import Chunks
from gateway.kpi.comparison import Comparison, compare
from gateway.kpi.facts import Series
from gateway.kpi.intervals import Interval
from gateway.kpi.laid import Intervals
from gateway.kpi.metering import MeterTree
from gateway.kpi.model import measures_of
from gateway.kpi.reading import NoKpis, open_to_read
from gateway.kpi.store import COLUMNS
from gateway.kpi.windows import WINDOWS, Context, Sums, WindowKpis

__all__ = ["WINDOWS", "EnergyHour", "KpiReader", "MinuteRow", "ModelRecord", "NoKpis", "Segment", "WindowKpis"]

_BUSY_MS: Final = 1000
_HOUR_MS: Final = 3_600_000
_ENERGIES: Final = tuple(name for name in quantities if name.startswith("energy_"))
T = TypeVar("T")


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
class ModelRecord:
    """What an asset was from a time on: everything that turned its facts into numbers, as JSON."""

    valid_from_ms: int
    hash: str
    json: str


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """The bucket of a minute; model: the hash of the record that it was computed with, "" above assets."""

    start_ms: int
    revision: int
    final: bool
    model: str
    sums: dict[str, int]


class KpiReader:
    """Read-only access with short reads; opens the file at the first question, so that it may come later."""

    def __init__(self, path: Path, catalogue: Catalogue | None = None) -> None:
        """catalogue: other KPIs than those that the gateway computed when it wrote the file."""
        self._path, self._catalogue = path, catalogue
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
        return [Segment(*row) for row in self._read(sql, asset, from_ms, to_ms)]

    def energy_per_hour(self, asset: str, from_ms: int, to_ms: int) -> list[EnergyHour]:
        """kWh by time class for each hour that begins in the range."""
        sql = f"SELECT hour, {', '.join(_ENERGIES)} FROM hour WHERE asset = ? AND hour >= ? AND hour < ? ORDER BY hour"
        found = self._read(sql, asset, -(-from_ms // _HOUR_MS), -(-to_ms // _HOUR_MS))
        names = [name.removeprefix("energy_") for name in _ENERGIES]
        return [
            EnergyHour(hour * _HOUR_MS, {name: mwh / 1e6 for name, mwh in zip(names, row, strict=True) if mwh})
            for hour, *row in found
        ]

    def kpis(self, owner: str, window: str, from_ms: int, to_ms: int) -> list[WindowKpis]:
        """KPIs of each window that begins in the range, factors applied now.

        owner: an asset, `line/<line>`, `area/<area>` or `site/<site>`. window: one of `WINDOWS`.
        ValueError: another one.
        """
        return self.context(owner).answers(self._read, owner, window, from_ms, to_ms)

    def compare(self, owners: Sequence[str], window: str, from_ms: int, to_ms: int, kpis: Sequence[str]) -> Comparison:
        """Some KPIs of many owners over the windows that begin in a range, as columns; see `compare`."""
        context = self.context(owners[0] if owners else "")
        return compare(self._read, context, owners, window, (from_ms, to_ms), kpis)

    def sums(self, owner: str, window: str, from_ms: int, to_ms: int) -> list[Sums]:
        """The sums behind `kpis`."""
        return self.context(owner).sums(self._read, owner, window, from_ms, to_ms)

    def context(self, owner: str) -> Context:
        """What turns this owner's sums into KPIs."""
        meta = {key: self.meta(key) for key in ("needs", "groups", "factors", "catalogue", "timezone")}
        return Context.of(meta, self.final_ms(owner), self._catalogue)

    def models(self, asset: str) -> list[ModelRecord]:
        """What the asset was and from when on, oldest first."""
        sql = "SELECT valid_from_ms, hash, json FROM model WHERE asset = ? ORDER BY valid_from_ms"
        return [ModelRecord(*row) for row in self._read(sql, asset)]

    def measures(self, asset: str) -> dict[str, Measure]:
        """What is measured of an asset's parts now."""
        records = self.models(asset)
        return measures_of(records[-1].json) if records else {}

    def assets_of(self, owner: str) -> list[str]:
        """The assets below a line, an area or the site; of an asset itself."""
        groups = self.context(owner).groups
        if owner not in groups:
            return [owner]
        return [asset for member in groups[owner]["members"] for asset in self.assets_of(member)]

    def meter_tree(self) -> MeterTree:
        """Which assets' meters stand above which others."""
        groups: dict[str, dict[str, Any]] = json.loads(self.meta("groups") or "{}")
        site = next((group for owner, group in groups.items() if owner.startswith("site/")), {})
        return MeterTree({meter: tuple(below) for meter, below in site.get("below", {}).items()})

    def texts(self, codes: Sequence[int]) -> dict[int, str]:
        """The texts of state codes."""
        marks = ",".join("?" * len(codes))
        return dict(self._read(f"SELECT id, text FROM text WHERE id IN ({marks})", *codes))

    def facts(self, owner: str, role: str, from_ms: int, to_ms: int) -> Series:
        """The facts of a role in a range, with its neighbours on both sides."""
        return self.asked(lambda db: Chunks(db).window(owner, role, from_ms, to_ms))

    def intervals(self, asset: str, from_ms: int, to_ms: int) -> tuple[Interval, ...]:
        """What was said about stretches of an asset's time that touch a range."""
        return self.asked(lambda db: Intervals(db).of(asset, from_ms, to_ms))

    def minutes(self, owner: str, from_ms: int, to_ms: int) -> list[MinuteRow]:
        """The stored minutes of a range that have anything in them, in order."""
        sql = (
            f"SELECT minute, revision, final, model, {COLUMNS} FROM minute"
            " WHERE asset = ? AND minute >= ? AND minute < ? ORDER BY minute"
        )
        found = self._read(sql, owner, from_ms // 60_000, -(-to_ms // 60_000))
        return [
            MinuteRow(minute * 60_000, revision, bool(final), model, dict(zip(quantities, row, strict=True)))
            for minute, revision, final, model, *row in found
        ]

    def owners(self) -> list[str]:
        """Every asset, line and site with facts."""
        return [owner for (owner,) in self._read("SELECT owner FROM progress ORDER BY owner")]

    def meta(self, key: str) -> str:
        """A value of `meta`, "" where there is none."""
        found = self._read("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0][0]) if found else ""

    def final_ms(self, owner: str) -> int:
        """Before this an owner's minutes are final."""
        found = self._read("SELECT final_ms FROM progress WHERE owner = ?", owner)
        return int(found[0][0]) if found else 0

    def reach(self, owner: str) -> tuple[int, int] | None:
        """An owner's first and its newest fact; None before there is one."""
        found = self._read("SELECT first_ms, newest_ms FROM progress WHERE owner = ?", owner)
        return tuple(found[0]) if found else None

    def closed_ms(self, owner: str) -> int:
        """Before this an owner's minutes are stored."""
        found = self._read("SELECT closed_ms FROM progress WHERE owner = ?", owner)
        return int(found[0][0]) if found else 0

    def _read(self, sql: str, *bindings: str | int) -> list[Any]:
        return self.asked(lambda db: db.execute(sql, bindings).fetchall())

    def asked(self, question: Callable[[apsw.Connection], T]) -> T:
        """The answer to a question that reads the file. NoKpis: it cannot be read."""
        try:
            return question(self._open())
        except apsw.Error as exc:
            self.close()
            raise NoKpis(f"{self._path} cannot be read: {exc}") from exc

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = open_to_read(self._path, _BUSY_MS)
        return self._connection

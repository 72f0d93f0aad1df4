"""What the board needs of the stored data, and the one object that every route gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.board.answers import ComparisonAnswer, EnergyHour, HistoryPoint, KpiRow, Segment, TagAnswer
from gateway.board.data_answers import CapabilityAnswer, QualityAnswer
from gateway.board.hub import Hub
from gateway.kpi.metering import MeterTree


class NotStored(Exception):  # noqa: N818  # an answer, not a fault: becomes 503 with this text
    """The file cannot be read now; the text says why and what helps."""


class KpiSource(Protocol):
    """Reads kpi.db; every call may raise NotStored."""

    def segments(self, asset: str, from_ms: int, to_ms: int) -> Sequence[Segment]:
        """The asset's states that touch the range, in order."""
        ...

    def energy_per_hour(self, asset: str, from_ms: int, to_ms: int) -> Sequence[EnergyHour]:
        """kWh by time class for each hour that begins in the range."""
        ...

    def kpis(self, owner: str, window: str, from_ms: int, to_ms: int) -> Sequence[KpiRow]:
        """KPIs of each window that begins in the range, of products and orders those that ran in it."""
        ...

    def owners(self) -> Sequence[str]:
        """Every asset, line, area and the site that has numbers."""
        ...

    def compare(
        self, owners: Sequence[str], window: str, from_ms: int, to_ms: int, kpis: Sequence[str]
    ) -> ComparisonAnswer:
        """Some KPIs of many owners at once. ValueError: there is no such KPI."""
        ...

    def quality(self, owner: str, from_ms: int, to_ms: int) -> QualityAnswer:
        """Data-quality scores of every tag behind an owner's KPIs."""
        ...

    def capability(self, owner: str, window: str, from_ms: int, to_ms: int) -> CapabilityAnswer:
        """What is measured of an owner's parts, over each window that begins in the range, or over the range."""
        ...

    def meter_tree(self) -> MeterTree:
        """Which assets' meters stand above which others."""
        ...

    def closed_ms(self, owner: str) -> int:
        """Before this an owner's minutes are stored; 0 where none is."""
        ...


class HistorySource(Protocol):
    """Reads history.db; every call may raise NotStored."""

    def tags(self) -> Sequence[TagAnswer]:
        """All tags with readings."""
        ...

    def series(self, tag: str, from_ms: int, to_ms: int, points: int) -> Sequence[HistoryPoint]:
        """The tag's readings in at most about `points` steps; numeric tags only."""
        ...


@dataclass(frozen=True, slots=True)
class Board:
    """What the routes work with. They read from several threads."""

    title: str
    timezone: ZoneInfo
    hub: Hub
    kpi: KpiSource
    history: HistorySource
    version: str = ""
    standalone: bool = False

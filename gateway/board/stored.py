"""kpi.db and history.db as the routes want them: opened at the first question, read-only, errors as answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from threading import Lock

from gateway.board.answers import ComparisonAnswer, EnergyHour, HistoryPoint, KpiRow, Segment, TagAnswer
from gateway.board.readers import NotStored
from gateway.history import HistoryReader, NoHistory, StoreFault, StoreUnusable
from gateway.kpi.query import KpiReader, NoKpis


class StoredKpi:
    """`KpiSource` over kpi.db. One question at a time: the reader has one connection."""

    def __init__(self, path: Path) -> None:
        self._reader = KpiReader(path)
        self._lock = Lock()

    def segments(self, asset: str, from_ms: int, to_ms: int) -> Sequence[Segment]:
        """The asset's states that touch the range, in order."""
        with self._asking() as reader:
            found = reader.segments(asset, from_ms, to_ms)
        return [Segment(from_ms=s.from_ms, to_ms=s.to_ms, time_class=s.time_class, state=s.state) for s in found]

    def energy_per_hour(self, asset: str, from_ms: int, to_ms: int) -> Sequence[EnergyHour]:
        """kWh by time class for each hour that begins in the range."""
        with self._asking() as reader:
            found = reader.energy_per_hour(asset, from_ms, to_ms)
        return [EnergyHour.model_validate(hour) for hour in found]

    def kpis(self, owner: str, window: str, from_ms: int, to_ms: int) -> Sequence[KpiRow]:
        """KPIs of each window that begins in the range."""
        with self._asking() as reader:
            found = reader.kpis(owner, window, from_ms, to_ms)
        return [KpiRow.model_validate(row) for row in found]

    def compare(
        self, owners: Sequence[str], window: str, from_ms: int, to_ms: int, kpis: Sequence[str]
    ) -> ComparisonAnswer:
        """Some KPIs of many owners at once. ValueError: there is no such KPI."""
        with self._asking() as reader:
            found = reader.compare(owners, window, from_ms, to_ms, kpis)
        return ComparisonAnswer(
            window=window,
            owners=list(found.owners),
            start_ms=found.start_ms.tolist(),
            end_ms=found.end_ms.tolist(),
            names=list(found.names),
            values={
                kpi: [None if isnan(value) else value for value in column.tolist()]
                for kpi, column in found.values.items()
            },
        )

    def closed_ms(self, owner: str) -> int:
        """Before this an owner's minutes are stored; 0 where none is."""
        with self._asking() as reader:
            return reader.closed_ms(owner)

    def owners(self) -> Sequence[str]:
        """Every asset, line and site with stored facts."""
        with self._asking() as reader:
            return reader.owners()

    def final_ms(self, owner: str) -> int:
        """Before this an owner's minutes are final; 0 where none is."""
        with self._asking() as reader:
            return reader.final_ms(owner)

    @contextmanager
    def _asking(self) -> Iterator[KpiReader]:
        with self._lock, _answers():
            yield self._reader


class StoredHistory:
    """`HistorySource` over history.db."""

    def __init__(self, path: Path) -> None:
        self._reader = HistoryReader(path)

    def tags(self) -> Sequence[TagAnswer]:
        """All tags with readings; of several definitions of a name the newest."""
        with _answers():
            known = {tag.name: tag for tag in self._reader.tags()}
        return [TagAnswer(name=tag.name, type=tag.type, unit=tag.unit) for tag in known.values()]

    def series(self, tag: str, from_ms: int, to_ms: int, points: int) -> Sequence[HistoryPoint]:
        """The tag's course in at most about `points` steps."""
        with _answers():
            trend = self._reader.series(tag, from_ms, to_ms, points)
        columns = zip(trend.time_ms.tolist(), trend.low.tolist(), trend.mean.tolist(), trend.high.tolist(), strict=True)
        return [HistoryPoint(time_ms=at, min=low, mean=mean, max=high) for at, low, mean, high in columns]


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except (NoHistory, StoreFault, StoreUnusable, NoKpis) as exc:
        raise NotStored(str(exc)) from exc

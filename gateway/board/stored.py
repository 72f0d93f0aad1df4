"""kpi.db and history.db as the routes want them: opened at the first question, read-only, errors as answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from pathlib import Path
from threading import Lock

from gateway.board.answers import ComparisonAnswer, EnergyHour, HistoryPoint, KpiRow, Segment, TagAnswer
from gateway.board.data_answers import CapabilityAnswer, LeastRow, MeasuredRow, QualityAnswer, TagQuality
from gateway.board.readers import NotStored
from gateway.history import HistoryReader, NoHistory, StoreFault, StoreUnusable
from gateway.kpi.capable import Measured, capabilities, least
from gateway.kpi.measures import INDICES
from gateway.kpi.metering import MeterTree
from gateway.kpi.quality import tag_scores, together
from gateway.kpi.query import KpiReader, NoKpis


class StoredKpi:
    """`KpiSource` over kpi.db. One question at a time: the reader has one connection.

    What reads many facts has a reader of its own: nobody's chart waits for it.
    """

    def __init__(self, path: Path) -> None:
        self._reader, self._slow_reader = KpiReader(path), KpiReader(path)
        self._lock, self._slow_lock = Lock(), Lock()

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

    def quality(self, owner: str, from_ms: int, to_ms: int) -> QualityAnswer:
        """Data-quality scores of every tag behind an owner's KPIs."""
        with self._slow_lock, _answers():
            reader = self._slow_reader
            assets = reader.assets_of(owner)
            found = reader.asked(lambda db: tag_scores(db, assets, from_ms, to_ms))
            gate = reader.context(owner).rules.catalogue.gate
        if owner not in assets:
            found.append(together([one for one in found if not one.role], owner))
        rows = [{**asdict(one), "scores": one.scores, "unchecked": one.unchecked} for one in found]
        scored = [TagQuality(**row, status=gate.status(row["counts"])) for row in rows]
        return QualityAnswer(owner=owner, from_ms=from_ms, to_ms=to_ms, rows=scored)

    def capability(self, owner: str, window: str, from_ms: int, to_ms: int) -> CapabilityAnswer:
        """What is measured of an owner's parts, over each window that begins in the range, or over the range."""
        with self._slow_lock, _answers():
            found = capabilities(self._slow_reader, owner, window, from_ms, to_ms)
        return CapabilityAnswer(
            owner=owner,
            window=window,
            rows=[_measured(one) for one in found],
            least=[LeastRow.model_validate(one) for one in least(found)],
        )

    def meter_tree(self) -> MeterTree:
        """Which assets' meters stand above which others."""
        with self._asking() as reader:
            return reader.meter_tree()

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


def _measured(one: Measured) -> MeasuredRow:
    was = one.found
    return MeasuredRow(
        asset=one.asset,
        measure=one.measure,
        start_ms=one.start_ms,
        end_ms=one.end_ms,
        name=one.name,
        lsl=one.lsl,
        usl=one.usl,
        n=was.n,
        left_out=was.left_out,
        mean=was.mean,
        deviation=was.deviation,
        within=was.within,
        values={index: getattr(was, index) for index in INDICES},
        reasons=dict(was.reasons),
    )


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

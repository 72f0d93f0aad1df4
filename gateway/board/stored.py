"""kpi.db and history.db as the routes want them: opened at the first question, read-only, errors as answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.board.answers import HistoryPoint, TagAnswer
from gateway.board.readers import NotStored
from gateway.history import HistoryReader, NoHistory, StoreFault, StoreUnusable


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
        columns = (trend.time_ms.tolist(), trend.low.tolist(), trend.mean.tolist(), trend.high.tolist())
        return [
            HistoryPoint(time_ms=t, min=low, mean=mean, max=high) for t, low, mean, high in zip(*columns, strict=True)
        ]


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except (NoHistory, StoreFault, StoreUnusable) as exc:
        raise NotStored(str(exc)) from exc

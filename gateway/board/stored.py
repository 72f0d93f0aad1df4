"""kpi.db and history.db, opened read-only for the length of one request."""

from pathlib import Path

from gateway.board.readers import HistoryOpener, KpiOpener


def kpi_opener(path: Path) -> KpiOpener:
    raise NotImplementedError


def history_opener(path: Path) -> HistoryOpener:
    raise NotImplementedError

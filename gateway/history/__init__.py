"""The embedded store: readings, minute roll-ups and KPIs in one SQLite file."""

from gateway.history.file import NoHistory, StoreFault, StoreFull, StoreUnusable
from gateway.history.query import HistoryReader, KnownTag, KpiRow, Latest, Trend, UnknownTag
from gateway.history.readings import Readings
from gateway.history.store import History

__all__ = [
    "History",
    "HistoryReader",
    "KnownTag",
    "KpiRow",
    "Latest",
    "NoHistory",
    "Readings",
    "StoreFault",
    "StoreFull",
    "StoreUnusable",
    "Trend",
    "UnknownTag",
]

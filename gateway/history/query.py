"""Reads history.db from any process while the gateway writes it: short reads, nothing is ever changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, cast

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.history.codec import decode
from gateway.history.file import in_our_words, open_to_read
from gateway.history.readings import Readings
from gateway.history.rollup import MINUTE_MS, Steps, coarser, steps
from gateway.history.writer import group_of
from gateway.model import TagType

_TAGS = "SELECT id, name, type, unit FROM tag ORDER BY name, id"
_NAMED = "SELECT id, type FROM tag WHERE name = ? ORDER BY id"
_CHUNKS = "SELECT data FROM chunk WHERE tag = ? AND to_ms >= ? AND from_ms < ? ORDER BY id"
_BLOCKS = "SELECT data FROM block WHERE tag_group = ? AND to_ms >= ? AND from_ms < ? ORDER BY id"
_OLDEST = "SELECT min(from_ms) FROM chunk WHERE tag = ?"
_OLDEST_BLOCK = "SELECT min(from_ms) FROM block WHERE tag_group = ?"
# One seek per minute: the key of `minute` starts with the time, so a range of it would pass every other tag's rows.
_MINUTES = """
WITH RECURSIVE span (number) AS (SELECT ? UNION ALL SELECT number + 1 FROM span WHERE number + 1 < ?)
SELECT number, count, sum, min, max, last, last_ms FROM span CROSS JOIN minute ON time_s = number * 60 AND tag = ?"""
_MINUTE_ENDS = "SELECT (SELECT min(time_s) / 60 FROM minute), (SELECT max(time_s) / 60 FROM minute)"
_LATEST = """
SELECT name, unit, time_ms, value, text, quality FROM latest JOIN tag ON tag.id = latest.tag ORDER BY name, time_ms"""
_KPI = """
SELECT start_ms, kpi, value, revision FROM kpi
WHERE owner = ? AND window = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms, kpi"""


class UnknownTag(LookupError):  # noqa: N818  # an answer rather than a fault
    """The history has no tag of this name."""


class KnownTag(NamedTuple):
    """A tag of the history."""

    id: int
    name: str
    type: str
    unit: str


class Latest(NamedTuple):
    """A tag's newest reading; value and text are None where it is bad."""

    name: str
    unit: str
    time_ms: int
    value: float | None
    text: str | None
    quality: int


class KpiRow(NamedTuple):
    """A KPI of one window in its newest revision; value is None where it has none."""

    start_ms: int
    kpi: str
    value: float | None
    revision: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A tag's course in steps; only steps with usable readings are listed. All columns have one length.

    time_ms  int64[n]  start of each step, UTC; `last` is the step's latest value; means are of readings, not of time
    tier     raw: made from readings; minute: from minute roll-ups
    """

    step_ms: int
    tier: Literal["raw", "minute"]
    time_ms: NDArray[np.int64]
    count: NDArray[np.int64]
    low: NDArray[np.float64]
    mean: NDArray[np.float64]
    high: NDArray[np.float64]
    last: NDArray[np.float64]


class HistoryReader:
    """Queries of one history file; safe to share between threads. Opens the file when first asked.

    Every call may raise NoHistory (no file yet), StoreUnusable (damaged, later version) or StoreFault (I/O error).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: apsw.Connection | None = None
        self._lock = Lock()

    def tags(self) -> list[KnownTag]:
        """Every tag of the history, by name."""
        with self._reading() as db:
            return [KnownTag(*cast("tuple[int, str, str, str]", row)) for row in db.execute(_TAGS)]

    def latest(self, names: Sequence[str] | None = None) -> dict[str, Latest]:
        """The newest reading by tag name, of all tags or of those named; tags without a reading are left out."""
        with self._reading() as db:
            rows = [Latest(*cast("tuple[str, str, int, float, str, int]", row)) for row in db.execute(_LATEST)]
        return {row.name: row for row in rows if names is None or row.name in names}

    def raw(self, name: str, from_ms: int, to_ms: int) -> Readings:
        """Every reading of a tag with from_ms ≤ time < to_ms, by time. UnknownTag: there is none of this name."""
        with self._reading() as db:
            return _raw(db, _ids(db, name), from_ms, to_ms)

    def series(self, name: str, from_ms: int, to_ms: int, points: int = 500) -> Trend:
        """A numeric tag's course from from_ms to to_ms in about `points` steps.

        Steps are whole multiples of their length since 1970, so that the same step always shows the same; the first
        may start before from_ms and the last end after to_ms. Steps of a minute or more, and ranges whose readings
        are gone already, come from the minute roll-ups.
        UnknownTag: there is none of this name. ValueError: no range, or a text tag.
        """
        if to_ms <= from_ms or points < 1:
            raise ValueError(f"series needs from < to and points ≥ 1, not {from_ms}, {to_ms} and {points}")
        step_ms = -(-(to_ms - from_ms) // points)
        with self._reading() as db:
            ids = _ids(db, name)
            if ids.text:
                raise ValueError(f"{name} is a text tag: it has readings, but no course")
            if step_ms >= MINUTE_MS or _minutes_reach_further(db, ids, from_ms, to_ms):
                return _from_minutes(db, ids, from_ms, to_ms, -(-step_ms // MINUTE_MS))
            whole = from_ms // step_ms * step_ms, -(-to_ms // step_ms) * step_ms
            return _from_raw(_raw(db, ids, *whole), step_ms)

    def kpi(self, owner: str, window: str, from_ms: int, to_ms: int) -> list[KpiRow]:
        """KPIs of an owner's windows that start in from_ms ≤ start < to_ms, by start and name."""
        with self._reading() as db:
            rows = db.execute(_KPI, (owner, window, from_ms, to_ms))
            return [KpiRow(*cast("tuple[int, str, float, int]", row)) for row in rows]

    def close(self) -> None:
        """Releases the file; the next call opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """One state of the file for several statements: a chunk must not move between two of them."""
        with self._lock, in_our_words(self._path):
            if self._db is None:
                self._db = open_to_read(self._path)
            with self._db:
                yield self._db


@dataclass(frozen=True, slots=True)
class _Ids:
    """The ids that a name had (a changed definition gets a new one) of the newest definition's kind."""

    ids: tuple[int, ...]
    text: bool

    @property
    def groups(self) -> set[int]:
        return {group_of(tag_id, text=self.text) for tag_id in self.ids}


def _ids(db: apsw.Connection, name: str) -> _Ids:
    rows = cast("list[tuple[int, str]]", db.execute(_NAMED, (name,)).fetchall())
    if not rows:
        raise UnknownTag(f"the history has no tag {name!r}")
    text = rows[-1][1] == TagType.TEXT
    return _Ids(tuple(tag_id for tag_id, kind in rows if (kind == TagType.TEXT) == text), text)


def _raw(db: apsw.Connection, ids: _Ids, from_ms: int, to_ms: int) -> Readings:
    chunks = [row for tag_id in ids.ids for row in db.execute(_CHUNKS, (tag_id, from_ms, to_ms))]
    blocks = [row for group in ids.groups for row in db.execute(_BLOCKS, (group, from_ms, to_ms))]
    settled = [decode(cast("bytes", data)) for (data,) in chunks]
    fresh = [block[np.isin(block.tag, ids.ids)] for block in (decode(cast("bytes", data)) for (data,) in blocks)]
    readings = Readings.concat(settled + fresh)
    readings = readings[(readings.time_ms >= from_ms) & (readings.time_ms < to_ms)]
    if (np.diff(readings.time_ms) < 0).any():
        readings = readings[np.argsort(readings.time_ms, kind="stable")]
    return readings.with_own_texts()


def _minutes_reach_further(db: apsw.Connection, ids: _Ids, from_ms: int, to_ms: int) -> bool:
    """Whether roll-ups of the range exist from before the oldest reading that is still there."""
    found = [db.execute(_OLDEST, (tag_id,)).get for tag_id in ids.ids]
    found += [db.execute(_OLDEST_BLOCK, (group,)).get for group in ids.groups]
    oldest_ms = min((cast("int", ms) for ms in found if ms is not None), default=to_ms)
    span = _minute_span(db, from_ms, min(oldest_ms, to_ms) // MINUTE_MS * MINUTE_MS)
    return span[0] < span[1] and any(db.execute(_MINUTES, (*span, tag)).fetchone() for tag in ids.ids)


def _minute_span(db: apsw.Connection, from_ms: int, to_ms: int) -> tuple[int, int]:
    """The minutes of a range that the roll-ups can have, however wide the range is."""
    first, last = cast("tuple[int | None, int | None]", db.execute(_MINUTE_ENDS).fetchone())
    if first is None or last is None:
        return 0, 0
    return max(from_ms // MINUTE_MS, first), min(-(-to_ms // MINUTE_MS), last + 1)


def _from_raw(readings: Readings, step_ms: int) -> Trend:
    one = Readings(np.zeros(len(readings), np.int32), readings.time_ms, readings.value, readings.quality)
    return _trend(steps(one, step_ms), step_ms, "raw")


def _from_minutes(db: apsw.Connection, ids: _Ids, from_ms: int, to_ms: int, minutes: int) -> Trend:
    span = _minute_span(db, from_ms, to_ms)
    rows = [row for tag_id in ids.ids if span[0] < span[1] for row in db.execute(_MINUTES, (*span, tag_id))]
    table = np.array(rows, np.float64).reshape(-1, 7)
    minute, count, total, low, high, last, last_ms = table[np.argsort(table[:, 0], kind="stable")].T
    whole = [column.astype(np.int64) for column in (minute, count, last_ms)]
    found = Steps(np.zeros(len(table), np.int32), whole[0], whole[1], total, low, high, last, whole[2])
    return _trend(coarser(found, minutes), minutes * MINUTE_MS, "minute")


def _trend(s: Steps, step_ms: int, tier: Literal["raw", "minute"]) -> Trend:
    # ids of one name follow each other in time: one course
    return Trend(step_ms, tier, s.step * step_ms, s.count, s.low, s.total / s.count, s.high, s.last)

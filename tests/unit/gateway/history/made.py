"""A small plant's tags, records of readings, and the content of a history to compare."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.history import History, HistoryReader
from gateway.history.compaction import Compaction
from gateway.model import GOOD, BatchBuilder, Tag, TagTable, TagType
from gateway.ports import Record
from tests.clock import VirtualClock

T0 = 1_780_000_020_000  # ms; a whole minute, and every third one
POWER, COUNT, STATE, OEE, OEE_2, FAR_POWER, FAR_STATE = 1, 2, 3, 4, 5, 200, 201
TAGS = {
    POWER: Tag("press/power", TagType.FLOAT, "kW"),
    COUNT: Tag("press/count", TagType.INT, counter=True),
    STATE: Tag("press/state", TagType.TEXT),
    OEE: Tag("press/kpi/minute/oee"),
    OEE_2: Tag("press/kpi/minute@2/oee"),
    FAR_POWER: Tag("mill/power", TagType.FLOAT, "kW"),
    FAR_STATE: Tag("mill/state", TagType.TEXT),
}
EAGER = Compaction(fold_at=3, settle_at=60, settle_folded_at=3, chunk_readings=16)  # folds and settles all the time

Row = tuple[int, int, float | str, int]  # tag, time in ms, value or text, quality


def table() -> TagTable:
    return TagTable(TAGS.items())


def record(position: int, rows: Sequence[Row]) -> Record:
    builder = BatchBuilder()
    for tag, time_ms, value, quality in rows:
        if isinstance(value, str):
            builder.add_text(tag, time_ms * 1_000_000, value, quality)
        else:
            builder.add(tag, time_ms * 1_000_000, value, quality)
    return Record(position, "made", position, 0, builder.build())


def numbers(position: int, *values: float, tag: int = POWER, start_ms: int = T0, step_ms: int = 1000) -> Record:
    return record(position, [(tag, start_ms + n * step_ms, value, GOOD) for n, value in enumerate(values)])


def history(path: Path, clock: VirtualClock | None = None, **options: Any) -> History:
    return History(path, table(), clock=clock or VirtualClock(), **options)


async def keep(path: Path, records: Sequence[Record], **options: Any) -> None:
    """Takes the records into a history, with a flush after each, and closes it."""
    store = history(path, flush_every_s=0, **options)
    for some in records:
        await store.take([some])
    await store.close()


def as_a_crash_leaves_it(path: Path, copy: Path) -> Path:
    """The file and its log as another process finds them when the writer is killed now."""
    copy.mkdir()
    for suffix in ("", "-wal"):
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy(source, copy / source.name)
    return copy / path.name


def raw(path: Path, tag: int) -> list[tuple[int, float | str | None, int]]:
    """A tag's readings: time in ms, value or text, quality."""
    reader = HistoryReader(path)
    found = reader.raw(TAGS[tag].name, -(1 << 62), 1 << 62)
    reader.close()
    values = [found.text(row) if found.texts else value for row, value in enumerate(found.value.tolist())]
    return list(zip(found.time_ms.tolist(), values, found.quality.tolist(), strict=True))


def sql(path: Path, query: str, *bindings: object) -> list[tuple[Any, ...]]:
    """What any other SQLite reader gets."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query, bindings).fetchall()


def content(path: Path) -> dict[str, object]:
    """Everything that a history tells, however its readings are spread over chunks and blocks."""
    known = {row[0] for row in sql(path, "SELECT id FROM tag")}
    return {
        "raw": {tag: raw(path, tag) for tag in TAGS if tag in known},
        "latest": sql(path, "SELECT * FROM latest ORDER BY tag"),
        "minute": [
            (*row[:3], round(row[3], 6), *row[4:])
            for row in sql(path, "SELECT time_s, tag, count, sum, min, max, last, last_ms FROM minute")
        ],
        "kpi": sql(path, "SELECT * FROM kpi"),
    }

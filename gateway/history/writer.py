"""One flush: a batch becomes blocks, roll-ups, latest values, KPI rows and the cursor, in one transaction."""

from typing import cast

import apsw
import numpy as np

from gateway.history.codec import encode
from gateway.history.file import transaction
from gateway.history.readings import Readings, edges
from gateway.history.rollup import MINUTE_S, last_rows, steps
from gateway.history.roster import KPI, NUMBER, TEXT, Roster
from gateway.model import Batch, is_usable

_GROUP_BITS = 6  # 64 tags share a block: few rows per flush, and little beside the wanted tag to decode

_TAG = "INSERT OR REPLACE INTO tag (id, name, type, unit) VALUES (?, ?, ?, ?)"
_LATEST = """
INSERT INTO latest (tag, time_ms, value, text, quality) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (tag) DO UPDATE SET time_ms = excluded.time_ms, value = excluded.value, text = excluded.text,
    quality = excluded.quality WHERE excluded.time_ms >= time_ms"""
_MINUTE = """
INSERT INTO minute (time_s, tag, count, sum, min, max, last, last_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (time_s, tag) DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum,
    min = min(min, excluded.min), max = max(max, excluded.max),
    last = iif(excluded.last_ms >= last_ms, excluded.last, last), last_ms = max(last_ms, excluded.last_ms)"""
_KPI = """
INSERT INTO kpi (owner, window, start_ms, kpi, value, revision) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (owner, window, start_ms, kpi) DO UPDATE SET value = excluded.value, revision = excluded.revision
    WHERE excluded.revision >= revision"""
_BLOCK = "INSERT INTO block (tag_group, folded, from_ms, to_ms, count, data) VALUES (?, ?, ?, ?, ?, ?)"
_CURSOR = "UPDATE cursor SET position = ?, newest_ms = max(newest_ms, ?)"


def group_of(tag: int, *, text: bool) -> int:
    """The group whose blocks hold a tag's readings; texts have negative groups of their own."""
    return ~(tag >> _GROUP_BITS) if text else tag >> _GROUP_BITS


def flush(db: apsw.Connection, batch: Batch, roster: Roster, position: int, *, durable: bool) -> None:
    """Writes a batch and moves the cursor to `position`, or changes nothing."""
    kind = roster.kind[batch.tag]
    numbers = Readings.of_numbers(batch if not kind.any() else batch.where(kind == NUMBER)).sorted()
    texts = Readings.of_texts(batch.where(kind == TEXT)).sorted()
    kpis = batch.where(kind == KPI)
    newest_ms = max((int(part.time_ms.max()) for part in (numbers, texts) if len(part)), default=0)
    with transaction(db, durable=durable):
        _write_tags(db, roster)
        _write_kpis(db, kpis, roster)
        _write_latest(db, numbers)
        _write_latest(db, texts)
        _write_minutes(db, numbers)
        _write_blocks(db, numbers, text=False)
        _write_blocks(db, texts, text=True)
        db.execute(_CURSOR, (position, newest_ms))
    roster.unlisted.clear()


def add_block(db: apsw.Connection, group: int, folded: int, readings: Readings) -> None:
    """Adds sorted readings of one group."""
    span = int(readings.time_ms.min()), int(readings.time_ms.max())
    db.execute(_BLOCK, (group, folded, *span, len(readings), encode(readings)))


def start(db: apsw.Connection, roster: Roster) -> int:
    """Lists the tags and makes the file durable: after a crash of the process its last commits may not be.

    Returns the position of its cursor.
    """
    with transaction(db, durable=True):
        _write_tags(db, roster)
        db.execute("UPDATE cursor SET position = position")
    roster.unlisted.clear()
    return cast("int", db.execute("SELECT position FROM cursor").get)


def _write_tags(db: apsw.Connection, roster: Roster) -> None:
    db.executemany(_TAG, ((tag_id, tag.name, tag.type.value, tag.unit) for tag_id, tag in roster.unlisted))


def _write_latest(db: apsw.Connection, readings: Readings) -> None:
    last = readings[last_rows(readings)]
    usable = is_usable(last.quality).tolist()
    if readings.texts:
        content = ((None, last.text(row) if ok else None) for row, ok in enumerate(usable))
    else:
        content = ((value if ok else None, None) for value, ok in zip(last.value.tolist(), usable, strict=True))
    rows = zip(last.tag.tolist(), last.time_ms.tolist(), content, last.quality.tolist(), strict=True)
    db.executemany(_LATEST, ((tag, time_ms, *pair, quality) for tag, time_ms, pair, quality in rows))


def _write_minutes(db: apsw.Connection, numbers: Readings) -> None:
    m = steps(numbers)
    columns = (m.step * MINUTE_S, m.tag, m.count, m.total, m.low, m.high, m.last, m.last_ms)
    db.executemany(_MINUTE, zip(*(column.tolist() for column in columns), strict=True))


def _write_blocks(db: apsw.Connection, readings: Readings, *, text: bool) -> None:
    for part in readings.split(edges(readings.tag >> _GROUP_BITS)):
        add_block(db, group_of(int(part.tag[0]), text=text), 0, part)


def _write_kpis(db: apsw.Connection, kpis: Batch, roster: Roster) -> None:
    usable = is_usable(kpis.quality).tolist()
    rows = []
    for reading, ok in zip(kpis, usable, strict=True):
        where = roster.place(reading.tag)
        value = reading.value if ok else None
        rows.append((where.owner, where.window, reading.time_ns // 1_000_000, where.field, value, where.revision))
    db.executemany(_KPI, rows)
    current = np.array([roster.place(tag).revision == 0 for tag in kpis.tag.tolist()], np.bool_)
    _write_latest(db, Readings.of_numbers(kpis.where(current)).sorted())

import asyncio
import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.history import History, HistoryReader, NoHistory, StoreUnusable, UnknownTag
from gateway.history.compaction import Compaction
from gateway.history.file import create_or_open
from gateway.model import BAD, GOOD, Tag, TagTable, TagType
from tests.clock import VirtualClock
from tests.unit.gateway.history import made
from tests.unit.gateway.history.made import EAGER, OEE, OEE_2, POWER, STATE, T0

MINUTE = 60_000
HOUR = 60 * MINUTE
POWER_NAME = made.TAGS[POWER].name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def two_hours(path: Path) -> HistoryReader:
    """A reading every 10 s for two hours: 0, 1, 2, …; with some bad ones between, whose value is -1."""
    rows = [(POWER, T0 + n * 10_000, float(n), GOOD) for n in range(720)]
    rows += [(POWER, T0 + n * 10_000 + 5000, -1.0, BAD) for n in range(0, 720, 50)]
    records = [made.record(1 + n, rows[n::20]) for n in range(20)]
    asyncio.run(made.keep(path, records, compaction=EAGER))
    return HistoryReader(path)


def test_a_range_includes_its_start_and_excludes_its_end(two_hours: HistoryReader) -> None:
    found = two_hours.raw(POWER_NAME, T0 + 10_000, T0 + 30_000)
    assert found.time_ms.tolist() == [T0 + 10_000, T0 + 20_000]
    assert found.value.tolist() == [1.0, 2.0]
    assert found.quality.tolist() == [GOOD, GOOD]


def test_a_range_without_readings_is_empty(two_hours: HistoryReader) -> None:
    assert len(two_hours.raw(POWER_NAME, 0, 1000)) == 0
    trend = two_hours.series(POWER_NAME, 0, 1000)
    assert (len(trend.time_ms), trend.tier) == (0, "raw")
    assert len(two_hours.series(POWER_NAME, 0, 365 * 24 * HOUR).time_ms) == 0


def test_a_short_range_comes_from_readings_and_a_long_one_from_minutes(two_hours: HistoryReader) -> None:
    near = two_hours.series(POWER_NAME, T0, T0 + 2 * HOUR, points=240)
    far = two_hours.series(POWER_NAME, T0, T0 + 2 * HOUR, points=40)
    assert (near.tier, near.step_ms, near.count.tolist()) == ("raw", 30_000, [3] * 240)
    assert (far.tier, far.step_ms, far.count.tolist()) == ("minute", 180_000, [18] * 40)
    assert near.time_ms[:2].tolist() == [T0, T0 + 30_000]
    assert near.mean[:2].tolist() == [1.0, 4.0]
    assert far.time_ms[:2].tolist() == [T0, T0 + 180_000]
    assert far.low[:2].tolist() == [0.0, 18.0]
    assert far.mean[:2].tolist() == [8.5, 26.5]
    assert far.high[:2].tolist() == [17.0, 35.0]
    assert far.last[:2].tolist() == [17.0, 35.0]


@pytest.mark.parametrize("minutes", [1, 7, 60])
def test_both_tiers_give_the_same_steps(two_hours: HistoryReader, minutes: int) -> None:
    start = T0 // (420 * MINUTE) * 420 * MINUTE
    trend = two_hours.series(POWER_NAME, start, start + 420 * MINUTE, points=420 // minutes)
    assert trend.tier == "minute"
    found = two_hours.raw(POWER_NAME, start, start + 420 * MINUTE)
    good = found[found.quality != BAD]
    for n, begin in enumerate(trend.time_ms.tolist()):
        inside = good.value[(good.time_ms >= begin) & (good.time_ms < begin + trend.step_ms)]
        assert trend.count[n] == len(inside)
        assert trend.mean[n] == pytest.approx(inside.mean())
        assert (trend.low[n], trend.high[n], trend.last[n]) == (inside.min(), inside.max(), inside[-1])
    assert trend.count.sum() == len(good)


async def test_where_the_readings_are_gone_the_minutes_answer(path: Path) -> None:
    clock = VirtualClock()
    now_ms = clock.wall_ns() // 1_000_000
    store = made.history(path, clock, flush_every_s=0, retention_raw_s=3600)
    await store.take([made.numbers(1, 1.0, 3.0, start_ms=now_ms - 3 * HOUR)])
    await clock.advance(61)
    await store.take([made.numbers(2, 5.0, start_ms=now_ms)])
    await store.close()
    reader = HistoryReader(path)
    assert len(reader.raw(POWER_NAME, 0, now_ms)) == 0
    trend = reader.series(POWER_NAME, now_ms - 3 * HOUR - MINUTE, now_ms - 3 * HOUR + MINUTE, points=100)
    assert (trend.tier, trend.count.tolist(), trend.mean.tolist()) == ("minute", [2], [2.0])
    assert reader.series(POWER_NAME, now_ms - MINUTE, now_ms + MINUTE, points=100).tier == "raw"


def test_all_of_time_can_be_asked_for_at_once(two_hours: HistoryReader) -> None:
    before = time.monotonic()
    trend = two_hours.series(POWER_NAME, -(1 << 50), 1 << 50)
    assert trend.count.sum() == 720
    assert time.monotonic() - before < 20  # a walk over every minute since then would take hours


@pytest.mark.parametrize(("start", "end", "points"), [(10, 10, 5), (10, 9, 5), (0, 10, 0)])
def test_a_series_without_a_range_is_refused(two_hours: HistoryReader, start: int, end: int, points: int) -> None:
    with pytest.raises(ValueError, match="from < to"):
        two_hours.series(POWER_NAME, start, end, points)


async def test_texts_are_readings_but_have_no_course(path: Path) -> None:
    rows = [(STATE, T0 + n * 1000, "RUN" if n % 3 else "IDLE", GOOD) for n in range(9)]
    await made.keep(path, [made.record(n, [row]) for n, row in enumerate(rows, 1)], compaction=EAGER)
    reader = HistoryReader(path)
    found = reader.raw("press/state", T0, T0 + 4000)
    assert [found.text(row) for row in range(len(found))] == ["IDLE", "RUN", "RUN", "IDLE"]
    with pytest.raises(ValueError, match="text tag"):
        reader.series("press/state", T0, T0 + 4000)
    assert reader.latest(["press/state"])["press/state"].text == "RUN"


async def test_an_unknown_tag_is_said_and_not_just_empty(path: Path) -> None:
    await made.keep(path, [made.numbers(1, 1.0)])
    for ask in (HistoryReader(path).raw, HistoryReader(path).series):
        with pytest.raises(UnknownTag, match="'press/powr'"):
            ask("press/powr", 0, 1)


async def test_latest_lists_all_or_the_named_tags(path: Path) -> None:
    await made.keep(path, [made.record(1, [(POWER, T0, 2.5, GOOD), (STATE, T0, "RUN", GOOD)])])
    reader = HistoryReader(path)
    assert set(reader.latest()) == {"press/power", "press/state"}
    only = reader.latest(["press/power", "nobody/knows"])
    assert only == {"press/power": ("press/power", "kW", T0, 2.5, None, GOOD)}
    assert [(tag.name, tag.type, tag.unit) for tag in reader.tags()][:2] == [
        ("mill/power", "float", "kW"),
        ("mill/state", "text", ""),
    ]


async def test_kpis_of_a_window_come_by_start(path: Path) -> None:
    first = [(OEE, T0 + MINUTE, 0.8, GOOD), (OEE, T0, 0.7, GOOD), (OEE, T0 + 2 * MINUTE, 0.9, GOOD)]
    await made.keep(path, [made.record(1, first), made.record(2, [(OEE_2, T0, 0.75, GOOD)])])
    reader = HistoryReader(path)
    assert reader.kpi("press", "minute", T0, T0 + 2 * MINUTE) == [
        (T0, "oee", 0.75, 2),
        (T0 + MINUTE, "oee", 0.8, 0),
    ]
    assert reader.kpi("press", "hour", T0, T0 + 2 * MINUTE) == []


async def test_a_redefined_tag_keeps_its_earlier_readings(path: Path) -> None:
    tags = TagTable([(1, Tag("saw/power", TagType.INT)), (70, Tag("saw/power", TagType.FLOAT, "kW"))])
    tags.add(71, Tag("saw/mode", TagType.FLOAT))
    tags.add(72, Tag("saw/mode", TagType.TEXT))
    store = History(path, tags, clock=VirtualClock(), flush_every_s=0)
    await store.take([made.numbers(1, 1.0, 2.0, tag=1), made.numbers(2, 2.5, 3.5, tag=70, start_ms=T0 + 2000)])
    await store.take([made.numbers(3, 9.0, tag=71), made.record(4, [(72, T0 + 5, "AUTO", GOOD)])])
    await store.close()
    reader = HistoryReader(path)
    assert reader.raw("saw/power", 0, 1 << 60).value.tolist() == [1.0, 2.0, 2.5, 3.5]
    assert reader.series("saw/power", T0, T0 + 4000, points=1).count.tolist() == [4]
    mode = reader.raw("saw/mode", 0, 1 << 60)
    assert [mode.text(row) for row in range(len(mode))] == ["AUTO"]


def test_a_reader_waits_for_a_history_that_is_not_there_yet(path: Path) -> None:
    reader = HistoryReader(path)
    with pytest.raises(NoHistory, match="no history yet"):
        reader.tags()
    asyncio.run(made.keep(path, [made.numbers(1, 4.0)]))
    assert reader.latest()["press/power"].value == 4.0
    reader.close()
    assert reader.raw(POWER_NAME, T0, T0 + 1).value.tolist() == [4.0]


def test_a_damaged_chunk_is_said(path: Path) -> None:
    asyncio.run(made.keep(path, [made.numbers(1, *range(50))]))
    whole = path.read_bytes()
    (data,) = made.sql(path, "SELECT data FROM block")[0]
    place = whole.index(data)
    path.write_bytes(whole[: place + 9] + bytes([whole[place + 9] ^ 1]) + whole[place + 10 :])
    with pytest.raises(StoreUnusable, match="checksum"):
        HistoryReader(path).raw(POWER_NAME, 0, 1 << 60)


def test_a_block_that_becomes_chunks_between_two_statements_of_a_read_is_seen_once(path: Path) -> None:
    asyncio.run(made.keep(path, [made.numbers(1, *range(40))]))
    reader, writer = HistoryReader(path), create_or_open(path)
    reader.tags()
    moved: list[bool] = []

    def settle_meanwhile(_: object, statement: str, __: object) -> bool:
        if "FROM block" in statement and not moved:
            moved.append(Compaction(settle_at=1).step(writer))
        return True

    db = reader._db
    assert db is not None
    db.exec_trace = settle_meanwhile
    assert len(reader.raw(POWER_NAME, T0, T0 + HOUR)) == 40
    assert moved == [True]
    assert made.sql(path, "SELECT (SELECT count(*) FROM block), (SELECT sum(count) FROM chunk)") == [(0, 40)]
    writer.close()


def test_one_reader_serves_many_threads(two_hours: HistoryReader) -> None:
    counts: list[int] = []

    def ask() -> None:
        for _ in range(20):
            counts.append(len(two_hours.raw(POWER_NAME, T0, T0 + HOUR)))
            counts.append(int(two_hours.series(POWER_NAME, T0, T0 + HOUR).count.sum()) + 8)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counts) == {368}
    assert len(counts) == 240


async def test_another_process_reads_every_reading_once_while_blocks_become_chunks(path: Path) -> None:
    store = made.history(path, flush_every_s=0, compaction=Compaction(fold_at=4, settle_at=400, chunk_readings=64))
    total = 4000
    await store.take([made.numbers(1, 0.0)])
    watcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.gateway.history.reading_process", path, POWER_NAME, str(total)),
        stdout=asyncio.subprocess.PIPE,
    )
    for n in range(1, total, 31):
        values = np.arange(n, min(n + 31, total)).astype(float).tolist()
        await store.take([made.numbers(n + 1, *values, start_ms=T0 + n * 1000)])
        if n % 620 == 1:
            await asyncio.to_thread(time.sleep, 0.1)
    out, _ = await asyncio.wait_for(watcher.communicate(), 60)
    await store.close()
    saw = json.loads(out)
    assert (saw["seen"], saw["shrunk"], saw["gaps"]) == (total, 0, 0)
    assert saw["steps"] > 2

"""The engine against its own definition: stored minutes equal those from scratch, whatever happened on the way."""

import asyncio
import copy
import random
import shutil
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from gateway.kpi.asset import fingerprint
from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.store import StoreFull
from tests.unit.gateway.kpi.floor import bind
from tests.unit.gateway.kpi.kit import (
    ASSETS,
    START,
    Kit,
    assert_ledger_equals_buckets,
    dump,
    engine,
    expected,
    fed,
    q,
    rows_of,
    total,
)
from tests.unit.gateway.kpi.replayed import replayed


async def test_minutes_equal_those_computed_from_scratch(tmp_path: Path) -> None:
    kit = Kit()
    rows = kit.run(600)
    await fed(kit, tmp_path / "kpi.db", kit.records(rows))
    for asset in ASSETS:
        stored = rows_of(tmp_path / "kpi.db", asset)
        assert len(stored) == 9
        assert stored == expected(kit, rows, tmp_path / "kpi.db", asset)
        assert total(stored, "total") > 100
        assert total(stored, "energy") > 1_000_000


@pytest.mark.parametrize("seed", range(4))
async def test_order_duplicates_and_splits_change_nothing(tmp_path: Path, seed: int) -> None:
    kit = Kit()
    rows = kit.run(420)
    shuffled = [*rows, *rows[: len(rows) // 2]]
    random.Random(seed).shuffle(shuffled)
    await fed(kit, tmp_path / "a.db", kit.records(rows, 100))
    await fed(Kit(), tmp_path / "b.db", kit.records(shuffled, 37 + 300 * seed))
    for owner in (*ASSETS, "line/hall", "site/plant"):
        for table in ("minute", "quarter", "hour", "day"):
            assert rows_of(tmp_path / "a.db", owner, table) == rows_of(tmp_path / "b.db", owner, table)
    assert dump(tmp_path / "a.db", "segment") == dump(tmp_path / "b.db", "segment")


_POINTS = ["BEGIN", "INSERT INTO fact", "INSERT OR REPLACE INTO segment", "INSERT OR REPLACE INTO minute"]
_POINTS += [
    "INSERT OR REPLACE INTO quarter",
    "INSERT OR REPLACE INTO day",
    "INSERT INTO outbox (",
    "DELETE FROM outbox",
]
_POINTS += [
    "INSERT INTO slice VALUES",
    "INSERT INTO slice_day",
    "INSERT OR REPLACE INTO meta",
    "COMMIT",
    "SELECT seq, body FROM outbox",
]


@pytest.mark.parametrize("point", _POINTS)
async def test_a_kill_anywhere_around_a_commit_changes_no_bucket_and_no_sum_of_the_ledger(
    tmp_path: Path, point: str
) -> None:
    kit, path = Kit(), tmp_path / "run" / "kpi.db"
    path.parent.mkdir()
    bind(kit, "press", {"product": "level"})
    products = [
        kit.reading("press/product", START + 1000 * s + 5, "lid" if s % 2 else "cup") for s in range(0, 300, 45)
    ]
    records = kit.records(sorted([*kit.run(300), *products], key=lambda row: row[1]))
    one = await asyncio.to_thread(engine, kit, path)
    images: list[Kit] = []
    seen = 0

    def image(_: object, sql: str, __: object) -> bool:
        """The files as a kill at this moment leaves them, and what the journal has got by then."""
        nonlocal seen
        seen += sql.startswith(point)
        if sql.startswith(point) and seen % 3 == 0:
            shutil.copytree(path.parent, tmp_path / f"image{len(images)}")
            images.append(copy.deepcopy(kit))
        return True

    one._worker.store.db.exec_trace = image
    for record in records:
        await one.take([record])
    one._worker.store.db.exec_trace = None
    await one.flush()
    await one.close()
    assert images, f"nothing like {point!r} was ever executed"
    for number, killed in enumerate(images):
        left = tmp_path / f"image{number}" / "kpi.db"
        await fed(killed, left, records)
        for owner in (*ASSETS, "line/hall", "site/plant"):
            assert rows_of(left, owner) == rows_of(path, owner)
        assert dump(left, "slice", "slice_day") == dump(path, "slice", "slice_day")
        for asset in ASSETS:
            assert_ledger_equals_buckets(killed, left, asset)


async def test_late_readings_revise_the_minutes_they_touch_and_no_other(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(600)
    late_from, late_to = START + 200_000, START + 230_000
    late = [row for row in rows if late_from <= row[1] < late_to and row[0] == kit.ids["press/energy"]]
    early = kit.records([row for row in rows if row not in late])
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(early)
    await one.flush()
    before = dump(path, "minute")["minute"]
    await one.take(kit.records(late, first=len(early) + 1))
    await one.flush()
    await one.close()
    after = dump(path, "minute")["minute"]
    touched = {(row[0], row[1]) for row in after if row not in before}
    minutes = {late_from // 60_000, (late_to - 1) // 60_000}
    assert touched == {(owner, minute) for owner in ("press", "line/hall", "site/plant") for minute in minutes}
    assert rows_of(path, "press") == expected(kit, rows, path, "press")
    assert_ledger_equals_buckets(kit, path, "press")
    revised = {
        time_ms for name, time_ms, _, _ in kit.inbox.readings if name.startswith("press/bucket/") and time_ms % 60_000
    }
    assert revised == {minute * 60_000 + 1 for minute in minutes}


async def test_the_file_alone_gives_its_own_minutes_once_more(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    start = START // 3_600_000 * 3_600_000 + 3_600_000 - 400_000  # over an hour's edge, so that chunks are merged
    rows = kit.run(1200, start_ms=start)
    random.Random(2).shuffle(late := [row for row in rows if row[1] % 7 == 0 and row[0] != kit.alive])
    await fed(kit, path, kit.records([*[row for row in rows if row not in late], *late]))
    count = sum(len(rows_of(path, asset)) for asset in ASSETS)
    assert await asyncio.to_thread(replayed, path) == (count, [])


async def test_every_minute_lost_for_a_while_is_right_when_it_arrives(tmp_path: Path) -> None:
    """Blocks of all roles arrive late, one after the other, in random order."""
    for seed in range(3):
        kit, path = Kit(), tmp_path / f"kpi{seed}.db"
        rows = kit.run(900, seed=seed)
        blocks = [[row for row in rows if (row[1] - START) // 45_000 == n] for n in range(20)]
        random.Random(seed).shuffle(blocks)
        await fed(kit, path, kit.records([row for block in blocks for row in block], 60))
        for asset in ASSETS:
            assert rows_of(path, asset) == expected(kit, rows, path, asset)
            assert_ledger_equals_buckets(kit, path, asset)


@pytest.mark.parametrize("role", ["press/state", "weld/state", "press/total", "weld/energy", "session", "only proof"])
async def test_readings_of_one_role_alone_may_be_late(tmp_path: Path, role: str) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(1200)
    tag = {"session": kit.session["cell"], "only proof": kit.ids["weld/state"]}.get(role) or kit.ids.get(role)
    if role in {"session", "only proof"}:  # nothing else proves that the cell is there
        quiet = {kit.ids[f"weld/{one}"] for one in ("state", "total", "good", "energy")} | {kit.session["cell"]}
        rows = [row for row in rows if row[0] not in quiet - {tag} or row[1] < START + 5_000]
    late = [row for row in rows if row[0] == tag and START + 120_000 <= row[1] < START + 840_000]
    assert late
    records = kit.records([row for row in rows if row not in late])
    for number, row in enumerate(random.Random(5).sample(late, len(late))):
        records += kit.records([row], first=records[-1].position + 1)
        if number % max(1, len(late) // 12) == 0:  # the horizon moves on, so that the engine commits in between
            rows.append((kit.alive, rows[-1][1] + 61_000, 1.0))
            records += kit.records([rows[-1]], first=records[-1].position + 1)
    await fed(kit, path, records)
    for asset in ASSETS:
        assert rows_of(path, asset) == expected(kit, rows, path, asset)
        assert_ledger_equals_buckets(kit, path, asset)


async def test_shifts_and_days_are_the_sums_of_their_minutes(tmp_path: Path) -> None:
    config = CalendarConfig.model_validate(
        {"shifts": {"early": "00:00-08:10", "late": "08:10-16:00"}, "breaks": ["08:00-08:05"]}
    )
    kit, path = Kit(calendar=Calendar.from_config(config, "Asia/Ho_Chi_Minh")), tmp_path / "kpi.db"
    day = 20_600 * 86_400_000
    rows = kit.run(900, start_ms=day + 3_600_000)  # 08:00 in Vietnam
    await fed(kit, path, kit.records(rows))
    for owner in (*ASSETS, "line/hall", "site/plant"):
        minutes = rows_of(path, owner)
        for table in ("hour", "day", "shift", "quarter"):
            tier = rows_of(path, owner, table)
            assert [sum(column) for column in zip(*tier.values(), strict=True)] == [
                sum(column) for column in zip(*minutes.values(), strict=True)
            ]
        shifts = rows_of(path, owner, "shift")
        assert [key - day for key in sorted(shifts)] == [-7 * 3_600_000, 70 * 60_000]
        edge = (day + 70 * 60_000) // 60_000
        first = shifts[min(shifts)]
        assert list(first) == [sum(row[n] for m, row in minutes.items() if m < edge) for n in range(len(first))]
    assert q(rows_of(path, "press", "shift")[day - 7 * 3_600_000], "time_unplanned") == 300 * 10**6 - 137 * 10**3


async def test_a_minute_keeps_the_model_that_was_valid(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(900)
    late = [row for row in rows if START + 100_000 <= row[1] < START + 130_000 and row[0] == kit.ids["press/good"]]
    records = kit.records([row for row in rows if row not in late])
    await fed(kit, path, records[: len(records) // 2])
    old = kit.models["press"]
    faster = replace(old, ideal_cycle_us=500_000)
    faster = replace(faster, hash=fingerprint(faster))
    kit.models["press"] = faster
    await fed(kit, path, [*records, *kit.records(late, first=len(records) + 1)])
    db = apsw.Connection(str(path))
    found = db.execute("SELECT minute, model, ideal_total, total, good FROM minute WHERE asset = 'press'").fetchall()
    db.close()
    assert {model for _, model, *_ in found} == {old.hash, faster.hash}
    cycle = {old.hash: 1_000_000, faster.hash: 500_000}
    assert all(ideal == cycle[model] * parts for _, model, ideal, parts, _ in found)
    assert (await asyncio.to_thread(replayed, path))[1] == []
    hashes = [model for _, model, *_ in sorted(found)]
    assert hashes == [old.hash] * hashes.count(old.hash) + [faster.hash] * hashes.count(faster.hash)
    complete = Kit()
    assert {m: good for m, _, _, _, good in found} == {
        m: q(row, "good") for m, row in expected(complete, rows, path, "press").items()
    }


async def test_a_full_disk_changes_nothing_and_the_next_try_succeeds(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(2400)
    records = kit.records(rows)
    one = await asyncio.to_thread(engine, kit, path)
    db = one._worker.store.db
    await one.take(records[:40])
    at = one.position()
    db.pragma("max_page_count", db.pragma("page_count"))
    with pytest.raises(StoreFull, match="cannot be written"):
        await one.take(records[40:])
    assert one.position() == at
    db.pragma("max_page_count", 1_000_000)
    await one.take(records[40:])
    await one.flush()
    assert one.position() == records[-1].position
    await one.close()
    assert rows_of(path, "press") == expected(kit, rows, path, "press")
    assert_ledger_equals_buckets(kit, path, "press")

"""The engine and time: silence, clocks that are wrong, long gaps, what is final and what is forgotten."""

import asyncio
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest

from gateway.kpi import engine as engine_module
from gateway.kpi import worker
from gateway.kpi.asset import Binding
from gateway.kpi.closing import Limits
from gateway.model import Batch, Reason, Tag, TagType, uncertain
from gateway.ports import Record
from tests.unit.gateway.kpi.kit import (
    ASSETS,
    START,
    Kit,
    Readings,
    assert_ledger_equals_buckets,
    dump,
    engine,
    expected,
    fed,
    q,
    rows_of,
    total,
)

_HOUR, _DAY = 3_600_000, 86_400_000
_TABLES = ("minute", "quarter", "hour", "day")


async def test_time_becomes_unknown_from_the_last_proof_of_life_on_without_a_new_fact(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    lost = START + 290_000  # 10 s before a minute ends, which is then closed as if the session went on
    cell = {kit.session["cell"], *(kit.ids[f"weld/{role}"] for role in ("state", "total", "good", "energy"))}
    rows = [row for row in kit.run(600) if row[0] not in cell or row[1] < lost]
    proof = max(time for tag, time, _ in rows if tag in cell)
    await fed(kit, path, kit.records(rows))
    stored = rows_of(path, "weld")
    assert stored == expected(kit, rows, path, "weld")
    assert q(stored[START // 60_000 + 4], "time_unknown") == (START + 300_000 - proof) * 1000
    assert_ledger_equals_buckets(kit, path, "weld")
    revisions = [revision for _, revision, _ in kit.inbox.kpi("weld", "minute", "coverage")]
    assert max(revisions) == 1


@pytest.mark.parametrize("reason", [Reason.NOT_CONNECTED, Reason.MISSING])
async def test_a_short_outage_of_the_gateway_is_unknown_time_to_the_millisecond(tmp_path: Path, reason: Reason) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    cell = {kit.session["cell"], *(kit.ids[f"weld/{role}"] for role in ("state", "total", "good", "energy"))}
    back = START + 252_000
    rows = [row for row in kit.run(600) if not START + 200_000 <= row[1] <= back]
    proof = max(time for tag, time, _ in rows if tag in cell and time < back)
    up = kit.batch([kit.reading(kit.session["cell"], back, 1.0)])
    first_up = Batch(up.tag, up.time_ns, up.value, np.array([uncertain(reason)], np.uint8))
    before, after = (kit.records([row for row in rows if (row[1] > back) is late]) for late in (False, True))
    batches = [*(record.batch for record in before), first_up, *(record.batch for record in after)]
    await fed(kit, path, [Record(n, "cell", n, 0, batch) for n, batch in enumerate(batches, 1)])
    whole = Kit()
    await fed(whole, tmp_path / "whole.db", whole.records(kit.run(600)))
    unknown = [total(rows_of(file, "weld"), "time_unknown") for file in (path, tmp_path / "whole.db")]
    assert unknown[0] - unknown[1] == (back - proof) * 1000
    assert total(rows_of(path, "weld"), "total") == total(rows_of(tmp_path / "whole.db", "weld"), "total")


async def test_ten_minutes_of_silence_are_unknown_time_and_counters_bridge_them(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(1500)
    gap_from, gap_to = START + 300_000, START + 900_000
    kept = [row for row in rows if not gap_from <= row[1] < gap_to]
    await fed(kit, path, kit.records(kept))
    whole = Kit()
    await fed(whole, tmp_path / "whole.db", whole.records(rows))
    for asset in ASSETS:
        silent, undisturbed = rows_of(path, asset), rows_of(tmp_path / "whole.db", asset)
        unknown_s = total(silent, "time_unknown") / 1e6 - total(undisturbed, "time_unknown") / 1e6
        assert 597 <= unknown_s <= 631
        inside = [q(silent[minute], "time_unknown") for minute in range(gap_from // 60_000 + 1, gap_to // 60_000 - 1)]
        assert inside == [60_000_000] * len(inside)
        for quantity in ("total", "good"):
            assert total(silent, quantity) == total(undisturbed, quantity) > 0
        assert abs(total(silent, "energy") - total(undisturbed, "energy")) < 100_000


async def test_an_import_without_presence_closes_minutes_by_its_own_facts(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    presence = {kit.alive, *kit.session.values()}
    rows = [row for row in kit.run(600) if row[0] not in presence and row[0] not in kit.models["weld"].bindings]
    rows = [
        row for row in rows if row[0] in {kit.ids[f"press/{role}"] for role in ("state", "total", "good", "energy")}
    ]
    await fed(kit, path, kit.records(rows, 500))
    stored = rows_of(path, "press")
    assert len(stored) == 9
    assert stored == kit.scratch(rows, "press", START, (max(stored) + 1) * 60_000, rows[-1][1])


async def test_a_minute_is_final_when_lateness_has_passed_and_no_stop_or_meter_is_open(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(900)
    stopped = [row for row in rows if row[0] == kit.ids["press/energy"] and row[1] > START + 400_000]
    await fed(kit, path, kit.records([row for row in rows if row not in stopped]), limits=Limits(lateness_ms=120_000))
    db = apsw.Connection(str(path))
    final = dict(
        db.execute("SELECT minute - ?, final FROM minute WHERE asset = 'press'", (START // 60_000,)).fetchall()
    )
    db.close()
    assert [final[n] for n in range(14)] == [1] * 6 + [0] * 8


async def test_old_facts_are_forgotten_and_what_comes_for_their_time_is_refused(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    hour = 3_600_000
    start = START // hour * hour
    records = []
    for n in range(6):
        records += kit.records(kit.run(90, start_ms=start + 9 * n * hour), first=len(records) + 1)
    limits = Limits(facts_ms=9 * hour, minutes_ms=18 * hour)
    await fed(kit, path, records, limits=limits)
    db = apsw.Connection(str(path))
    hours = {h - start // hour for (h,) in db.execute("SELECT hour FROM fact WHERE owner = 'press'").fetchall()}
    first = db.execute("SELECT min(minute) FROM minute WHERE asset = 'press'").fetchall()[0][0] * 60_000
    db.close()
    assert 0 not in hours
    assert {27, 36, 45} <= hours
    assert start < first <= start + 10 * hour
    before = rows_of(path, "press")
    late = [kit.reading("press/total", start + 30_000, 9.0)]
    await fed(kit, path, kit.records(late, first=len(records) + 1), limits=limits)
    assert rows_of(path, "press") == before


async def test_a_late_fact_changes_no_window_whose_minutes_are_forgotten_already(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(600, start_ms=START // _HOUR * _HOUR)
    late = [row for row in rows if row[0] == kit.ids["press/state"]][300:302]
    hours = [[kit.reading(tag, START + n * _HOUR, 30.0) for tag in ("press/energy", kit.alive)] for n in range(1, 6)]
    records = kit.records([row for row in rows if row not in late], 10**6)
    records += [record for n, some in enumerate(hours) for record in kit.records(some, first=2 + n)]
    records += kit.records([*late, (kit.alive, START + 5 * _HOUR + 70_000, 1.0)], first=10)
    await fed(kit, path, records, limits=Limits(facts_ms=6 * _HOUR, minutes_ms=_HOUR))
    hour = rows_of(path, "press", "hour")[START // _HOUR]
    assert q(hour, "total") == sum(kit.inbox.bucket("press", "total").values()) > 100


async def test_a_reading_from_the_future_neither_closes_minutes_nor_makes_others_too_late(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(400)
    rows.insert(300, kit.reading("press/good", START + 400 * 86_400_000, 777.0))
    late = [row for row in rows if row[0] == kit.ids["press/state"] and 100_000 <= row[1] - START < 130_000]
    records = kit.records([*[row for row in rows if row not in late], *late])
    await fed(kit, path, records)
    stored = rows_of(path, "press")
    assert stored == expected(kit, rows, path, "press")
    assert len(stored) == 6
    one = await asyncio.to_thread(engine, kit, path)
    await one.live()
    assert one._worker.horizon_ms("press") < START + 401_000
    await one.close()


async def test_a_new_file_publishes_above_the_seqs_of_the_one_before(tmp_path: Path) -> None:
    kit = Kit()
    await fed(kit, tmp_path / "old.db", kit.records(kit.run(200)))
    before = set(kit.inbox.seqs)
    await fed(kit, tmp_path / "new.db", kit.records(kit.run(200)))
    assert min(kit.inbox.seqs - before) > max(before)


async def test_bad_readings_end_what_was_known_and_are_counted(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(300)
    dark = range(START + 100_000, START + 130_000)
    rows = [(tag, t, None if tag in kit.ids.values() and t in dark else v) for tag, t, v in rows]
    await fed(kit, path, kit.records(rows))
    stored = rows_of(path, "press")
    assert stored == expected(kit, rows, path, "press")
    assert total(stored, "facts_bad") == 4 * 30
    assert np.isclose(total(stored, "time_unknown") / 1e6, 30.0, atol=1.1)


def over_a_gap(kit: Kit, gap_ms: int) -> Readings:
    """Both machines for some minutes, nothing at all for a long time, and some minutes again."""
    return [*kit.run(300), *kit.run(300, start_ms=START + gap_ms, seed=3)]


async def test_a_long_gap_closed_in_shares_gives_the_same_as_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The late half comes while the gap is still being closed, and the gateway restarts in the middle of it."""
    kit, whole = Kit(), Kit()
    rows = over_a_gap(kit, 40 * _HOUR)
    await fed(whole, tmp_path / "whole.db", whole.records(rows))
    monkeypatch.setattr(worker, "_PIECE_MS", 70 * 60_000)
    monkeypatch.setattr(engine_module, "_CATCH_UP_S", 0.0)
    path, records = tmp_path / "kpi.db", kit.records(rows, 300)
    restarts = 0
    for record in records:
        one = await asyncio.to_thread(engine, kit, path)
        if record.position > one.position():
            await one.take([record])
        restarts += one._worker.behind
        await one.close()
    assert restarts > 3
    await fed(kit, path, [])
    for owner in (*ASSETS, "line/hall", "site/plant"):
        for table in _TABLES:
            assert rows_of(path, owner, table) == rows_of(tmp_path / "whole.db", owner, table)
    assert dump(path, "segment") == dump(tmp_path / "whole.db", "segment")
    for asset in ASSETS:
        assert_ledger_equals_buckets(kit, path, asset)


async def test_the_engine_ends_quickly_after_days_off_and_closes_the_rest_after_the_next_start(
    tmp_path: Path,
) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    await fed(kit, path, kit.records([kit.reading("press/total", START - 6 * _DAY, 1.0)]))
    one = await asyncio.to_thread(engine, kit, path)
    taking = asyncio.create_task(one.take(kit.records([kit.reading(kit.alive, START, 1.0)], first=2)))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await one.close()
    assert len(rows_of(path, "press")) < 3 * 360
    again = await asyncio.to_thread(engine, kit, path)
    await again.take(kit.records([kit.reading(kit.alive, START + 10_000, 1.0)], first=3))
    await again.close()
    assert sorted(rows_of(path, "press")) == list(range(START // 60_000 - 6 * 1440, START // 60_000))


async def test_a_stamp_of_a_clock_that_was_never_set_is_refused_and_counted(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(300)
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records([rows[0], kit.reading("press/total", 5000, 1.0), *rows[1:]], 10**6))
    await one.flush()
    assert one.refused() == 1
    await one.close()
    assert rows_of(path, "press") == expected(kit, rows, path, "press")


async def test_a_clock_that_ran_ahead_and_is_put_right_freezes_nothing_and_leaves_no_time_behind(
    tmp_path: Path,
) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    ahead = START + 2 * _DAY
    wrong = [kit.reading(kit.alive, ahead, 1.0), kit.reading("press/state", ahead - 90_000, "IDLE")]
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records([*kit.run(300), *wrong], 10**6))
    await one.flush()
    assert total(rows_of(path, "weld"), "time_unknown") > 10**6 * 86_400
    rows = kit.run(300, start_ms=START + 300_000)
    await one.take(kit.records(rows, 10**6, first=2))
    await one.flush()
    press = next(found for found in (await one.live())["assets"] if found["asset"] == "press")
    await one.close()
    assert press["state"] in kit.models["press"].state_map
    for asset in ASSETS:
        stored = rows_of(path, asset)
        closed = {minute: row for minute, row in stored.items() if minute < START // 60_000 + 9}
        assert closed == kit.scratch([*kit.run(300), *rows], asset, START, START + 540_000, START + 600_000)
        later = [row for minute, row in stored.items() if minute * 60_000 > START + 600_000]
        assert all(q(row, "planned") == 0 for row in later)
        assert_ledger_equals_buckets(kit, path, asset)
    members = [rows_of(path, asset) for asset in ASSETS]
    line = rows_of(path, "line/hall")
    assert total(line, "planned") == sum(total(rows, "planned") for rows in members)
    assert total(rows_of(path, "line/hall", "day"), "planned") == total(line, "planned")


async def test_sessions_that_no_asset_reads_are_not_kept(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    idle = kit.inbox.add(Tag("source/idle/session", TagType.BOOL))
    rows = [*kit.run(300), *(kit.reading(idle, START + 1000 * n, 1.0) for n in range(300))]
    await fed(kit, path, kit.records(rows))
    db = apsw.Connection(str(path))
    owners = {owner for (owner,) in db.execute("SELECT DISTINCT owner FROM fact WHERE role = 'session'").fetchall()}
    db.close()
    assert owners == {"source/cell"}
    assert rows_of(path, "weld") == expected(kit, rows, path, "weld")


async def test_a_machine_that_says_it_is_off_is_unknown_also_when_it_says_so_late(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    online = kit.inbox.add(Tag("weld/online", TagType.BOOL))
    weld = kit.models["weld"]
    alive = Binding("alive", online, hold=weld.bindings["state"].hold, tag_name="weld/online")
    kit.models["weld"] = replace(weld, bindings={**weld.bindings, "alive": alive})
    rows = [*kit.run(600), kit.reading(online, START + 5_000, 1.0)]
    late = [kit.reading(online, START + 100_000, 0.0), kit.reading(online, START + 160_000, 1.0)]
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records(rows, 10**6))
    before = total(rows_of(path, "weld"), "time_unknown")
    await one.take(kit.records([*late, kit.reading(kit.alive, START + 660_000, 1.0)], first=2))
    await one.close()
    rows += [*late, kit.reading(kit.alive, START + 660_000, 1.0)]
    stored = rows_of(path, "weld")
    assert stored == expected(kit, rows, path, "weld")
    assert q(stored[START // 60_000 + 2], "time_unknown") == 40_000_000
    assert before < 60_000_000

"""What the engine publishes: a ledger of buckets whose sums are right, and KPIs when their windows close."""

import asyncio
import copy
from datetime import date
from pathlib import Path

import apsw
import numpy as np
import pytest

from gateway.kpi.answer import Rules
from gateway.kpi.buckets import quantities
from gateway.kpi.factors import Factors
from gateway.kpi.publisher import LAST_REVISION, unit_of
from gateway.model import TagType, place
from tests.unit.gateway.kpi.kit import START, Kit, engine, fed, q, rows_of


async def test_a_closed_minute_is_published_once_with_its_non_zero_quantities(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    await fed(kit, path, kit.records(kit.run(300)))
    minute = START // 60_000 + 1
    row = rows_of(path, "press")[minute]
    found = [
        (place(name).field, value)
        for name, time_ms, value, _ in kit.inbox.readings
        if name.startswith("press/bucket/") and time_ms == minute * 60_000
    ]
    assert sorted(found) == sorted((name, float(q(row, name))) for name in quantities if q(row, name))


async def test_the_first_entry_of_a_quantity_may_be_zero_so_that_every_store_knows_its_field(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    records = kit.records(kit.run(300))
    await fed(kit, path, records[:40])
    await fed(kit, path, records)
    zeros = [(name, time_ms) for name, time_ms, value, _ in kit.inbox.readings if "/bucket/" in name and not value]
    known = {place(name).field for name, *_ in kit.inbox.readings if name.startswith("press/bucket/")}
    assert ("press/bucket/time_starved", START) in zeros
    assert len(zeros) == len({name for name, _ in zeros})
    assert known == set(quantities)


async def test_corrections_are_many_but_their_names_are_not(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(300)
    late = [row for row in rows if row[0] == kit.ids["press/good"] and START + 120_000 < row[1] < START + 180_000]
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records([row for row in rows if row not in late], 10**6))
    await one.flush()
    for number, row in enumerate(late):
        await one.take(kit.records([row], first=2 + number))
        await one.flush()
    await one.close()
    revisions = [revision for _, revision, _ in kit.inbox.kpi("press", "minute", "quality_rate")]
    assert len(revisions) > LAST_REVISION + 5
    assert max(revisions) == LAST_REVISION
    stored = rows_of(path, "press")
    assert kit.inbox.bucket("press", "good")[START // 60_000 + 2] == q(stored[START // 60_000 + 2], "good")


async def test_bucket_tags_are_integers_with_their_unit(tmp_path: Path) -> None:
    kit = Kit()
    await fed(kit, tmp_path / "kpi.db", kit.records(kit.run(200)))
    tag = kit.inbox.tags[kit.inbox.tags.id_of("press/bucket/energy")]
    assert (tag.type, tag.unit) == (TagType.INT, "mWh")
    assert [unit_of(name) for name in ("planned", "time_idle", "ideal_good", "energy_idle", "good")] == [
        *("µs", "µs", "µs", "mWh", "")
    ]
    assert kit.inbox.tags[kit.inbox.tags.id_of("press/kpi/minute/throughput")].unit == "1/h"


async def test_windows_are_published_when_they_close_for_asset_line_and_site(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    start = START // 3_600_000 * 3_600_000 + 3_600_000 - 300_000
    await fed(kit, path, kit.records(kit.run(900, start_ms=start), 400))
    hour = start // 3_600_000 * 3_600_000
    for owner in ("press", "weld", "line/hall", "site/plant"):
        row = rows_of(path, owner, "hour")[hour // 3_600_000]
        published = kit.inbox.kpi(owner, "hour", "availability")
        assert published == [(hour, 0, q(row, "time_producing") / q(row, "planned"))]
        assert kit.inbox.kpi(owner, "day", "availability") == []
        assert len(kit.inbox.kpi(owner, "minute", "coverage")) == len(rows_of(path, owner))
    assert not any(name.startswith(("line/hall/bucket", "site/plant/bucket")) for name, *_ in kit.inbox.readings)


async def test_a_revision_publishes_changed_values_of_every_closed_window_above(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    start = START // 3_600_000 * 3_600_000 + 3_600_000 - 300_000
    rows = kit.run(900, start_ms=start)
    late = [row for row in rows if row[0] == kit.ids["press/good"] and 60_000 <= row[1] - start < 300_000]
    records = kit.records([row for row in rows if row not in late], 400)
    await fed(kit, path, [*records, *kit.records(late[:-20], first=len(records) + 1)])
    before = len(kit.inbox.readings)
    again = kit.records(late[-20:], first=len(records) + 100)
    await fed(kit, path, again)
    names = {name for name, *_ in kit.inbox.readings[before:]}
    hour = rows_of(path, "press", "hour")[start // 3_600_000]
    revisions = kit.inbox.kpi("press", "hour", "quality_rate")
    assert [revision for _, revision, _ in revisions] == list(range(len(revisions)))
    assert len(revisions) >= 2
    assert revisions[-1][2] == q(hour, "good") / q(hour, "total")
    assert {"press/bucket/good", "press/bucket/scrap"} & names
    assert not any(name.endswith(("/availability", "/energy", "bucket/energy")) for name in names)
    stored = rows_of(path, "press")
    assert {m: v for m, v in kit.inbox.bucket("press", "good").items() if v} == {
        m: q(row, "good") for m, row in stored.items() if q(row, "good")
    }


async def test_a_value_that_ceases_to_exist_is_published_as_bad(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(300)
    good, minute = kit.ids["press/total"], START + 120_000
    await fed(kit, path, kit.records(rows))
    # the counter is corrected to have stood still: later readings of the same time with a higher value win
    frozen = max(v for tag, _, v in rows if tag == good and isinstance(v, float | int))
    fixed = [(tag, t, frozen) for tag, t, _ in rows if tag == good and minute - 61_000 <= t < minute + 120_000]
    await fed(kit, path, kit.records(fixed, first=1000))
    stored = rows_of(path, "press")[minute // 60_000]
    assert q(stored, "total") == 0
    last = [row for row in kit.inbox.readings if row[0].startswith("press/kpi/minute@") and row[1] == minute]
    assert {(place(name).field, quality >> 6) for name, _, _, quality in last} >= {("quality_rate", 0)}


async def test_results_that_were_not_appended_are_appended_after_a_restart_with_the_same_seq(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    records = kit.records(kit.run(300))
    whole = copy.deepcopy(kit)
    undisturbed = await asyncio.to_thread(engine, whole, tmp_path / "whole.db")
    await undisturbed.take(records)
    await undisturbed.close()
    one = await asyncio.to_thread(engine, kit, path)
    kit.inbox.broken = True
    with pytest.raises(ConnectionError):
        await one.take(records)
    await one.close()
    kit.inbox.broken = False
    await fed(kit, path, [])
    assert {row[:3] for row in kit.inbox.readings} == {row[:3] for row in whole.inbox.readings}
    count = len(kit.inbox.readings)
    await fed(kit, path, [])
    assert len(kit.inbox.readings) == count


async def test_the_outbox_is_trimmed_after_the_acknowledgement(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    await fed(kit, path, kit.records(kit.run(300)))
    db = apsw.Connection(str(path))
    assert db.execute("SELECT count(*) FROM outbox").fetchall() == [(0,)]
    highest = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchall()[0][0]
    db.close()
    assert highest == max(kit.inbox.seqs)
    await fed(kit, path, kit.records(kit.run(300, start_ms=START + 300_000), first=5000))
    assert min(seq for seq in kit.inbox.seqs if seq > highest) == highest + 1


async def test_published_values_are_exact(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    await fed(kit, path, kit.records(kit.run(300)))
    values = np.array([value for name, _, value, _ in kit.inbox.readings if "/bucket/" in name])
    assert (values == np.rint(values)).all()


def test_a_product_over_the_machines_of_a_serial_line_is_asked_for_not_published() -> None:
    sums = {"inspected": 10, "passed": 9, "total": 10, "good": 9}
    rules = Rules(Factors(), {}, serial=frozenset({"line/hall"}))
    day = date(2026, 6, 1)
    assert "first_pass_yield" in rules.published("press", sums, day, "hour")
    line = rules.published("line/hall", sums, day, "hour")
    assert "first_pass_yield" not in line
    assert line["scrap_ratio"].value == 0.0

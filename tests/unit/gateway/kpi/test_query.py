"""Reading kpi.db from another process, and ranges to the millisecond from the engine."""

import asyncio
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.query import KpiReader, NoKpis
from tests.unit.gateway.kpi.kit import START, Kit, engine, fed, q, rows_of, total

HOUR = 3_600_000


def test_kpis_of_a_window_are_ratios_of_its_sums(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(900))))
    reader = KpiReader(path)
    for owner in ("press", "line/hall", "site/plant"):
        for window in ("hour", "day"):
            rows = reader.kpis(owner, window, START - 24 * HOUR, START + HOUR)
            assert sum(row.sums["good"] for row in rows) == total(rows_of(path, owner), "good")
            for row in rows:
                assert row.values["oee"] == row.sums["ideal_good"] / row.sums["planned"]
                assert row.values["co2e"] is None
                assert "no grid factor" in row.reasons["co2e"]
                assert row.values["oee_low"] <= row.values["oee"] <= row.values["oee_high"]
    minutes = reader.kpis("press", "minute", START + 60_000, START + 180_000)
    assert [row.start_ms - START for row in minutes] == [60_000, 120_000]
    assert [row.revision for row in minutes] == [0, 0]
    assert not minutes[0].final
    assert reader.owners() == ["line/hall", "press", "site/plant", "weld"]
    reader.close()


def test_shifts_have_their_name_and_an_open_window_no_revision(tmp_path: Path) -> None:
    config = CalendarConfig.model_validate({"shifts": {"early": "00:00-12:00", "late": "12:00-00:00"}})
    kit, path = Kit(calendar=Calendar.from_config(config, "UTC")), tmp_path / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(300))))
    reader = KpiReader(path)
    (row,) = reader.kpis("press", "shift", START - 24 * HOUR, START + HOUR)
    assert row.name in {"early", "late"}
    assert row.end_ms - row.start_ms == 12 * HOUR
    assert row.revision is None
    with pytest.raises(ValueError, match="no window 'year'"):
        reader.kpis("press", "year", 0, 1)
    reader.close()


def test_segments_cover_the_range_and_energy_splits_by_class(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(600))))
    reader = KpiReader(path)
    found = reader.segments("press", START + 90_000, START + 300_000)
    assert found[0].from_ms <= START + 90_000
    assert found[-1].to_ms >= START + 300_000
    assert all(a.to_ms == b.from_ms for a, b in pairwise(found))
    assert {(one.state, one.time_class) for one in found} <= {
        *(("EXECUTE", "producing"), ("ABORTED", "fault"), ("IDLE", "idle"), ("SETUP", "setup"))
    }
    assert all((a.time_class, a.state) != (b.time_class, b.state) for a, b in pairwise(found))
    hours = reader.energy_per_hour("press", START // HOUR * HOUR, START + HOUR)
    kwh = sum(sum(hour.kwh.values()) for hour in hours)
    assert kwh == pytest.approx(total(rows_of(path, "press"), "energy") / 1e6)
    reader.close()


async def test_any_sqlite_reader_can_read_the_tables_while_the_engine_has_them_open(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records(kit.run(300)))
    count = await asyncio.to_thread(_count, path)
    assert count > 3
    await one.close()


def _count(path: Path) -> int:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    (count,) = db.execute("SELECT count(*) FROM minute WHERE asset = 'press' AND time_producing >= 0").fetchone()
    db.close()
    return int(count)


def test_a_missing_or_foreign_file_is_an_answer_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(NoKpis, match="does not exist yet"):
        KpiReader(tmp_path / "kpi.db").owners()
    (tmp_path / "text.db").write_text("no database, but long enough to be taken for one " * 20)
    with pytest.raises(NoKpis, match="cannot be read"):
        KpiReader(tmp_path / "text.db").owners()


async def test_a_range_to_the_millisecond_comes_from_the_facts_with_its_evidence(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(300)
    one = await asyncio.to_thread(engine, kit, path)
    await one.take(kit.records(rows))
    from_ms, to_ms = START + 61_234, START + 281_777
    found = await one.between("press", from_ms, to_ms)
    parts = [await one.between("press", *span) for span in ((from_ms, START + 100_001), (START + 100_001, to_ms))]
    for name, value in found.sums.items():
        assert value == sum(part.sums[name] for part in parts)
    assert found.sums["planned"] == (to_ms - from_ms) * 1000
    assert found.roles["state"].at_start_ms == START + 61_137
    assert found.roles["total"].at_end_ms == START + 281_137
    states = [v for tag, t, v in rows if tag == kit.ids["press/state"] and START + 61_137 <= t <= to_ms]
    assert found.state_changes == sum(a != b for a, b in pairwise(states))
    assert found.kpis["quality_rate"] == found.sums["good"] / found.sums["total"]
    assert (await one.spans("press"))["energy"] == (START + 137, START + 299_137)
    with pytest.raises(KeyError):
        await one.between("nobody", 0, 1)
    await one.close()


async def test_a_range_beyond_memory_is_read_from_the_file(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    rows = kit.run(3000)
    await fed(kit, path, kit.records(rows, 400))
    one = await asyncio.to_thread(engine, kit, path)
    found = await one.between("weld", START + 60_000, START + 600_000)
    stored = rows_of(path, "weld")
    minutes = [stored[START // 60_000 + n] for n in range(1, 10)]
    assert found.sums["energy"] == sum(q(row, "energy") for row in minutes)
    assert found.sums["time_fault"] == sum(q(row, "time_fault") for row in minutes)
    await one.close()

"""The engine against its own definition: stored minutes equal those from scratch, whatever happened on the way."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from tests.unit.gateway.kpi.kit import START, Kit, dump, engine, fed, q, rows_of, total

ASSETS = ("press", "weld")


def expected(kit: Kit, rows: list, path: Path, asset: str) -> dict:
    horizon = max(time for tag, time, _ in rows if tag == kit.alive or tag in kit.session.values())
    stored = rows_of(path, asset)
    last = (max(stored) + 1) * 60_000
    return kit.scratch(rows, asset, START - 3_600_000, last, horizon)


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

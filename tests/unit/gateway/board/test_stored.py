"""kpi.db as the routes get it."""

import asyncio
from pathlib import Path

import pytest

from gateway.board.readers import NotStored
from gateway.board.stored import StoredKpi
from tests.unit.gateway.kpi.kit import START, Kit, fed

DAY = 86_400_000


@pytest.fixture
def stored(tmp_path: Path) -> StoredKpi:
    kit = Kit()
    asyncio.run(fed(kit, tmp_path / "kpi.db", kit.records(kit.run(600))))
    return StoredKpi(tmp_path / "kpi.db")


def test_rows_carry_methods_status_and_the_kpis_of_their_window(stored: StoredKpi) -> None:
    for window in ("hour", "day", "week", "month"):
        (row,) = stored.kpis("press", window, START - 40 * DAY, START + DAY)
        assert (row.methods["availability"], row.methods["availability_classic"]) == ("iso", "classic")
        assert row.status == "good"
        assert row.values["loss_speed"] is not None
    assert "loss_speed" not in stored.kpis("press", "minute", START, START + DAY)[0].values
    assert stored.kpis("press", "order", START, START + DAY) == []


def test_a_comparison_holds_what_the_rows_hold(stored: StoredKpi) -> None:
    found = stored.compare(stored.owners(), "day", START - 2 * DAY, START + DAY, ["oee", "co2e"])
    for owner, oee, co2e in zip(found.owners, found.values["oee"], found.values["co2e"], strict=True):
        (row,) = stored.kpis(owner, "day", START - 2 * DAY, START + DAY)
        assert (oee, co2e) == (row.values["oee"], None)


def test_the_quality_of_each_tag_adds_up_to_that_of_asset_line_and_site(stored: StoredKpi) -> None:
    found = {(row.asset, row.role): row for row in stored.quality("site/plant", START, START + 600_000).rows}
    (whole,) = stored.kpis("site/plant", "day", START - 2 * DAY, START + DAY)
    assert found["press", "state"].tag == "press/state"
    assert found["press", "state"].period_ms == 1000
    assert found["site/plant", ""].status == "good"
    for name in ("dq_in", "dq_checked", "dq_received", "dq_live"):
        parts = [row.counts[name] for (asset, role), row in found.items() if role]
        assert sum(parts) == found["site/plant", ""].counts[name]
        assert 0 < whole.sums[name] <= sum(parts)


def test_where_nothing_is_measured_capability_is_empty(stored: StoredKpi) -> None:
    found = stored.capability("site/plant", "day", START - DAY, START + DAY)
    assert (found.rows, found.least) == ([], [])


def test_a_file_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    with pytest.raises(NotStored, match="does not exist yet"):
        StoredKpi(tmp_path / "kpi.db").compare(["press"], "day", 0, 1, ["oee"])

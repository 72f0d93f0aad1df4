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
        assert row.status == ""
        assert row.values["loss_speed"] is not None
    assert "loss_speed" not in stored.kpis("press", "minute", START, START + DAY)[0].values
    assert stored.kpis("press", "order", START, START + DAY) == []


def test_a_comparison_holds_what_the_rows_hold(stored: StoredKpi) -> None:
    found = stored.compare(stored.owners(), "day", START - 2 * DAY, START + DAY, ["oee", "co2e"])
    for owner, oee, co2e in zip(found.owners, found.values["oee"], found.values["co2e"], strict=True):
        (row,) = stored.kpis(owner, "day", START - 2 * DAY, START + DAY)
        assert (oee, co2e) == (row.values["oee"], None)


def test_a_file_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    with pytest.raises(NotStored, match="does not exist yet"):
        StoredKpi(tmp_path / "kpi.db").compare(["press"], "day", 0, 1, ["oee"])

"""Load profiles out of kpi.db: what was measured, by which meters, and what retention leaves of it."""

import asyncio
import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.energy.config import ElectricityConfig
from gateway.energy.electricity import REST, Electricity
from gateway.energy.stored import meters_of, stored
from gateway.kpi.metering import MeterTree
from gateway.kpi.reading import reading
from gateway.packs import Packs
from tests.unit.gateway.energy.profiles import HOUR, MINUTE, QUARTER
from tests.unit.gateway.kpi.kit import START, Kit, fed, rows_of, total

SECONDS = 3 * 3600
DAY = (START // (24 * HOUR) * 24 * HOUR, START // (24 * HOUR) * 24 * HOUR + 24 * HOUR)
ELECTRICITY = Electricity(ElectricityConfig(), Packs(), ZoneInfo("UTC"))
TREE = MeterTree({"press": ("weld",)})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Press and weld as two meters beside each other."""
    return _filled(tmp_path_factory.mktemp("flat") / "kpi.db")


def _filled(path: Path, tree: MeterTree | None = None) -> Path:
    kit = Kit()
    more = {} if tree is None else {"tree": tree}
    asyncio.run(fed(kit, path, kit.records(kit.run(SECONDS), size=2000), **more))
    return path


def test_a_profile_holds_all_energy_and_knows_which_minutes_were_measured(path: Path) -> None:
    with reading(path) as db:
        found = stored(db, "press", DAY)
    assert found.profile.total_mwh == total(rows_of(path, "press"), "energy")
    assert SECONDS * 1000 - 3 * MINUTE <= found.profile.known_ms <= SECONDS * 1000
    (before, *after) = found.holes
    assert before[0] == DAY[0]
    assert START < before[1] <= START + MINUTE  # the first minute began before the first reading
    assert all(found.end_ms - MINUTE <= start for start, _ in after)  # the last one ends after the last reading


def test_a_group_is_measured_while_all_its_meters_are(path: Path) -> None:
    with reading(path) as db:
        press, weld, site = (stored(db, owner, DAY).profile for owner in ("press", "weld", "site/plant"))
        assert meters_of(db, "site/plant").whole == ("press", "weld")
    assert site.total_mwh == press.total_mwh + weld.total_mwh
    assert site.known.tolist() == (press.known & weld.known).tolist()


def test_below_a_main_meter_the_group_is_the_main_meter_and_the_rest_is_a_part_of_its_own(tmp_path: Path) -> None:
    path = _filled(tmp_path / "kpi.db", TREE)
    with reading(path) as db:
        meters = meters_of(db, "site/plant")
        assert (meters.whole, meters.leaves) == (("press",), ("weld",))
        press, site = (stored(db, owner, DAY).profile for owner in ("press", "site/plant"))
        found = ELECTRICITY.demand(db, "site/plant", DAY)
    assert site.mwh.tolist() == press.mwh.tolist()
    assert site.known.tolist() == press.known.tolist()
    assert set(found.parts) == {"weld", REST}
    assert found.coincidence is not None
    assert found.coincidence <= 1


def test_where_minutes_are_no_longer_kept_quarters_give_the_same_demand(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "kpi.db"
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    cut_ms = START // QUARTER * QUARTER + 6 * QUARTER + 7 * MINUTE
    with sqlite3.connect(copy) as db:
        db.execute("DELETE FROM minute WHERE minute < ?", (cut_ms // MINUTE,))
    db.close()
    with reading(path) as whole, reading(copy) as aged:
        before, after = (ELECTRICITY.demand(one, "press", DAY) for one in (whole, aged))
    assert after.look.profile.total_mwh == before.look.profile.total_mwh
    assert len(after.look.profile) < len(before.look.profile)
    assert after.demand.block == before.demand.block
    assert after.demand.blocks.valid.tolist() == before.demand.blocks.valid.tolist()
    assert after.demand.blocks.mwh.tolist() == before.demand.blocks.mwh.tolist()

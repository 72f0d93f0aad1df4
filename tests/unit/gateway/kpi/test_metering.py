"""The meter tree: no kilowatt hour twice, and what no machine's meter explains is not lost."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.asset import AssetModel
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import STANDARD
from gateway.kpi.group import Group, combined, groups, regroup
from gateway.kpi.metering import MeterTree, metered
from gateway.kpi.needs import of_everyone
from gateway.kpi.store import Progress, Store
from gateway.model import Site
from tests.unit.gateway.kpi.machines import machine

TREE = MeterTree({"main": ("hall", "oven"), "hall": ("press", "weld")})
SITE = Site("plant", "UTC", {}, {"one": "north"})
PROGRESS = Progress(0, 120_000, 120_000, 120_000, 0, 0)


def energy(total: int, **classes: int) -> dict[str, int]:
    return {"energy": total, **{f"energy_{name}": amount for name, amount in classes.items()}}


def plant() -> dict[str, AssetModel]:
    meter = machine("energy")
    return {
        "press": machine(name="press", line="one"),
        "weld": machine(name="weld", line="one"),
        "hall": replace(meter, name="hall", line="one"),
        "oven": replace(meter, name="oven"),
        "main": replace(meter, name="main"),
    }


def of_minute(tree: MeterTree, said: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """owner → its stored sums of one minute, after these assets had theirs."""
    store = Store(Path(":memory:"))
    progress = dict.fromkeys(said, PROGRESS)
    changed: dict[str, list[int]] = {}
    found: dict[str, dict[str, int]] = {}
    for name, sums in said.items():
        store.put_minutes(name, [(1, tuple(sums.get(one, 0) for one in quantities), 0, False, "m")])
        changed[name] = [1]
    for group in groups(plant(), SITE, {}, {}, tree):
        posted = regroup(store, group, progress, changed)
        assert posted is not None
        row = posted.rows[1][0]
        store.put_minutes(group.owner, [(1, row, 0, False, "")])
        progress[group.owner], changed[group.owner] = posted.progress, [1]
        found[group.owner] = dict(zip(quantities, row, strict=True))
    return found


def test_the_site_uses_what_its_main_meter_measured_and_the_rest_has_no_state() -> None:
    said = {
        "press": energy(60, producing=50, idle=10) | {"planned": 60, "total": 7},
        "weld": energy(20, producing=20) | {"planned": 60, "total": 5},
        "hall": energy(90, unknown=90),
        "oven": energy(40, unknown=40),
        "main": energy(150, unknown=150),
    }
    found = of_minute(TREE, said)
    site = found["site/plant"]
    assert (site["energy"], site["energy_producing"], site["energy_idle"], site["energy_unknown"]) == (150, 70, 10, 70)
    line = found["line/one"]
    assert (line["energy"], line["energy_producing"], line["energy_unknown"]) == (90, 70, 10)
    assert found["area/north"]["energy"] == 90


def test_without_a_tree_every_meter_counts() -> None:
    assert of_minute(MeterTree(), {"press": energy(60), "main": energy(150)})["site/plant"]["energy"] == 210


def test_what_stands_below_a_meter_that_said_nothing_counts_instead() -> None:
    found = of_minute(TREE, {"press": energy(60), "weld": energy(20), "oven": energy(40)})
    assert found["site/plant"]["energy"] == 120


def test_machines_outside_the_lines_give_the_site_their_energy_and_no_time() -> None:
    said = {"press": energy(60) | {"planned": 60, "total": 7}, "oven": energy(40) | {"planned": 60, "time_idle": 60}}
    site = of_minute(MeterTree(), said)["site/plant"]
    assert (site["energy"], site["planned"], site["time_idle"], site["total"]) == (100, 60, 0, 7)


def test_a_compressor_without_counts_does_not_take_the_sites_oee_away() -> None:
    models = plant() | {"compressor": machine("state", "energy", name="compressor")}
    lacks = of_everyone(models, groups(models, SITE, {}, {}, TREE), STANDARD)
    assert (lacks["compressor"]["oee"] != "", lacks["site/plant"]["oee"]) == (True, "")


def test_a_live_line_follows_the_tree_as_well() -> None:
    line = next(group for group in groups(plant(), SITE, {}, {}, TREE) if group.owner == "line/one")
    sums = combined(line, {"press": energy(60, producing=60), "weld": energy(20, idle=20), "hall": energy(90)})
    assert (sums["energy"], sums["energy_producing"], sums["energy_idle"], sums["energy_unknown"]) == (90, 60, 20, 10)


def test_what_stood_below_an_asset_that_is_not_there_stands_below_the_next_one_above() -> None:
    assert TREE.within(["main", "press", "oven"]).below == {"main": ("press", "oven")}
    assert TREE.within(["press", "weld"]).below == {}


@pytest.mark.parametrize(
    ("below", "problem"),
    [
        ({"mian": ("press",)}, ("mian", "no asset 'mian'")),
        ({"main": ("pres",)}, ("main", "no asset 'pres'")),
        ({"main": ("press",), "hall": ("press",)}, ("hall", "'press' is already below 'main'")),
        ({"main": ("hall",), "hall": ("main",)}, ("main", "a meter cannot stand below itself")),
        ({"dumb": ("press",)}, ("dumb", "measures nothing")),
    ],
)
def test_a_tree_that_cannot_be_says_why(below: dict[str, tuple[str, ...]], problem: tuple[str, str]) -> None:
    found = list(MeterTree(below).problems([*plant(), "dumb"], plant()))
    assert any(place == problem[0] and text.startswith(problem[1]) for place, text in found), found


@given(st.dictionaries(st.sampled_from(["press", "weld", "hall", "oven", "main"]), st.integers(0, 10**9), min_size=1))
def test_classes_of_energy_always_add_up_to_the_total(said: dict[str, int]) -> None:
    parts = {name: energy(amount, producing=amount // 3, idle=amount - amount // 3) for name, amount in said.items()}
    found = metered({}, parts, TREE.within(said))
    assert sum(amount for name, amount in found.items() if name != "energy") == found["energy"]
    assert found["energy"] == (said.get("main", found["energy"]))


def test_a_group_knows_all_its_assets() -> None:
    found: dict[str, Group] = {group.owner: group for group in groups(plant(), SITE, {}, {}, TREE)}
    assert found["area/north"].assets == ("press", "weld", "hall")
    assert found["site/plant"].utilities == ("oven", "main")

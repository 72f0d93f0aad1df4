"""Configs that are written for a plant: Lineside takes each, and reads from it what the plant shows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import load
from simulators.scenario import Scenario, load_scenario
from simulators.scenario_file import shipped
from simulators.site_config import site_config


def written(scenario: Scenario, folder: Path) -> tuple[Path, dict[str, Any]]:
    path = folder / "site.yaml"
    path.write_text(site_config(scenario, {}, folder), encoding="utf-8")
    return path, yaml.safe_load(path.read_text())


@pytest.mark.parametrize("name", [name for name in shipped() if name != "thousand-machines"])
def test_every_shipped_scenario_becomes_a_config_that_lineside_takes(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    path, _ = written(scenario, tmp_path)
    config = load(path)
    spoken = {unit.machine for face in scenario.faces if face.kind == "modbus" for unit in face.units.values()}
    spoken |= {
        name for face in scenario.faces if face.kind == "mqtt" and face.style != "line" for name in face.machines
    }
    assert spoken - {None} <= set(config.root.assets)


def scenario(*faces: dict[str, Any], **more: Any) -> Scenario:
    machine = {"kind": "press", "power": {"IDLE": "1kW", "EXECUTE": "9kW"}}
    compressor = machine | {"compressor": {"delivers": "1m3/min", "bar": [6.5, 7.5]}}
    told: dict[str, Any] = {
        "scenario": "two",
        "machines": {"a": machine | {"ideal_cycle": "2s"}, "b": machine | {"ideal_cycle": "3s"}, "c": compressor},
        "meters": {"a": {"of": "a"}, "hall": {"of": ["a", "b"]}, "air": {"of": "c", "carrier": "air"}},
        "faces": list(faces),
    }
    return Scenario.model_validate(told | more)


MODBUS = {"kind": "modbus", "listen": "tcp://127.0.0.1:1502"}
MQTT = {"kind": "mqtt", "broker": "mqtt://127.0.0.1:1883"}


def test_a_meter_alone_with_a_machine_gives_its_energy_and_one_above_several_stands_for_itself(tmp_path: Path) -> None:
    units = {
        1: {"machine": "a", "profile": "lineside/machine"},
        2: {"meter": "a", "profile": "eastron/sdm630"},
        3: {"meter": "hall", "profile": "schneider/iem3000"},
    }
    path, site = written(scenario(MODBUS | {"units": units}), tmp_path)
    assert site["assets"]["a"]["energy"] == {"electricity": "import_energy"}
    assert site["assets"]["a"]["total"] == "total_count"
    assert site["assets"]["hall"] == {"energy": {"electricity": "import_energy"}, "power": "active_power"}
    assert {source["asset"] for source in site["sources"].values()} == {"a", "hall"}
    load(path)


def test_where_the_controller_shows_energy_too_the_meter_is_named_in_full(tmp_path: Path) -> None:
    units = {
        1: {"machine": "a", "profile": "lineside/machine-and-meter"},
        2: {"meter": "a", "profile": "eastron/sdm630"},
    }
    path, site = written(scenario(MODBUS | {"units": units}), tmp_path)
    assert site["assets"]["a"]["energy"] == {"electricity": "a-meter/import_energy"}
    assert site["sources"]["a-meter"]["asset"] == "a-meter"
    load(path)


def test_what_makes_no_parts_has_no_counts(tmp_path: Path) -> None:
    path, site = written(scenario(MQTT | {"machines": ["b", "c"], "meters": ["air"]}), tmp_path)
    assert "total" in site["assets"]["b"]
    assert "total" not in site["assets"]["c"]
    tags = site["sources"]["mqtt-1"]["tags"]
    assert "c/total_count" not in tags
    assert tags["b/total_count"] == {
        "topic": "plant/b/counts", "path": "$.total", "type": "uint32", "counter": True
    }  # fmt: skip
    assert tags["air/volume"]["topic"] == "plant/air/flow"
    load(path)


def test_plain_values_are_read_whole(tmp_path: Path) -> None:
    path, site = written(scenario(MQTT | {"machines": ["a"], "style": "plain", "prefix": "x"}), tmp_path)
    assert site["sources"]["mqtt-1"]["tags"]["a/good_count"]["topic"] == "x/a/good"
    assert site["sources"]["mqtt-1"]["tags"]["a/good_count"]["path"] == "$"
    assert "time" not in site["sources"]["mqtt-1"]
    load(path)


def test_a_serial_line_is_limited_by_its_slowest_machine(tmp_path: Path) -> None:
    faces = MODBUS | {
        "units": {
            1: {"machine": "a", "profile": "lineside/machine"},
            2: {"machine": "b", "profile": "lineside/machine"},
        }
    }
    line = {"area": "hall", "machines": ["a", "b"], "buffers": [5]}
    path, site = written(scenario(faces, lines={"one": line}), tmp_path)
    assert site["lines"]["one"] == {"area": "hall", "flow": "serial", "constraint": "b"}
    load(path)


def test_who_does_not_keep_to_the_calendar_is_planned_always(tmp_path: Path) -> None:
    calendar = {"days": "mon-sat", "shifts": {"day": "06:00-14:00"}}
    units = {1: {"machine": "a", "profile": "lineside/machine"}, 2: {"machine": "b", "profile": "lineside/machine"}}
    told = scenario(MODBUS | {"units": units}, MQTT | {"machines": ["c"], "meters": ["hall"]}, calendar=calendar)
    machines = told.machines | {"c": told.machines["c"].model_copy(update={"hours": "always"})}
    path, site = written(told.model_copy(update={"machines": machines}), tmp_path)
    load(path)
    assert site["calendars"]["plant"]["shifts"] == {"day": "06:00-14:00"}
    calendars = {name: asset.get("calendar") for name, asset in site["assets"].items()}
    assert calendars == {"a": "plant", "b": "plant", "c": None, "hall": None}


def test_ideal_times_follow_the_products(tmp_path: Path) -> None:
    faces = MODBUS | {"units": {1: {"machine": "a", "profile": "lineside/machine-and-meter"}}}
    more = {"products": {"big": {"cycle": 1.5}}, "orders": {"quantity": [10, 20]}}
    path, site = written(scenario(faces, **more), tmp_path)
    assert site["products"] == {"big": {"ideal_cycle_time": {"a": "3000ms"}}}
    assert (site["assets"]["a"]["product"], site["assets"]["a"]["order"]) == ("product", "order")
    load(path)


def test_a_plant_that_speaks_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no face that Lineside reads"):
        site_config(scenario(MQTT | {"machines": ["a"], "style": "line"}), {}, tmp_path)


def test_what_has_several_faces_is_read_once(tmp_path: Path) -> None:
    first = {1: {"machine": "a", "profile": "lineside/machine"}, 2: {"meter": "hall", "profile": "eastron/sdm630"}}
    again = {1: {"machine": "a", "profile": "lineside/machine-16bit"}, 2: {"meter": "hall", "profile": "chint/dtsu666"}}
    told = scenario(
        MQTT | {"machines": ["a", "b"], "meters": ["hall", "air"]},
        MQTT | {"style": "plain", "prefix": "p", "machines": ["b", "c"], "meters": ["hall", "air"]},
        MODBUS | {"units": first},
        MODBUS | {"listen": "tcp://127.0.0.1:1503", "units": again},
    )
    path, site = written(told, tmp_path)
    load(path)
    assert site["sources"]["a-plc"]["endpoint"] == "tcp://127.0.0.1:1502"
    assert site["sources"]["hall-meter"]["profile"] == "eastron/sdm630"
    owners = {
        name: {tag.partition("/")[0] for tag in source.get("tags", ())} for name, source in site["sources"].items()
    }
    assert owners == {"a-plc": set(), "hall-meter": set(), "mqtt-1": {"a", "b", "air"}, "mqtt-2": {"c"}}
    assert site["assets"]["a"]["energy"] == {"electricity": "energy"}  # the controller shows none, so MQTT is asked


@pytest.mark.parametrize("name", [name for name in shipped() if name != "thousand-machines"])
def test_the_job_is_read_wherever_products_differ_in_their_ideal_time(name: str, tmp_path: Path) -> None:
    path, site = written(load_scenario(name), tmp_path)
    load(path)
    for told in site["assets"].values():
        if "products" in site and "total" in told:
            assert told["product"] == "product"


def test_orders_of_a_line_and_a_fixed_product_are_jobs_too(tmp_path: Path) -> None:
    units = {n: {"machine": name, "profile": "lineside/machine"} for n, name in enumerate("ab", 1)}
    machines = {name: {"kind": "press", "power": {"IDLE": "1kW"}, "ideal_cycle": "2s"} for name in "ab"}
    told = scenario(
        MODBUS | {"units": units},
        machines=machines | {"b": machines["b"] | {"product": "big"}},
        meters={},
        products={"big": {"cycle": 1.5}},
        lines={"one": {"machines": ["a"], "orders": {"quantity": [10, 20]}}},
    )
    path, site = written(told, tmp_path)
    load(path)
    jobs = {name: [asset.get("product"), asset.get("order")] for name, asset in site["assets"].items()}
    assert jobs == {"a": ["product", "order"], "b": ["product", None]}

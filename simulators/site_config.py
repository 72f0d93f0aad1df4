"""A ready config of Lineside for a simulated plant: what an engineer would write who knew the plant well."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from simulators.endpoints import Pty, parse_listen
from simulators.face_models import ModbusFace, MqttFace, UnitSpec
from simulators.profiles import Profile, load_profile, profile_folders
from simulators.resolution import ENERGY_POINTS
from simulators.scenario import MeterSpec, Scenario

_POLL: Final = {"fast": "1s", "slow": "5s"}
_STATES: Final = {
    "producing": ["EXECUTE"], "setup": ["SETUP"], "fault": ["ABORTED"], "idle": ["IDLE", "STOPPED"],
    "starved": ["SUSPENDED"], "blocked": ["HELD"],
}  # fmt: skip
_COUNTS: Final = {"total": "total_count", "good": "good_count", "rework": "rework_count"}


class _Plain(yaml.SafeDumper):
    """Writes everything out: no anchors and aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Never."""
        return True


Tags = dict[str, dict[str, Any]]


def site_config(scenario: Scenario, listens: Mapping[str, str], folder: Path, board: str = "127.0.0.1:8080") -> str:
    """The config as YAML.

    Args:
        scenario: the plant.
        listens: where each Modbus face is; one that is not named is where the scenario says.
        folder: of the scenario: its own profiles are beside it.
        board: where Lineside's board shall listen.

    Raises:
        ValueError: a face speaks line protocol, which Lineside does not read.
    """
    assets: Tags = {}
    sources: dict[str, Any] = {}
    for face in scenario.faces:
        if isinstance(face, ModbusFace):
            at = listens.get(face.name) or _endpoint(face)
            for unit_id, unit in face.units.items():
                profile = load_profile(unit.profile, profile_folders(folder))
                name = f"{unit.machine or unit.meter}-{'plc' if unit.machine else 'meter'}"
                sources[name] = _source(scenario, at, unit_id, unit, assets, profile)
        elif face.style == "line":
            raise ValueError(
                f"Lineside does not read line protocol over MQTT: face {face.name} needs style json or plain"
            )
        else:
            sources[face.name] = _publisher(scenario, face, assets)
    lines = {
        name: {"area": line.area, **({"calendar": "default"} if scenario.calendar else {})}
        for name, line in scenario.lines.items()
    }
    config: dict[str, Any] = {"site": scenario.scenario, "timezone": scenario.timezone, "packs": ["vietnam"]}
    if scenario.calendar:
        config["calendars"] = {"default": scenario.calendar.model_dump(mode="json")}
    if lines:
        config["lines"] = lines
    config |= {"sources": sources, "assets": assets, "board": {"listen": board}}
    head = f"# Made from the scenario {scenario.scenario}: what Lineside needs to read this plant.\n"
    return head + yaml.dump(
        config, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )


def _endpoint(face: ModbusFace) -> str:
    place = parse_listen(face.listen)
    return f"rtu://{place.link}" if isinstance(place, Pty) else face.listen


def asset_of_meter(name: str, meter: MeterSpec, scenario: Scenario) -> str:
    """The machine that a meter is alone with, or the meter itself as an asset of its own."""
    alone = meter.of[0] if len(meter.of) == 1 and meter.of[0] in scenario.machines and not meter.base else None
    if alone is None or meter.carrier != "electricity":
        return name if name not in scenario.machines else f"{name}-meter"
    rivals = [other for other, spec in scenario.meters.items() if spec.of == [alone] and spec.carrier == meter.carrier]
    return alone if rivals[0] == name else name


def _source(
    scenario: Scenario, at: str, unit_id: int, unit: UnitSpec, assets: Tags, profile: Profile
) -> dict[str, Any]:
    points = {point.name for point in profile.points}
    energy = next((name for name in ENERGY_POINTS if name in points), None)
    power = next((name for name in ("active_power", "power") if name in points), None)
    if unit.machine:
        asset = unit.machine
        told = _machine(scenario, asset, assets)
        if "state" in points:
            told["state"] = {"tag": "state"} | _STATES
        told |= {role: point for role, point in _COUNTS.items() if point in points}
        told |= {what: what for what in ("product", "order") if what in points}
    else:
        assert unit.meter is not None
        asset = asset_of_meter(unit.meter, scenario.meters[unit.meter], scenario)
        told = _machine(scenario, asset, assets) if asset in scenario.machines else assets.setdefault(asset, {})
    is_better = unit.meter is not None or "energy" not in told
    if energy and is_better:
        told["energy"] = {"electricity": energy}
    if power and is_better:
        told["power"] = power
    where = {"kind": "modbus", "endpoint": at, "unit_id": unit_id}
    return where | {"profile": unit.profile, "asset": asset, "poll": dict(_POLL)}


def _machine(scenario: Scenario, name: str, assets: Tags) -> dict[str, Any]:
    """The asset of a machine, begun where it is not there yet."""
    if name not in assets:
        told: dict[str, Any] = {}
        line = next((line for line, spec in scenario.lines.items() if name in _members(spec.machines)), None)
        if line:
            told["line"] = line
        ideal = scenario.machines[name].ideal_cycle
        if ideal:
            told["ideal_cycle_time"] = f"{ideal * 1000:.10g}ms"
        if scenario.calendar and scenario.machines[name].hours == "calendar" and not line:
            told["calendar"] = "default"
        assets[name] = told
    return assets[name]


def _members(stations: list[list[str]]) -> set[str]:
    return {name for station in stations for name in station}


def _publisher(scenario: Scenario, face: MqttFace, assets: Tags) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    is_json = face.style == "json"

    def tag(asset: str, name: str, group: str, field: str, **what: Any) -> None:
        point, topic = what.pop("to", field), f"{face.prefix}/{name}/{group if is_json else field}"
        tags[f"{asset}/{point}"] = {"topic": topic, "path": f"$.{field}" if is_json else "$"} | what

    for machine in face.machines:
        told = _machine(scenario, machine, assets)
        told |= {"state": {"tag": "state"} | _STATES} | _COUNTS
        tag(machine, machine, "state", "state", type="string")
        for field in ("total", "good", "scrap", "rework"):
            tag(machine, machine, "counts", field, to=f"{field}_count", type="uint32", counter=True)
        if scenario.orders:
            told |= {"product": "product", "order": "order"}
            tag(machine, machine, "job", "product", type="string")
            tag(machine, machine, "job", "order", type="string")
        _electricity(tag, told, machine, machine, has_meter="energy" in told)
    for meter in face.meters:
        spec = scenario.meters[meter]
        asset = asset_of_meter(meter, spec, scenario)
        told = _machine(scenario, asset, assets) if asset in scenario.machines else assets.setdefault(asset, {})
        if spec.carrier == "electricity":
            _electricity(tag, told, asset, meter, has_meter=False)
        else:
            tag(asset, meter, "flow", "volume_m3", to="volume", type="float64", unit="m³", counter=True)
            tag(asset, meter, "flow", "flow_m3_per_min", to="flow", type="float64", unit="m³/min")
    source: dict[str, Any] = {"kind": "mqtt", "broker": face.broker}
    if is_json:
        source["time"] = "$.ts"
    return source | {"tags": tags}


def _electricity(tag: Any, told: dict[str, Any], asset: str, name: str, *, has_meter: bool) -> None:
    if has_meter:
        return
    tag(asset, name, "energy", "energy_kwh", to="energy", type="float64", unit="kWh", counter=True)
    tag(asset, name, "energy", "power_kw", to="power", type="float64", unit="kW")
    told |= {"energy": {"electricity": "energy"}, "power": "power"}

"""A ready config of Lineside for a simulated plant: what an engineer would write who knew the plant well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from simulators.endpoints import Pty, parse_listen
from simulators.face_models import ModbusFace, MqttFace, UnitSpec
from simulators.profiles import load_profile, profile_folders
from simulators.resolution import ENERGY_POINTS
from simulators.scenario import Scenario

_POLLS_PER_S: Final = 4
_STATES: Final = {
    "tag": "state", "producing": ["EXECUTE"], "setup": ["SETUP"], "fault": ["ABORTED"], "idle": ["IDLE", "STOPPED"],
    "starved": ["SUSPENDED"], "blocked": ["HELD"],
}  # fmt: skip
_MORE_POWER: Final = 1.5
_PLANT: Final = "plant"
_ALWAYS: Final = "default"
"""Lineside's calendar of this name means all time where it is not written."""
_COUNTS: Final = {"total": "total_count", "good": "good_count", "rework": "rework_count"}
_POWERS: Final = ("active_power", "power")


class _Plain(yaml.SafeDumper):
    """Writes everything out: no anchors and aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Never."""
        return True


def site_config(
    scenario: Scenario,
    listens: Mapping[str, str],
    folder: Path,
    board: str = "127.0.0.1:8080",
    speed: float = 1.0,
) -> str:
    """The config as YAML.

    Args:
        scenario: the plant.
        listens: where each Modbus face is; one that is not named is where the scenario says.
        folder: of the scenario: its own profiles are beside it.
        board: where Lineside's board shall listen.
        speed: of the plant's time: polls are no closer than 250 ms of real time.

    Raises:
        ValueError: no face speaks anything that Lineside reads.
    """
    site = _Site(scenario, profile_folders(folder), _poll(speed))
    for face in scenario.faces:
        if isinstance(face, ModbusFace):
            for unit_id, unit in face.units.items():
                site.read_unit(listens.get(face.name) or _endpoint(face), unit_id, unit)
    for face in scenario.faces:  # what a device shows is taken from there, even where the plant also publishes it
        if isinstance(face, MqttFace) and face.style != "line":
            site.subscribe(face)
    if not site.sources:
        raise ValueError(
            f"scenario {scenario.scenario} has no face that Lineside reads: Modbus, or MQTT in JSON or plain"
        )
    text = yaml.dump(
        site.config(board), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )
    return f"# Made from the scenario {scenario.scenario}: what Lineside needs to read this plant.\n{text}"


def _endpoint(face: ModbusFace) -> str:
    place = parse_listen(face.listen)
    return f"rtu://{place.link}" if isinstance(place, Pty) else face.listen


def _poll(speed: float) -> dict[str, str]:
    fast_s = max(1, round(speed / _POLLS_PER_S))
    return {"fast": f"{fast_s}s", "slow": f"{5 * fast_s}s"}


@dataclass(slots=True)
class _Site:
    """The config while it is written.

    points  asset → names of its points, so that no two sources have the same
    heard   meters that an MQTT source reads
    """

    scenario: Scenario
    folders: tuple[Path, ...]
    poll: dict[str, str]
    sources: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    points: dict[str, set[str]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)

    def config(self, board: str) -> dict[str, Any]:
        """The whole."""
        plant = self.scenario
        config: dict[str, Any] = {"site": plant.scenario, "timezone": plant.timezone, "packs": ["vietnam"]}
        if plant.calendar:
            config["calendars"] = {_PLANT: plant.calendar.model_dump(mode="json")}
        if plant.lines:
            config["lines"] = {name: self._line(name) for name in plant.lines}
        if plant.products:
            config["products"] = {name: {"ideal_cycle_time": self._ideal_times(name)} for name in plant.products}
        for name in self.assets.keys() & plant.machines.keys():
            if "energy" in self.assets[name]:
                self.assets[name]["max_power"] = self._max_power(name)
        tree = self._meter_tree()
        if tree:
            config["meter_tree"] = tree
        return config | {"sources": self.sources, "assets": self.assets, "board": {"listen": board}}

    def _meter_tree(self) -> dict[str, list[str]]:
        """Which of the assets with an electricity meter stand below which others."""
        found: dict[str, list[str]] = {}
        for name, meter in self.scenario.meters.items():
            asset = self._own_name(name)
            if meter.carrier == "electricity" and self._is_metered(asset):
                below = [one for of in self.scenario.below(name) for one in self._metered_below(of, asset)]
                found |= {asset: sorted(set(below))} if below else {}
        return found

    def _metered_below(self, name: str, above: str) -> list[str]:
        """The assets whose meters are nearest below `above`, as far as they belong to a meter, line or machine."""
        for asset in (self._own_name(name), name):
            if asset != above and self._is_metered(asset):
                return [asset]
        inside = self.scenario.below(name) if name in self.scenario.meters else ()
        machines = _members(self.scenario.lines[name].machines) if name in self.scenario.lines else ()
        return [one for part in (*inside, *machines) if part != name for one in self._metered_below(part, above)]

    def _is_metered(self, asset: str) -> bool:
        return "energy" in self.assets.get(asset, {})

    def read_unit(self, endpoint: str, unit_id: int, unit: UnitSpec) -> None:
        """A Modbus unit as a source, and what it shows as roles of an asset; a second view of the same is left out."""
        source = f"{unit.machine or unit.meter}-{'plc' if unit.machine else 'meter'}"
        points = [point.name for point in load_profile(unit.profile, self.folders).points]
        if source in self.sources:
            return
        energy = next((name for name in ENERGY_POINTS if name in points), None)
        power = next((name for name in _POWERS if name in points), None)
        if unit.machine:
            where = unit.machine
            self._produces(unit.machine, points)
            told = self._asset(unit.machine)
            if "energy" not in told:
                told |= _electricity(energy, power)
        else:
            assert unit.meter is not None
            where = self._meter(unit.meter, points, energy, power)
        self.points.setdefault(where, set()).update(points)
        self.sources[source] = {
            "kind": "modbus", "endpoint": endpoint, "unit_id": unit_id, "profile": unit.profile, "asset": where,
            "poll": self.poll,
        }  # fmt: skip

    def subscribe(self, face: MqttFace) -> None:
        """An MQTT face as a source, and what it says as roles of its assets."""
        tags = _Tags(face)
        for machine in face.machines:
            taken = self.points.setdefault(machine, set())
            fields = ["state", *((*_COUNTS.values(), "scrap_count") if self._makes_parts(machine) else ())]
            fields = [name for name in (*fields, *self._job(machine)) if name not in taken]
            self._produces(machine, fields)
            tags.machine(machine, fields)
            told = self._asset(machine)
            if "energy" not in told and machine not in face.meters:
                told |= _electricity("energy", "power")
                tags.electricity(machine, machine)
            taken.update(fields)
        for meter in face.meters:
            if f"{meter}-meter" in self.sources or meter in self.heard:
                continue
            self.heard.add(meter)
            if self.scenario.meters[meter].carrier == "electricity":
                tags.electricity(self._meter(meter, ["energy", "power"], "energy", "power"), meter)
            else:
                tags.flow(self._own_name(meter), meter)
        if not tags.found:
            return
        source: dict[str, Any] = {"kind": "mqtt", "broker": face.broker}
        if face.style == "json":
            source["time"] = "$.ts"
        self.sources[face.name] = source | {"tags": tags.found}

    def _produces(self, machine: str, points: Iterable[str]) -> None:
        """The roles of a machine that come from points of its controller."""
        told, known = self._asset(machine), set(points)
        if "state" in known:
            told["state"] = dict(_STATES)
        if self._makes_parts(machine):
            told |= {role: point for role, point in _COUNTS.items() if point in known}
        told |= {what: what for what in self._job(machine) if what in known}

    def _job(self, machine: str) -> tuple[str, ...]:
        """What a machine says of its job, where it has one."""
        if not self._makes_parts(machine):
            return ()
        line = next((one for one in self.scenario.lines.values() if machine in _members(one.machines)), None)
        if self.scenario.orders or (line and line.orders):
            return ("product", "order")
        return ("product",) if self.scenario.machines[machine].product else ()

    def _meter(self, meter: str, points: Iterable[str], energy: str | None, power: str | None) -> str:
        """Where a meter's points belong: its machine, if it is alone there, else an asset of its own."""
        spec = self.scenario.meters[meter]
        alone = spec.of[0] if len(spec.of) == 1 and spec.of[0] in self.scenario.machines and not spec.base else None
        if alone is None or spec.carrier != "electricity":
            where = self._own_name(meter)
            line = {"line": spec.of[0]} if len(spec.of) == 1 and spec.of[0] in self.scenario.lines else {}
            self.assets.setdefault(where, line).update(_electricity(energy, power))
            return where
        told = self._asset(alone)
        if self.points.get(alone, set()) & set(points):  # the machine shows the same: the meter is named in full
            where = self._own_name(meter)
            told |= _electricity(energy and f"{where}/{energy}", power and f"{where}/{power}")
            return where
        told |= _electricity(energy, power)
        return alone

    def _own_name(self, meter: str) -> str:
        return f"{meter}-meter" if meter in self.scenario.machines else meter

    def _makes_parts(self, machine: str) -> bool:
        return self.scenario.machines[machine].ideal_cycle is not None

    def _max_power(self, machine: str) -> str:
        """Well above everything that the machine draws for longer than a moment."""
        spec, products = self.scenario.machines[machine], self.scenario.products.values()
        peak = max([1.0, *(step.power for step in spec.load)]) * max([1.0, *(product.power for product in products)])
        return f"{max(spec.power.values()) * peak * _MORE_POWER:.0f}W"

    def _asset(self, name: str) -> dict[str, Any]:
        """The asset of a machine, begun where it is not there yet."""
        if name not in self.assets:
            told: dict[str, Any] = {}
            spec = self.scenario.machines[name]
            line = next((line for line, one in self.scenario.lines.items() if name in _members(one.machines)), None)
            if line:
                told["line"] = line
            if self.scenario.calendar and (spec.hours == "always") == bool(line):
                told["calendar"] = _ALWAYS if line else _PLANT
            if spec.ideal_cycle:
                told["ideal_cycle_time"] = _ms(spec.ideal_cycle)
            self.assets[name] = told
        return self.assets[name]

    def _line(self, name: str) -> dict[str, Any]:
        """Machines in series: the line is as good as the slowest that stands alone."""
        line = self.scenario.lines[name]
        told: dict[str, Any] = {"area": line.area} if line.area else {}
        single = [station[0] for station in line.machines if len(station) == 1 and self._makes_parts(station[0])]
        if single:
            slowest = max(single, key=lambda machine: self.scenario.machines[machine].ideal_cycle or 0.0)
            told |= {"flow": "serial", "constraint": slowest}
        return told | ({"calendar": _PLANT} if self.scenario.calendar else {})

    def _ideal_times(self, product: str) -> dict[str, str]:
        factor = self.scenario.products[product].cycle
        return {
            name: _ms(spec.ideal_cycle * factor)
            for name, spec in self.scenario.machines.items()
            if spec.ideal_cycle and name in self.assets
        }


@dataclass(slots=True)
class _Tags:
    """The tags of an MQTT source."""

    face: MqttFace
    found: dict[str, Any] = field(default_factory=dict)

    def machine(self, name: str, fields: Iterable[str]) -> None:
        """State, counts and job."""
        for point in fields:
            said = point.removesuffix("_count")
            if point == "state":
                self._add(name, point, name, "state", said, type="string")
            elif point in ("product", "order"):
                self._add(name, point, name, "job", said, type="string")
            else:
                self._add(name, point, name, "counts", said, type="uint32", counter=True)

    def electricity(self, asset: str, name: str) -> None:
        """Energy and power."""
        self._add(asset, "energy", name, "energy", "energy_kwh", type="float64", unit="kWh", counter=True)
        self._add(asset, "power", name, "energy", "power_kw", type="float64", unit="kW")

    def flow(self, asset: str, name: str) -> None:
        """Volume and flow of air, water or gas."""
        self._add(asset, "volume", name, "flow", "volume_m3", type="float64", unit="m³", counter=True)
        self._add(asset, "flow", name, "flow", "flow_m3_per_min", type="float64", unit="m³/min")

    def _add(self, asset: str, point: str, name: str, group: str, said: str, **what: Any) -> None:
        json = self.face.style == "json"
        topic = f"{self.face.prefix}/{name}/{group if json else said}"
        self.found[f"{asset}/{point}"] = {"topic": topic, "path": f"$.{said}" if json else "$"} | what


def _electricity(energy: str | None, power: str | None) -> dict[str, Any]:
    return ({"energy": {"electricity": energy}} if energy else {}) | ({"power": power} if power else {})


def _members(stations: list[list[str]]) -> set[str]:
    return {name for station in stations for name in station}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.10g}ms"

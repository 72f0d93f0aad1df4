"""A plant as a file: `load_scenario` reads what the plant, its faces and its faults are made from."""

import fnmatch
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from simulators.face_models import FaceSpec
from simulators.faults import FaultRule, Targets
from simulators.fields import Name, Section
from simulators.machine_models import MachineSpec
from simulators.plant_models import AirSpec, CalendarSpec, GeneratedOrders, LineSpec, MeterSpec, OrderSpec, ProductSpec
from simulators.scenario_file import ScenarioError, read_scenario


class Scenario(Section):
    """A whole plant with its faces and faults."""

    scenario: Name
    title: str = ""
    seed: int = 7
    timezone: str = "UTC"
    start: datetime | None = None
    calendar: CalendarSpec | None = None
    products: dict[Name, ProductSpec] = {}
    orders: list[OrderSpec] | GeneratedOrders | None = None
    operators: int | None = Field(None, ge=1)
    lines: dict[Name, LineSpec] = {}
    machines: dict[Name, MachineSpec] = Field(min_length=1)
    air: AirSpec = AirSpec()
    meters: dict[Name, MeterSpec] = {}
    faces: list[FaceSpec] = []
    faults: tuple[FaultRule, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def start_ms(self) -> int | None:
        """The written start as epoch ms."""
        return None if self.start is None else round(self.start.replace(tzinfo=self.zone).timestamp() * 1000)

    def moment_ms(self, text: str) -> int:
        """A moment as people of the plant write it, as epoch ms. ValueError: says how it is written."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as exc:
            raise ValueError(f"{text!r} is no time: write 2026-03-02T06:00, in the plant's time zone") from exc
        return round((moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).timestamp() * 1000)

    @property
    def targets(self) -> Targets:
        """What faults can happen on."""
        devices: dict[str, str] = {}
        for face in self.faces:
            for unit in face.units.values() if face.kind == "modbus" else ():
                devices |= {f"machine/{unit.machine}": face.name} if unit.machine else {}
                devices |= {f"meter/{unit.meter}": face.name} if unit.meter else {}
            if face.kind == "mqtt":
                devices |= {f"machine/{name}": face.name for name in face.machines}
                devices |= {f"meter/{name}": face.name for name in face.meters}
        return Targets({face.name: face.kind for face in self.faces}, devices)

    @field_validator("faces", mode="before")
    @classmethod
    def _faces_have_names(cls, faces: Any) -> Any:
        """`<kind>-<n>`, n from 1, where a face has no name."""
        if not isinstance(faces, list) or not all(isinstance(face, dict) for face in faces):
            return faces
        numbers: Counter[object] = Counter()
        named = []
        for face in faces:
            numbers[face.get("kind")] += 1
            named.append({"name": f"{face.get('kind')}-{numbers[face.get('kind')]}"} | face)
        return named

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"no time zone {timezone!r}: write one like Asia/Ho_Chi_Minh or UTC") from exc
        return timezone

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def below(self, name: str) -> list[str]:
        """What a meter is right above, patterns written out; what is not there is left as it is."""
        names = [*self.machines, *self.lines]
        below = self.meters[name].of
        return [found for of in below for found in ([of] if "*" not in of else fnmatch.filter(names, of) or [of])]

    def is_below_itself(self, meter: str, above: tuple[str, ...] = ()) -> bool:
        """Whether a meter's tree has no end; a name is a machine or a line first, then a meter."""
        meters = [
            name for name in self.below(meter) if name in self.meters and name not in {*self.machines, *self.lines}
        ]
        return meter in above or any(self.is_below_itself(name, (*above, meter)) for name in meters)

    def _problems(self) -> list[str]:
        placed = [name for line in self.lines.values() for station in line.machines for name in station]
        metered = {*self.machines, *self.lines, *self.meters}
        shown = [unit for face in self.faces if face.kind == "modbus" for unit in face.units.values()]
        spoken = [face for face in self.faces if face.kind == "mqtt"]
        orders = self.orders if isinstance(self.orders, list) else []
        checks: list[tuple[str, str | None, Any]] = [
            *(("machines", name, self.machines) for name in placed),
            *((f"meters.{name}.of", of, metered) for name in self.meters for of in self.below(name)),
            *(("faces", unit.machine, self.machines) for unit in shown),
            *(("faces", unit.meter, self.meters) for unit in shown),
            *(("faces", name, self.machines) for face in spoken for name in face.machines),
            *(("faces", name, self.meters) for face in spoken for name in face.meters),
            *(("orders", order.product, self.products) for order in orders),
            *(("orders", order.line, {*self.lines, *self.machines}) for order in orders),
            *((f"machines.{name}", machine.product, self.products) for name, machine in self.machines.items()),
        ]
        unknown = [
            f"{where}: no {name!r} in this scenario" for where, name, known in checks if name and name not in known
        ]
        twice = [f"lines: {name!r} stands in two places" for name in placed if placed.count(name) > 1]
        return unknown + twice + ([] if unknown else self._senseless()) + self._misplaced_faults()

    def _senseless(self) -> list[str]:
        lines = {name for line in self.lines.values() for station in line.machines for name in station}
        makes = [orders for orders in (self.orders, *(line.orders for line in self.lines.values())) if orders]
        return [
            *(f"meters.{name}.of: the meter is below itself" for name in self.meters if self.is_below_itself(name)),
            *(
                f"machines.{name}: write its `ideal_cycle`: how long one part takes at best, like 1.8s"
                for name, machine in self.machines.items()
                if machine.ideal_cycle is None and not machine.compressor
            ),
            *(
                f"lines: {name!r} is a compressor and makes no parts"
                for name in lines
                if self.machines[name].compressor
            ),
            *(
                ["orders: they need products: write `products: { some-part: {} }`"]
                if makes and not self.products
                else []
            ),
        ]

    def _misplaced_faults(self) -> list[str]:
        targets, problems = self.targets, []
        for rule in self.faults:
            for kind in rule.kind:
                try:
                    targets.of(kind, rule.on)
                except ValueError as exc:  # each with its own words
                    problems.append(f"faults: {exc}")
        return problems


def load_scenario(name_or_path: str | Path) -> Scenario:
    """A scenario from a file, or one of the shipped ones by its name.

    Raises:
        ScenarioError: there is no such scenario, or it is wrong; the text says `file: path: problem`.
    """
    return read_scenario(name_or_path, Scenario)


__all__ = ["Scenario", "ScenarioError", "load_scenario"]

"""A plant as a file: `load_scenario` reads what the plant, its faces and its faults are made from."""

import fnmatch
from collections import Counter
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from simulators.face_models import FaceSpec
from simulators.faults import FaultRule, Targets
from simulators.fields import Section
from simulators.machine_models import MachineSpec
from simulators.quantities import Flow, Share, Watts
from simulators.scenario_file import ScenarioError, read_scenario

Names = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


def _hours(text: object) -> object:
    for clock in text.split("-") if isinstance(text, str) and text.count("-") == 1 else ("",):
        try:
            time.fromisoformat(clock)
        except ValueError as exc:
            raise ValueError(f"{text!r}: {clock!r} is no time of a day; write hours like 06:00-14:00") from exc
    return text


Hours = Annotated[str, BeforeValidator(_hours)]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class CalendarSpec(Section):
    """When the plant works, in local time; a shift may end on the next day."""

    days: str = Field("mon-sun", pattern=rf"^({'|'.join(DAYS)})-({'|'.join(DAYS)})$")
    shifts: dict[str, Hours] = Field(min_length=1)
    breaks: list[Hours] = []
    holidays: list[date] = []


class ProductSpec(Section):
    """How a product differs: factors on each machine's cycle time, power and scrap."""

    cycle: float = Field(1.0, gt=0)
    power: float = Field(1.0, gt=0)
    scrap: float = Field(1.0, ge=0)


class OrderSpec(Section):
    """So many good parts of a product (counted at the first machine of the line that makes them)."""

    order: str | None = None
    product: str
    quantity: int = Field(gt=0)
    line: str | None = None


class GeneratedOrders(Section):
    """Orders without end: products in turn or at random, quantities evenly between the two."""

    products: Literal["in turn", "at random"] = "in turn"
    quantity: tuple[int, int]

    @field_validator("quantity")
    @classmethod
    def _rising(cls, quantity: tuple[int, int]) -> tuple[int, int]:
        if not 0 < quantity[0] <= quantity[1]:
            raise ValueError("write quantities as [smallest, largest], like [2000, 5000]")
        return quantity


class LineSpec(Section):
    """Machines that hand parts on in series; a list inside the list works in parallel."""

    area: str = ""
    machines: list[Names]
    buffers: list[int] = []
    orders: GeneratedOrders | None = None

    @model_validator(mode="after")
    def _buffer_between_each(self) -> Self:
        if len(self.buffers) != len(self.machines) - 1:
            raise ValueError(
                f"{len(self.machines)} machines in series need {len(self.machines) - 1} buffers, one between each two;"
                f" here are {len(self.buffers)}"
            )
        if any(size < 1 for size in self.buffers):
            raise ValueError("a buffer holds at least one part")
        return self


class AirSpec(Section):
    """The compressed air net: what leaks at all times, and the receiver in litres."""

    leak: Flow = 0.0
    receiver_litres: float = Field(2000.0, gt=0)


class MeterSpec(Section):
    """A meter above machines, lines and other meters; `base` is a load that no machine has (light, servers).

    `of` takes patterns too: `press-*`.
    """

    of: Names = []
    carrier: Literal["electricity", "air", "water", "gas"] = "electricity"
    accuracy: Share = 0.0
    base: Watts = 0.0


class Scenario(Section):
    """A whole plant with its faces and faults."""

    scenario: str
    title: str = ""
    seed: int = 7
    timezone: str = "UTC"
    start: datetime | None = None
    calendar: CalendarSpec | None = None
    products: dict[str, ProductSpec] = {}
    orders: list[OrderSpec] | GeneratedOrders | None = None
    operators: int | None = Field(None, ge=1)
    lines: dict[str, LineSpec] = {}
    machines: dict[str, MachineSpec] = Field(min_length=1)
    air: AirSpec = AirSpec()
    meters: dict[str, MeterSpec] = {}
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
            *(["orders need products: write `products: { some-part: {} }`"] if makes and not self.products else []),
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

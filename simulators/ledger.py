"""The plant's own book of what truly happened: every state, part and watt with its exact millisecond."""

import json
import os
from array import array
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from simulators.machine_ledger import MachineLedger
from simulators.states import State
from simulators.steps import Steps

__all__ = ["WATT_MS_PER_WH", "FaultRow", "Ledger", "MachineLedger", "Meter", "OrderRow", "State"]

WATT_MS_PER_WH = 3_600_000
_VERSION = 2
_WHOLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter above machines: what it shows is their sum and its own `base` load, times its error.

    gain_ppm  the error of this meter in millionths, fixed for its life
    """

    machines: tuple[str, ...]
    carrier: str = "electricity"
    gain_ppm: int = 0
    base: int = 0

    def wrong(self, true: int) -> int:
        """What it shows for a true amount."""
        return true * (_WHOLE + self.gain_ppm) // _WHOLE


@dataclass(slots=True)
class OrderRow:
    """An order: `to_ms` is when its last part left the line, None while it is open."""

    order: str
    line: str
    product: str
    quantity: int
    from_ms: int
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Something that went wrong between the plant and who listens to it, in [from, to)."""

    kind: str
    on: str
    from_ms: int
    to_ms: int
    effect: str


@dataclass(slots=True)
class Ledger:
    """The whole plant's history from `start_ms` to `until_ms` (epoch ms); `lines` have stations of machines.

    A frozen plant's ledger is also true for every later time: the last state goes on, nothing is made or used.
    """

    seed: int
    start_ms: int
    until_ms: int
    frozen: bool = False
    scenario: str = ""
    timezone: str = "UTC"
    machines: dict[str, MachineLedger] = field(default_factory=dict)
    lines: dict[str, list[list[str]]] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)
    orders: list[OrderRow] = field(default_factory=list)
    faults: list[FaultRow] = field(default_factory=list)

    def covers(self, from_ms: int, to_ms: int) -> bool:
        """Whether the ledger knows everything between the two times."""
        return self.start_ms <= from_ms <= to_ms and (self.frozen or to_ms <= self.until_ms)

    def fault(self, kind: str, on: str, from_ms: int, to_ms: int, effect: str) -> None:
        """Book a fault."""
        self.faults.append(FaultRow(kind, on, from_ms, to_ms, effect))

    def meter_rate(self, name: str, at_ms: int) -> int:
        """What a meter shows as power in W (of electricity) or flow in mL/min."""
        meter = self.meters[name]
        base = 0 if self.frozen and at_ms >= self.until_ms else meter.base
        return meter.wrong(base + sum(steps.rate_at(at_ms) for steps in self._steps(meter)))

    def meter_sum(self, name: str, at_ms: int) -> int:
        """What a meter has counted from the ledger's beginning to `at_ms`: W·ms, or mL/min·ms."""
        meter = self.meters[name]
        base = meter.base * ((min(at_ms, self.until_ms) if self.frozen else at_ms) - self.start_ms)
        return meter.wrong(base + sum(steps.sum_at(at_ms) for steps in self._steps(meter)))

    def meter_var(self, name: str, at_ms: int) -> int:
        """What an electricity meter shows as reactive power in var; its base load has none."""
        meter = self.meters[name]
        return meter.wrong(sum(self.machines[machine].reactive.rate_at(at_ms) for machine in meter.machines))

    def meter_var_ms(self, name: str, at_ms: int) -> int:
        """What an electricity meter has counted as reactive energy, in var·ms."""
        meter = self.meters[name]
        return meter.wrong(sum(self.machines[machine].reactive.sum_at(at_ms) for machine in meter.machines))

    def _steps(self, meter: Meter) -> list[Steps]:
        books = [self.machines[machine] for machine in meter.machines]
        if meter.carrier == "electricity":
            return [book.power for book in books]
        return [book.flows[meter.carrier] for book in books if meter.carrier in book.flows]

    def save(self, path: Path) -> None:
        """Write the ledger as JSON, so that a reader sees either the old file or the whole new one."""
        draft = path.with_name(path.name + ".part")
        with draft.open("w") as file:
            json.dump({"version": _VERSION, **_plain(self)}, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a saved ledger. ValueError: the file is none of this version."""
        book = json.loads(path.read_text())
        if not isinstance(book, dict) or book.pop("version", None) != _VERSION:
            raise ValueError(f"{path}: not a version {_VERSION} ledger")
        machines = {name: _machine(columns) for name, columns in book.pop("machines").items()}
        meters = {name: Meter(tuple(meter.pop("machines")), **meter) for name, meter in book.pop("meters").items()}
        orders = [OrderRow(**row) for row in book.pop("orders")]
        faults = [FaultRow(**row) for row in book.pop("faults")]
        return cls(**book, machines=machines, meters=meters, orders=orders, faults=faults)


_COLUMNS = ("part_ms", "part_good", "part_rework")
_PLAIN = ("seed", "start_ms", "until_ms", "frozen", "scenario", "timezone", "lines")
_LISTS = ("state_ms", "product_ms", "products", "order_ms", "orders", "planned_ms", "planned")


def _plain(ledger: Ledger) -> dict[str, Any]:
    """The ledger as JSON has it."""
    return {
        **{name: getattr(ledger, name) for name in _PLAIN},
        "machines": {name: _columns(book) for name, book in ledger.machines.items()},
        "meters": {name: asdict(meter) for name, meter in ledger.meters.items()},
        "orders": [asdict(row) for row in ledger.orders],
        "faults": [asdict(row) for row in ledger.faults],
    }


def _columns(book: MachineLedger) -> dict[str, Any]:
    return {
        **{name: getattr(book, name) for name in _LISTS},
        **{name: getattr(book, name).tolist() for name in _COLUMNS},
        "states": [state.name for state in book.states],
        "ideal_s": book.ideal_s,
        "power": _pairs(book.power),
        "reactive": _pairs(book.reactive),
        "flows": {carrier: _pairs(steps) for carrier, steps in book.flows.items()},
    }


def _machine(columns: dict[str, Any]) -> MachineLedger:
    book = MachineLedger(**{name: columns[name] for name in (*_LISTS, "ideal_s")})
    book.part_ms, book.part_good = array("q", columns["part_ms"]), array("b", columns["part_good"])
    book.part_rework = array("b", columns["part_rework"])
    book.states = [State[name] for name in columns["states"]]
    book.power, book.reactive = Steps.of(columns["power"]), Steps.of(columns["reactive"])
    book.flows = {carrier: Steps.of(pairs) for carrier, pairs in columns["flows"].items()}
    return book


def _pairs(steps: Steps) -> list[tuple[int, int]]:
    return list(zip(steps.at_ms, steps.rate, strict=True))

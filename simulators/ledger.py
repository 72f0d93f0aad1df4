"""The plant's own book of what truly happened: every state, part and watt with its exact millisecond."""

import json
import os
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from simulators.states import State

__all__ = ["Ledger", "MachineLedger", "State"]

WATT_MS_PER_WH = 3_600_000


@dataclass(slots=True)
class MachineLedger:
    """One machine's history: append-only columns, each in time order."""

    state_ms: list[int] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    part_ms: "array[int]" = field(default_factory=lambda: array("q"))
    part_good: "array[int]" = field(default_factory=lambda: array("b"))
    power_ms: list[int] = field(default_factory=list)
    power_w: list[int] = field(default_factory=list)
    # energy used when each power step begins; whole watt-milliseconds, so sums never round
    energy_watt_ms: list[int] = field(default_factory=list)

    def enter(self, at_ms: int, state: State) -> None:
        """Book a state that holds from `at_ms` on."""
        self.state_ms.append(at_ms)
        self.states.append(state)

    def draw(self, at_ms: int, watts: int) -> None:
        """Book a power that is drawn from `at_ms` on."""
        self.energy_watt_ms.append(self.watt_ms_at(at_ms) if self.power_ms else 0)
        self.power_ms.append(at_ms)
        self.power_w.append(watts)

    def finish(self, at_ms: int, *, good: bool) -> None:
        """Book a part that was completed at `at_ms`."""
        self.part_ms.append(at_ms)
        self.part_good.append(good)

    def state_at(self, at_ms: int) -> State:
        """The state that holds at `at_ms` (a change counts from its own millisecond on)."""
        return self.states[bisect_right(self.state_ms, at_ms) - 1]

    def watts_at(self, at_ms: int) -> int:
        """The power in W drawn from `at_ms` on."""
        return self.power_w[bisect_right(self.power_ms, at_ms) - 1]

    def watt_ms_at(self, at_ms: int) -> int:
        """Energy used from the ledger's beginning to `at_ms`, in watt-milliseconds, exact."""
        step = bisect_right(self.power_ms, at_ms) - 1
        return self.energy_watt_ms[step] + self.power_w[step] * (at_ms - self.power_ms[step])

    def to_json(self) -> dict[str, Any]:
        """The columns as plain lists."""
        return {
            "states": [[at_ms, state.name] for at_ms, state in zip(self.state_ms, self.states, strict=True)],
            "power_w": [[at_ms, watts] for at_ms, watts in zip(self.power_ms, self.power_w, strict=True)],
            "part_ms": self.part_ms.tolist(),
            "part_good": self.part_good.tolist(),
        }

    @classmethod
    def from_json(cls, columns: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        ledger = cls(part_ms=array("q", columns["part_ms"]), part_good=array("b", columns["part_good"]))
        for at_ms, name in columns["states"]:
            ledger.enter(at_ms, State[name])
        for at_ms, watts in columns["power_w"]:
            ledger.draw(at_ms, watts)
        return ledger


@dataclass(slots=True)
class Ledger:
    """The whole plant's history from `start_ms` to `until_ms` (epoch ms).

    A frozen plant's ledger is also true for every later time: the last state goes on, nothing is made or used.
    """

    seed: int
    start_ms: int
    until_ms: int
    frozen: bool = False
    machines: dict[str, MachineLedger] = field(default_factory=dict)

    def covers(self, from_ms: int, to_ms: int) -> bool:
        """Whether the ledger knows everything between the two times."""
        return self.start_ms <= from_ms <= to_ms and (self.frozen or to_ms <= self.until_ms)

    def save(self, path: Path) -> None:
        """Write the ledger as JSON, so that a reader sees either the old file or the whole new one."""
        book = {
            "version": 1,
            "seed": self.seed,
            "start_ms": self.start_ms,
            "until_ms": self.until_ms,
            "frozen": self.frozen,
            "machines": {name: machine.to_json() for name, machine in self.machines.items()},
        }
        draft = path.with_name(path.name + ".part")
        with draft.open("w") as file:
            json.dump(book, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a saved ledger."""
        book = json.loads(path.read_text())
        if book.pop("version") != 1:
            raise ValueError(f"{path}: not a version 1 ledger")
        machines = {name: MachineLedger.from_json(columns) for name, columns in book.pop("machines").items()}
        return cls(**book, machines=machines)

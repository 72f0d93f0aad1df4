"""The plant in real time: lets it catch up with a clock, keeps what its machines show, and tells the faces."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulators.ledger import WATT_MS_PER_WH, State
from simulators.plant import Event, Part, Plant, StateChange

LONGEST_NAP_MS = 100


@dataclass(frozen=True, slots=True)
class MeterReport:
    """The meters report now: at every whole second, and once more when the plant is frozen."""

    at_ms: int


@dataclass(slots=True)
class Panel:
    """What one machine and its meter show right now; energy counts from the plant's beginning."""

    state: State = State.IDLE
    total: int = 0
    good: int = 0
    scrap: int = 0
    cycle_s: float = 0.0
    watts: int = 0
    energy_wh: float = 0.0


Listener = Callable[[Event | MeterReport], None]


def wall_clock_ms() -> Callable[[], int]:
    """A clock in epoch ms that never jumps: the wall clock of now, carried on by the monotonic one.

    A stepped wall clock must not make the plant live through an hour at once.
    """
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: (time.monotonic_ns() + offset_ns) // 1_000_000


class Live:
    """Runs a plant by a clock.

    `hidden_share` is the share of parts that the faces keep quiet about (0.01: every hundredth, from the tenth on),
    so that a comparison with the ledger can be shown to notice.
    """

    def __init__(self, plant: Plant, clock: Callable[[], int], hidden_share: float = 0.0) -> None:
        self.plant = plant
        self.panels = {name: Panel() for name in plant.machines}
        self._clock = clock
        self._listeners: list[Listener] = []
        self._hide_every = round(1 / hidden_share) if hidden_share else 0
        self._made = dict.fromkeys(plant.machines, 0)
        self._started = False
        self._read_meters()

    def listen(self, listener: Listener) -> None:
        """Call `listener` for every event that the faces may know and every meter report, in time order."""
        self._listeners.append(listener)

    def start(self) -> int:
        """Let the machines begin; returns when in epoch ms. Starting again, or a frozen plant, changes nothing."""
        self.catch_up()
        at_ms = self.plant.now_ms + 1
        if not self._started and not self.plant.ledger.frozen:
            self._started = True
            self.plant.start(at_ms)
        return at_ms

    def freeze(self) -> int:
        """Stop the plant's time for good; returns the moment in epoch ms."""
        if not self.plant.ledger.frozen:
            self.catch_up()
            self.plant.freeze()
            self._read_meters()
            self._tell(MeterReport(self.plant.now_ms))
        return self.plant.now_ms

    def catch_up(self) -> None:
        """Simulate up to now, telling listeners of everything in between."""
        now_ms = self._clock()
        while self.plant.now_ms < now_ms and not self.plant.ledger.frozen:
            next_second = (self.plant.now_ms // 1000 + 1) * 1000
            for event in self.plant.advance(min(next_second, now_ms)):
                self._show(event)
            if next_second <= now_ms:
                self._tell(MeterReport(next_second))
        self._read_meters()

    async def run(self) -> None:
        """Catch up at every event until the plant is frozen."""
        while not self.plant.ledger.frozen:
            self.catch_up()
            due_ms = self.plant.next_ms or self.plant.now_ms + LONGEST_NAP_MS
            await asyncio.sleep(min(max(due_ms - self._clock(), 1), LONGEST_NAP_MS) / 1000)

    def energy_wh(self, machine: str, at_ms: int) -> float:
        """Energy that the machine has used from the plant's beginning to `at_ms`, in Wh."""
        return self.plant.ledger.machines[machine].watt_ms_at(at_ms) / WATT_MS_PER_WH

    def watts(self, machine: str, at_ms: int) -> int:
        """Power in W that the machine draws from `at_ms` on."""
        return self.plant.ledger.machines[machine].watts_at(at_ms)

    def _show(self, event: Event) -> None:
        panel = self.panels[event.machine]
        if isinstance(event, StateChange):
            panel.state = event.state
        elif self._hidden(event):
            return
        else:
            panel.total += 1
            panel.good += event.good
            panel.scrap += not event.good
            panel.cycle_s = event.cycle_s
        self._tell(event)

    def _hidden(self, part: Part) -> bool:
        self._made[part.machine] += 1
        every = self._hide_every
        return bool(every) and self._made[part.machine] % every == every // 10 % every

    def _read_meters(self) -> None:
        now_ms = self.plant.now_ms
        for name, panel in self.panels.items():
            panel.watts, panel.energy_wh = self.watts(name, now_ms), self.energy_wh(name, now_ms)

    def _tell(self, event: Event | MeterReport) -> None:
        for listener in self._listeners:
            listener(event)

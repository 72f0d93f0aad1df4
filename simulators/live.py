"""The plant in real time: lets it catch up with a clock, keeps what its machines show, and tells the faces."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from simulators.events import Event, OrderChange, Part, ProductChange, StateChange
from simulators.meanings import Sight
from simulators.panel import Electric, Flow, Panel
from simulators.plant import Plant

LONGEST_NAP_S = 0.1
_MOST_PAST = 10_000  # sights of past moments that are kept, since faults ask for the same ones again and again
MS_PER_H = 3_600_000
ML_PER_M3 = 1_000_000
ML_MS_PER_M3 = 60_000 * ML_PER_M3
"""A flow in mL/min times ms, for each m³."""


@dataclass(frozen=True, slots=True)
class MeterReport:
    """The meters report now: at every whole second, and once more when the plant is frozen."""

    at_ms: int


Listener = Callable[[Event | MeterReport], None]


class Live:
    """Runs a plant by a clock.

    Targets are written as everywhere: `machine/<name>`, `meter/<name>`. `hidden_share` is the share of parts that the
    faces keep quiet about (0.01: every hundredth, from the tenth on), so that a comparison with the ledger can be shown
    to notice.
    """

    def __init__(self, plant: Plant, clock: Callable[[], int], hidden_share: float = 0.0, speed: float = 1.0) -> None:
        self.plant = plant
        self.panels = {name: Panel() for name in plant.ledger.machines}
        self.meters = {name: Sight(Electric(), flow=Flow()) for name in plant.ledger.meters}
        self.late_ms = 0
        self.clock = clock
        self._speed = speed
        self._listeners: list[Listener] = []
        self._hide_every = round(1 / hidden_share) if hidden_share else 0
        self._made = dict.fromkeys(self.panels, 0)
        self._past: dict[tuple[str, int], Sight] = {}
        self._started = False
        for name, panel in self.panels.items():
            book = plant.ledger.machines[name]
            panel.state, panel.product, panel.order = (
                book.state_at(plant.now_ms),
                book.product_at(plant.now_ms),
                book.order_at(plant.now_ms),
            )

    def listen(self, listener: Listener) -> None:
        """Call `listener` for every event that the faces may know and every meter report, in time order."""
        self._listeners.append(listener)

    def start(self) -> int:
        """Let the machines begin; returns when in epoch ms. Starting again, or a frozen plant, changes nothing."""
        self.look()
        at_ms = self.plant.now_ms + 1
        if not self._started and not self.plant.ledger.frozen:
            self._started = True
            self.plant.start(at_ms)
        return at_ms

    def freeze(self) -> int:
        """Stop the plant's time for good; returns the moment in epoch ms."""
        if not self.plant.ledger.frozen:
            self.look()
            self.plant.freeze()
            self._tell(MeterReport(self.plant.now_ms))
        return self.plant.now_ms

    def look(self) -> int:
        """Simulate up to now, telling listeners of everything in between; returns the plant's time in epoch ms."""
        now_ms = self.clock()
        while self.plant.now_ms < now_ms and not self.plant.ledger.frozen:
            next_second = (self.plant.now_ms // 1000 + 1) * 1000
            for event in self.plant.advance(min(next_second, now_ms)):
                self._show(event)
            if next_second <= now_ms:
                self._tell(MeterReport(next_second))
        return self.plant.now_ms

    async def run(self) -> None:
        """Catch up at every event until the plant is frozen."""
        while not self.plant.ledger.frozen:
            due_ms = self.plant.next_ms
            behind_ms = 0 if due_ms is None else self.clock() - due_ms
            self.late_ms = max(0, behind_ms)
            self.look()
            due_ms = self.plant.next_ms
            nap_s = LONGEST_NAP_S if due_ms is None else (due_ms - self.clock()) / 1000 / self._speed
            await asyncio.sleep(min(max(nap_s, 0.001), LONGEST_NAP_S))

    def sight(self, target: str) -> Sight:
        """What a device of this target sees; `measure` brings it up to date. KeyError: no such target."""
        kind, _, name = target.partition("/")
        if kind == "meter":
            return self.meters[name]
        panel = self.panels[name]
        return Sight(panel.electric, panel)

    def measure(self, target: str) -> None:
        """Bring electricity and flows of a target up to the plant's time."""
        self.measure_at(target, self.plant.now_ms, self.sight(target))

    def sight_at(self, target: str, at_ms: int) -> Sight:
        """What a device of this target saw at a past moment: its counters, state and power."""
        if (target, at_ms) not in self._past:
            kind, _, name = target.partition("/")
            panel = self._panel_at(name, at_ms) if kind == "machine" else None
            seen = Sight(panel.electric, panel) if panel else Sight(Electric(), flow=Flow())
            self.measure_at(target, at_ms, seen)
            if len(self._past) >= _MOST_PAST:
                self._past.pop(next(iter(self._past)))
            self._past[target, at_ms] = seen
        return self._past[target, at_ms]

    def measure_at(self, target: str, at_ms: int, into: Sight) -> None:
        """Write into a sight what was measured at a moment that the plant has lived through."""
        kind, _, name = target.partition("/")
        if kind == "meter":
            self._read_meter(name, at_ms, into)
        else:
            self._read_machine(name, at_ms, into)

    def _read_meter(self, name: str, at_ms: int, into: Sight) -> None:
        ledger, electric, flow = self.plant.ledger, into.electric, into.flow
        if ledger.meters[name].carrier == "electricity":
            electric.watts, electric.var = ledger.meter_rate(name, at_ms), ledger.meter_var(name, at_ms)
            electric.energy_wh = ledger.meter_sum(name, at_ms) / MS_PER_H
            electric.varh = ledger.meter_var_ms(name, at_ms) / MS_PER_H
        elif flow is not None:
            flow.m3_per_min = ledger.meter_rate(name, at_ms) / ML_PER_M3
            flow.m3 = ledger.meter_sum(name, at_ms) / ML_MS_PER_M3

    def _read_machine(self, name: str, at_ms: int, into: Sight) -> None:
        book, electric, panel = self.plant.ledger.machines[name], into.electric, into.panel
        electric.watts, electric.var = book.power.rate_at(at_ms), book.reactive.rate_at(at_ms)
        electric.energy_wh = book.power.sum_at(at_ms) / MS_PER_H
        electric.varh = book.reactive.sum_at(at_ms) / MS_PER_H
        if panel is not None:
            for carrier, steps in book.flows.items():
                panel.flows[carrier] = Flow(steps.rate_at(at_ms) / ML_PER_M3, steps.sum_at(at_ms) / ML_MS_PER_M3)

    def _panel_at(self, name: str, at_ms: int) -> Panel:
        book = self.plant.ledger.machines[name]
        total, good, rework = book.counts_at(at_ms)
        return Panel(book.state_at(at_ms), total, good, total - good - rework, rework)

    def _show(self, event: Event) -> None:
        panel = self.panels[event.machine]
        if isinstance(event, StateChange):
            panel.state = event.state
        elif isinstance(event, ProductChange):
            panel.product = event.product
        elif isinstance(event, OrderChange):
            panel.product, panel.order = event.product, event.order
        elif self._hidden(event):
            return
        else:
            panel.total += 1
            panel.good += event.good
            panel.rework += event.rework
            panel.scrap += event.scrap
            panel.cycle_s = event.cycle_s
        self._tell(event)

    def _hidden(self, part: Part) -> bool:
        self._made[part.machine] += 1
        every = self._hide_every
        return bool(every) and self._made[part.machine] % every == every // 10 % every

    def _tell(self, event: Event | MeterReport) -> None:
        for listener in self._listeners:
            listener(event)

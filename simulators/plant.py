"""The plant as a pure discrete-event model: same seed, same plant, to the last part; no clock and no I/O."""

from collections.abc import Iterator
from random import Random

from simpy import Resource

from simulators.air import AirNet, Compressor
from simulators.body import Body, Ear
from simulators.events import Event, OrderChange, Part, ProductChange, StateChange
from simulators.hours import Hours
from simulators.jobs import Backlog, Buffer, Job, jobs_of, shared_jobs
from simulators.ledger import Ledger, MachineLedger
from simulators.machine import Machine
from simulators.machine_models import MachineSpec
from simulators.metering import meters_of
from simulators.scenario import Scenario
from simulators.states import State
from simulators.steps import Steps
from simulators.timeline import Timeline

__all__ = ["Event", "OrderChange", "Part", "Plant", "ProductChange", "StateChange"]


class Plant:
    """Machines that stand idle until `start`, then live by their seed until `freeze`; `ledger` books everything."""

    def __init__(self, scenario: Scenario, start_ms: int) -> None:
        self.scenario = scenario
        self.machines: dict[str, MachineSpec] = scenario.machines
        self.ledger = Ledger(
            scenario.seed,
            start_ms,
            start_ms,
            scenario=scenario.scenario,
            timezone=scenario.timezone,
            machines={name: _book(scenario, spec) for name, spec in scenario.machines.items()},
            lines={name: [list(station) for station in line.machines] for name, line in scenario.lines.items()},
            meters=meters_of(scenario),
        )
        self._env = Timeline(initial_time=start_ms)
        self._ear = Ear()
        self._air = AirNet(self._env, scenario.air)
        self._lives: dict[str, Machine] = {}
        self._started = False
        self._build(start_ms)

    @property
    def now_ms(self) -> int:
        """How far the plant has been simulated."""
        return self.ledger.until_ms

    @property
    def next_ms(self) -> int | None:
        """When something may happen next, or None when nothing is going to."""
        due = self._env.peek()
        return None if self.ledger.frozen or due == float("inf") else int(due)

    def start(self, at_ms: int) -> None:
        """Let all machines begin to work at `at_ms`, which must not be in the plant's past.

        Raises:
            ValueError: already started, frozen, or `at_ms` has passed.
        """
        if self._started or self.ledger.frozen or at_ms <= self.now_ms:
            raise ValueError("a plant starts once, later than what it has lived through, and not after it was frozen")
        self._started = True
        for machine in self._lives.values():
            self._env.process(machine.life(at_ms))
        begin = self._env.timeout(at_ms - self._env.now)
        assert begin.callbacks is not None
        begin.callbacks.append(lambda _: self._air.begin(at_ms))

    def advance(self, to_ms: int) -> list[Event]:
        """Simulate up to and including `to_ms`; the events in time order, booked. A time in the past does nothing."""
        events: list[Event] = []
        self._ear.heard = events
        self.run_to(to_ms)
        self._ear.heard = None
        return events

    def run_to(self, to_ms: int) -> None:
        """`advance` for who wants only the ledger: no event is built."""
        if self.ledger.frozen:
            return
        env = self._env
        while env.peek() <= to_ms:
            env.step()
        self.ledger.until_ms = max(self.now_ms, to_ms)

    def freeze(self) -> None:
        """Stop time where the plant stands: states and counts stay, nothing is drawn any more."""
        for book in self.ledger.machines.values():
            book.switch_off(self.now_ms)
        self.ledger.frozen = True

    # ---- how it is built

    def _build(self, start_ms: int) -> None:
        scenario, env = self.scenario, self._env
        operators = Resource(env, scenario.operators) if scenario.operators else None
        for name, spec in scenario.machines.items():
            body = Body(name, spec, self.ledger.machines[name], Random(f"{scenario.seed}/{name}"), self._ear)
            hours = Hours(scenario.calendar if spec.hours == "calendar" else None, scenario.zone)
            body.book.plan(start_ms, planned=next(hours.edges(start_ms))[1])
            if spec.compressor:
                self._air.compressors.append(Compressor(body, spec.compressor, scenario.air.receiver_litres))
            else:
                body.on_air = self._air.use
                self._lives[name] = Machine(env, body, hours, operators, scenario.products)
            body.enter(start_ms, State.IDLE)
        self._connect()

    def _connect(self) -> None:
        """Lines: each first machine gets orders, each other one the parts of the machine before it."""
        shared = shared_jobs(self.scenario)
        placed = set()
        for line, spec in self.scenario.lines.items():
            buffers = [Buffer(self._env, size) for size in spec.buffers]
            backlog = self._backlog(line, spec.machines[0][0], shared)
            for number, station in enumerate(spec.machines):
                for name in station:
                    machine = self._lives[name]
                    machine.feed = buffers[number - 1] if number else backlog
                    machine.out = buffers[number] if number < len(buffers) else None
                    machine.is_first = number == 0
                    placed.add(name)
        for name, machine in self._lives.items():
            if name not in placed:
                machine.feed = self._backlog(name, name, shared)

    def _backlog(self, line: str, first: str, shared: Iterator[Job]) -> Backlog:
        product = self.machines[first].product or ""
        return Backlog(self._env, jobs_of(self.scenario, line, shared, product), line, self.ledger)


def _book(scenario: Scenario, spec: MachineSpec) -> MachineLedger:
    """An empty book with the machine's ideal times and the flows that it will have."""
    book = MachineLedger()
    book.flows = {carrier: Steps() for carrier in (*spec.uses, *(["air"] if spec.compressor else []))}
    if spec.ideal_cycle is not None:
        factors = {"": 1.0, **{name: product.cycle for name, product in scenario.products.items()}}
        book.ideal_s = {name: spec.ideal_cycle * factor for name, factor in factors.items()}
    return book

"""The plant as a pure discrete-event model: same seed, same plant, to the last part; no clock and no I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from random import Random

from simulators.ledger import Ledger, MachineLedger, State


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a stop: a state that lasts a uniformly drawn time."""

    state: State
    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason not to produce.

    `every_s` is the mean *producing* time between two of them, gamma distributed: `regularity` 1 is memoryless
    (breakdowns, starvation), 20 and more comes almost on time (set-ups).
    """

    every_s: float
    phases: tuple[Phase, ...]
    regularity: float = 1.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is like; `cycle_s` is the mean of its real cycles, `ideal_cycle_s` is never quite reached."""

    name: str
    ideal_cycle_s: float
    cycle_s: float
    scrap_probability: float
    power_kw: Mapping[State, float]
    stops: tuple[Stop, ...] = ()
    cycle_spread: float = 0.04
    power_spread: float = 0.03


@dataclass(frozen=True, slots=True)
class StateChange:
    """A machine entered a state and draws `watts` from then on."""

    machine: str
    at_ms: int
    state: State
    watts: int


@dataclass(frozen=True, slots=True)
class Part:
    """A machine completed a part whose cycle took `cycle_s` of producing time."""

    machine: str
    at_ms: int
    good: bool
    cycle_s: float


Event = StateChange | Part


class Plant:
    """Machines that stand idle until `start`, then live by their seed until `freeze`; `ledger` books everything."""

    def __init__(self, seed: int, machines: tuple[Machine, ...], start_ms: int) -> None:
        self.machines = {machine.name: machine for machine in machines}
        self.ledger = Ledger(seed, start_ms, start_ms, machines={name: MachineLedger() for name in self.machines})
        self._lives: list[Iterator[Event]] = []
        # one event per machine, the next it will have; the index decides between equal times
        self._next: list[tuple[int, int, Event]] = []
        for name, machine in self.machines.items():
            self._record(StateChange(name, start_ms, State.IDLE, round(1000 * machine.power_kw[State.IDLE])))

    @property
    def now_ms(self) -> int:
        """How far the plant has been simulated."""
        return self.ledger.until_ms

    @property
    def next_ms(self) -> int | None:
        """When the next event will happen, or None when nothing is going to."""
        return self._next[0][0] if self._next else None

    def start(self, at_ms: int) -> None:
        """Let all machines begin to produce at `at_ms`, which must not be in the plant's past.

        Raises:
            ValueError: already started, frozen, or `at_ms` has passed.
        """
        if self._lives or self.ledger.frozen or at_ms <= self.now_ms:
            raise ValueError("a plant starts once, later than what it has lived through, and not after it was frozen")
        seed = self.ledger.seed
        self._lives = [life(machine, Random(f"{seed}/{name}"), at_ms) for name, machine in self.machines.items()]
        self._next = [(at_ms, index, next(events)) for index, events in enumerate(self._lives)]
        heapify(self._next)

    def advance(self, to_ms: int) -> list[Event]:
        """Simulate up to and including `to_ms`; the events in time order, booked. A time in the past does nothing."""
        events = []
        while self._next and self._next[0][0] <= to_ms:
            _, index, event = self._next[0]
            self._record(event)
            events.append(event)
            following = next(self._lives[index])
            heapreplace(self._next, (following.at_ms, index, following))
        if not self.ledger.frozen:
            self.ledger.until_ms = max(self.now_ms, to_ms)
        return events

    def freeze(self) -> None:
        """Stop time where the plant stands: states and counts stay, no power is drawn any more."""
        while self._next:
            heappop(self._next)
        for book in self.ledger.machines.values():
            book.draw(self.now_ms, 0)
        self.ledger.frozen = True

    def _record(self, event: Event) -> None:
        book = self.ledger.machines[event.machine]
        if isinstance(event, Part):
            book.finish(event.at_ms, good=event.good)
        else:
            book.enter(event.at_ms, event.state)
            book.draw(event.at_ms, event.watts)


def life(machine: Machine, rng: Random, start_ms: int) -> Iterator[Event]:
    """A machine's endless life from `start_ms` on: cycles, interrupted by whichever of its stops is due next.

    A stop pauses the cycle, which goes on afterwards. A part and a state change never share a millisecond, so a part
    always belongs to the EXECUTE interval around it.
    """
    now = start_ms
    due = [_producing_ms(stop, rng) for stop in machine.stops]
    cycle = left = _cycle_ms(machine, rng)
    yield _change(machine, rng, now, State.EXECUTE)
    while True:
        run = min(due, default=left + 1)
        if left < run:
            now, due = now + left, [wait - left for wait in due]
            yield Part(machine.name, now, rng.random() >= machine.scrap_probability, cycle / 1000)
            cycle = left = _cycle_ms(machine, rng)
            continue
        stop = due.index(run)
        now, left, due = now + run, max(1, left - run), [max(1, wait - run) for wait in due]
        for phase in machine.stops[stop].phases:
            yield _change(machine, rng, now, phase.state)
            now += max(1, round(1000 * rng.uniform(phase.shortest_s, phase.longest_s)))
        due[stop] = _producing_ms(machine.stops[stop], rng)
        yield _change(machine, rng, now, State.EXECUTE)


def _producing_ms(stop: Stop, rng: Random) -> int:
    return max(1, round(1000 * rng.gammavariate(stop.regularity, stop.every_s / stop.regularity)))


def _cycle_ms(machine: Machine, rng: Random) -> int:
    cycle_s = rng.gauss(machine.cycle_s, machine.cycle_spread * machine.cycle_s)
    return max(1, round(1000 * max(machine.ideal_cycle_s, cycle_s)))


def _change(machine: Machine, rng: Random, at_ms: int, state: State) -> StateChange:
    share = rng.uniform(1 - machine.power_spread, 1 + machine.power_spread)
    return StateChange(machine.name, at_ms, state, round(1000 * machine.power_kw[state] * share))

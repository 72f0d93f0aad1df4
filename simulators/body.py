"""What every machine has, whatever it does: a state, a power, flows; each change is booked and told."""

from collections.abc import Callable
from math import sqrt
from random import Random
from typing import Final

from simulators.events import Event, StateChange
from simulators.hours import FAR_MS
from simulators.machine_ledger import MachineLedger
from simulators.machine_models import MachineSpec, in_state
from simulators.quantities import Span
from simulators.states import State

DEFAULT_COS_PHI: Final = 0.92


class Ear:
    """Who wants to hear of events: nobody, or a list."""

    __slots__ = ("heard",)

    def __init__(self) -> None:
        self.heard: list[Event] | None = None


class Body:
    """A machine's state and what it draws; every random number is its own, so neighbours do not change its luck."""

    def __init__(self, name: str, spec: MachineSpec, book: MachineLedger, rng: Random, ear: Ear) -> None:
        self.name = name
        self.spec = spec
        self.book = book
        self.rng = rng
        self.state = State.IDLE
        self.changed_ms = 0
        self.power_factor = 1.0
        self.on_air: Callable[[int, int], None] | None = None
        self._ear = ear
        self._wander_ms = FAR_MS if spec.load else round(1000 * spec.wander)
        self.wanders_ms = FAR_MS
        self._mean_w = 0.0
        self._tan_phi = {state: _tan_phi(in_state(spec.cos_phi, state) or DEFAULT_COS_PHI) for state in State}

    def enter(self, now_ms: int, state: State, cycle: tuple[int, int] = (0, 0)) -> None:
        """Be in a state from now on; `cycle` is how long the whole cycle and what is left of it take, in ms."""
        self.book.enter(now_ms, state)
        self.state, self.changed_ms = state, now_ms
        self._mean_w = self.spec.watts(state) * (self.power_factor if state is State.EXECUTE else 1.0)
        for carrier, table in self.spec.uses.items():
            self.flow(now_ms, carrier, round(in_state(table, state)))
        if state is not State.EXECUTE:
            self._draw(now_ms, self._vary())
        elif self.spec.load:
            self.draw_cycle(now_ms, *cycle)
        else:
            self._start_up(now_ms)
        if self._ear.heard is not None:
            self._ear.heard.append(StateChange(self.name, now_ms, state, self.book.power.rate_at(now_ms)))

    def draw_cycle(self, now_ms: int, cycle_ms: int, left_ms: int) -> None:
        """Foresee the powers of what is left of a cycle; a change before its end makes them void."""
        watts, at_ms = self._vary(), now_ms + left_ms
        steps = []
        for load in reversed(self.spec.load):
            at_ms -= round(cycle_ms * load.share)
            steps.append((at_ms, round(watts * load.power)))
            if at_ms <= now_ms:
                break
        steps[-1] = now_ms, steps[-1][1]
        for begin_ms, share_w in reversed(steps):
            self._draw(begin_ms, share_w)

    def wander(self, now_ms: int) -> None:
        """Producing power is never quite the same for long: due from `wanders_ms` on."""
        self._draw(now_ms, self._vary())

    def flow(self, now_ms: int, carrier: str, ml_per_min: int) -> None:
        """Use (a compressor: deliver) so much from now on."""
        steps = self.book.flows[carrier]
        before = steps.rate_at(now_ms)
        steps.step(now_ms, ml_per_min)
        if carrier == "air" and self.on_air and before != ml_per_min:
            self.on_air(now_ms, ml_per_min - before)

    def tell(self, event: Event) -> None:
        """Say what happened to who listens."""
        if self._ear.heard is not None:
            self._ear.heard.append(event)

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return self._ear.heard is not None

    def lasts_ms(self, span: Span) -> int:
        """How long something lasts this time."""
        return max(1, round(1000 * _drawn_s(span, self.rng)))

    def _start_up(self, now_ms: int) -> None:
        """Producing power after its short peak, which a change before its end cuts off."""
        watts = self._vary()
        if inrush := self.spec.inrush:
            self._draw(now_ms, round(watts * inrush.factor))
            now_ms += max(1, round(1000 * inrush.lasts))
        self._draw(now_ms, watts)

    def _draw(self, at_ms: int, watts: int) -> None:
        self.book.power.step(at_ms, watts)
        self.book.reactive.step(at_ms, round(watts * self._tan_phi[self.state]))
        self.wanders_ms = at_ms + self._wander_ms

    def _vary(self) -> int:
        spread = self.spec.power_spread
        return round(self._mean_w * self.rng.uniform(1 - spread, 1 + spread))


def _drawn_s(span: Span, rng: Random) -> float:
    if span.shape == "even":
        return rng.uniform(span.mean * (1 - span.spread), span.mean * (1 + span.spread))
    if span.spread == 0:
        return span.mean
    shape = 1 / span.spread**2
    return rng.gammavariate(shape, span.mean / shape)


def _tan_phi(cos_phi: float) -> float:
    return sqrt(1 - cos_phi**2) / cos_phi

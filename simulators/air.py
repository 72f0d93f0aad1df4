"""Compressed air: what machines and leaks take from the receiver, and the compressors that fill it again."""

from collections.abc import Callable
from functools import partial

from simpy import Event

from simulators.body import Body
from simulators.hours import FAR_MS
from simulators.machine_models import CompressorSpec
from simulators.plant_models import AirSpec
from simulators.states import State
from simulators.timeline import Timeline

_PER_BAR_LITRE = 1000 * 60_000
"""A litre of receiver holds 1000 mL of free air per bar; levels are mL/min·ms, like the sums of flows: exact."""


class Compressor:
    """Loads and unloads between two pressures: EXECUTE loaded, IDLE running unloaded, STOPPED motor off."""

    def __init__(self, body: Body, spec: CompressorSpec, receiver_litres: float) -> None:
        self.body = body
        self.delivers = round(spec.delivers)
        self.bottom, self.top = (round(bar * receiver_litres * _PER_BAR_LITRE) for bar in spec.bar)
        self.off_ms = round(1000 * spec.off)

    @property
    def is_loaded(self) -> bool:
        """Whether it delivers."""
        return self.body.state is State.EXECUTE

    def enter(self, now_ms: int, state: State) -> None:
        """Be in a state from now on."""
        self.body.flow(now_ms, "air", self.delivers if state is State.EXECUTE else 0)
        self.body.enter(now_ms, state)


class AirNet:
    """One receiver; whatever changes what flows in or out says so by `use`."""

    def __init__(self, env: Timeline, spec: AirSpec) -> None:
        self.compressors: list[Compressor] = []
        self._env = env
        self._demand = round(spec.leak)
        self._level = 0
        self._settled_ms = FAR_MS  # nothing flows before the plant begins
        self._turn = 0

    def begin(self, now_ms: int) -> None:
        """Begin with a full receiver."""
        self._level = max((compressor.top for compressor in self.compressors), default=0)
        self._settled_ms = now_ms
        for compressor in self.compressors:
            self._later(compressor.off_ms, partial(self._switch_off, compressor))
        self._control()

    def use(self, now_ms: int, more: int) -> None:
        """So many mL/min more are taken from now on."""
        self._settle(now_ms)
        self._demand += more
        if self.compressors and now_ms >= self._settled_ms:
            self._plan()

    @property
    def _net(self) -> int:
        return sum(each.delivers for each in self.compressors if each.is_loaded) - self._demand

    def _settle(self, now_ms: int) -> None:
        if now_ms > self._settled_ms:
            self._level = max(0, self._level + self._net * (now_ms - self._settled_ms))
            self._settled_ms = now_ms

    def _control(self, _: Event | None = None) -> None:
        """Load who is below its band, unload who is above."""
        now_ms = self._env.now
        self._settle(now_ms)
        if any(compressor.body.changed_ms == now_ms for compressor in self.compressors):
            self._later(1, self._control)  # one change in one millisecond
            return
        for compressor in self.compressors:
            if not compressor.is_loaded and self._level <= compressor.bottom:
                compressor.enter(now_ms, State.EXECUTE)
            elif compressor.is_loaded and self._level >= compressor.top:
                compressor.enter(now_ms, State.IDLE)
                self._later(compressor.off_ms, partial(self._switch_off, compressor))
        self._plan()

    def _plan(self) -> None:
        """Look again when the level will next reach an edge of a band."""
        net = self._net
        self._turn += 1
        if net > 0:
            ways = [each.top - self._level for each in self.compressors if each.is_loaded]
        else:
            ways = [self._level - each.bottom for each in self.compressors if not each.is_loaded]
        ahead = [way for way in ways if way > 0]
        if net and ahead:
            turn = self._turn
            self._later(-(-min(ahead) // abs(net)), lambda _: self._control() if turn == self._turn else None)

    def _switch_off(self, compressor: Compressor, _: Event) -> None:
        now_ms = self._env.now
        idle_ms = now_ms - compressor.body.changed_ms
        if compressor.body.state is State.IDLE and idle_ms >= compressor.off_ms:
            compressor.enter(now_ms, State.STOPPED)

    def _later(self, after_ms: int, then: Callable[[Event], None]) -> None:
        event = self._env.timeout(max(1, after_ms))
        assert event.callbacks is not None
        event.callbacks.append(then)

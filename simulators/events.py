"""What a plant tells while it lives; every event has its machine and its exact millisecond."""

from dataclasses import dataclass

from simulators.states import State


@dataclass(frozen=True, slots=True)
class StateChange:
    """A machine entered a state and draws `watts` from then on."""

    machine: str
    at_ms: int
    state: State
    watts: int


@dataclass(frozen=True, slots=True)
class Part:
    """A machine completed a part whose cycle took `cycle_s` of producing time.

    A part is good, or it goes to the rework bench, or it is scrap.
    """

    machine: str
    at_ms: int
    good: bool
    cycle_s: float
    rework: bool = False
    product: str = ""
    order: str = ""

    @property
    def scrap(self) -> bool:
        """Neither good nor for rework."""
        return not (self.good or self.rework)


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A machine was told to make another product; its set-up, if it needs one, begins now."""

    machine: str
    at_ms: int
    product: str
    ideal_cycle_s: float


@dataclass(frozen=True, slots=True)
class OrderChange:
    """A machine begins to work on another order."""

    machine: str
    at_ms: int
    order: str
    product: str
    quantity: int


Event = StateChange | Part | ProductChange | OrderChange

"""What the plant shows at one moment: a machine's panel, and what its meter measures."""

from dataclasses import dataclass, field
from math import hypot

from simulators.states import State


@dataclass(slots=True)
class Electric:
    """What a meter measures; energies count from the plant's beginning."""

    watts: float = 0.0
    var: float = 0.0
    energy_wh: float = 0.0
    varh: float = 0.0

    @property
    def va(self) -> float:
        """Apparent power."""
        return hypot(self.watts, self.var)

    @property
    def cos_phi(self) -> float:
        """Active for each apparent power; 1 without a load."""
        return self.watts / self.va if self.va else 1.0


@dataclass(slots=True)
class Flow:
    """What a flow meter measures: compressed air, water, gas; the volume counts from the plant's beginning."""

    m3_per_min: float = 0.0
    m3: float = 0.0


@dataclass(slots=True)
class Panel:
    """What a machine shows: its state, what it has made and used since the plant's beginning.

    flows  by carrier: air, water, gas
    """

    state: State = State.IDLE
    total: int = 0
    good: int = 0
    scrap: int = 0
    rework: int = 0
    cycle_s: float = 0.0
    product: str = ""
    order: str = ""
    flows: dict[str, Flow] = field(default_factory=dict)
    electric: Electric = field(default_factory=Electric)


NO_FLOW = Flow()

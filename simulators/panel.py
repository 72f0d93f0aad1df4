"""What the plant shows at one moment: a machine's panel, and what its meter measures."""

from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from simulators.ledger import State

DEFAULT_COS_PHI: Final = 0.92


@dataclass(slots=True)
class Electric:
    """What a meter measures; energies count from the plant's beginning."""

    watts: float = 0.0
    energy_wh: float = 0.0
    cos_phi: float = DEFAULT_COS_PHI
    varh: float = 0.0

    @property
    def tan_phi(self) -> float:
        """Reactive for each active power."""
        return sqrt(1 - self.cos_phi**2) / self.cos_phi

    @property
    def var(self) -> float:
        """Reactive power."""
        return self.watts * self.tan_phi

    @property
    def va(self) -> float:
        """Apparent power."""
        return self.watts / self.cos_phi


@dataclass(slots=True)
class Panel:
    """What a machine shows: its state, what it has made and used since the plant's beginning."""

    state: State = State.IDLE
    total: int = 0
    good: int = 0
    scrap: int = 0
    rework: int = 0
    cycle_s: float = 0.0
    product: str = ""
    order: str = ""
    air_m3: float = 0.0
    water_m3: float = 0.0
    air_m3_per_min: float = 0.0
    running_s: float = 0.0
    electric: Electric = field(default_factory=Electric)

"""The `machines:` of a scenario; what is not said comes from the machine's kind (`kinds.yaml`)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from simulators.fields import Section
from simulators.quantities import Flow, Share, Span, Time, Watts
from simulators.states import State


def _state(name: object) -> State:
    if not isinstance(name, str) or name not in State.__members__:
        raise ValueError(f"no state {name!r}; these are {', '.join(State.__members__)}")
    return State[name]


StateName = Annotated[State, BeforeValidator(_state)]
Carrier = Literal["air", "water", "gas"]


def in_state(table: Mapping[State, float], state: State) -> float:
    """What a table says of a state; of a state that it does not name, what it says of IDLE, else 0."""
    return table.get(state, table.get(State.IDLE, 0.0))


class StopSpec(Section):
    """A reason not to produce.

    `every` is the mean *producing* time between two, gamma distributed: `regularity` 1 is memoryless (breakdowns), 20
    and more comes almost on time. `lasts` names the states it goes through and how long each lasts.
    """

    every: Time
    regularity: float = Field(1.0, gt=0)
    lasts: dict[StateName, Span] = Field(min_length=1)
    operator: bool = False

    @field_validator("lasts")
    @classmethod
    def _stands_still(cls, lasts: dict[State, Span]) -> dict[State, Span]:
        if State.EXECUTE in lasts:
            raise ValueError("a stop has other states than EXECUTE: in that one the machine produces")
        return lasts


class InrushSpec(Section):
    """The short peak when a machine begins to produce: `factor` times its producing power."""

    factor: float = Field(gt=1, le=10)
    lasts: Time = Field(alias="for")


class LoadStep(Section):
    """A part of a cycle that takes `share` of its time at `power` times the producing power."""

    share: Share
    power: float = Field(ge=0, le=10)


class ToolSpec(Section):
    """A tool wears with every part until it is changed: cycles grow by `slower`, scrap by the factor `scrap`."""

    life: int = Field(gt=0)
    slower: Share = 0.0
    scrap: float = Field(1.0, ge=1)
    change: Span


class CompressorSpec(Section):
    """A load/unload compressor: fills the air receiver up to the band's top, idles until it has fallen to its bottom.

    bar     the band in bar above atmosphere
    off     after so long unloaded (state IDLE) the motor stops
    """

    delivers: Flow
    bar: tuple[float, float]
    off: Time = 600.0

    @field_validator("bar")
    @classmethod
    def _rising(cls, bar: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bar[0] < bar[1]:
            raise ValueError("write the band as [lower, upper] in bar, like [6.8, 7.4]")
        return bar


class MachineSpec(Section):
    """What a machine is like; `cycle` is the mean of its real cycles, `ideal_cycle` is never quite reached."""

    kind: str
    ideal_cycle: Time | None = None
    cycle: Time | None = None
    cycle_spread: float = Field(0.04, ge=0, le=1)
    scrap: Share = 0.0
    rework: Share = 0.0
    product: str | None = None
    power: dict[StateName, Watts]
    power_spread: float = Field(0.03, ge=0, le=0.5)
    wander: Time = 120.0
    inrush: InrushSpec | None = None
    load: list[LoadStep] = []
    cos_phi: dict[StateName, float] = {}
    uses: dict[Carrier, dict[StateName, Flow]] = {}
    stops: dict[str, StopSpec] = {}
    setup: Span | None = None
    tool: ToolSpec | None = None
    hours: Literal["calendar", "always"] = "calendar"
    compressor: CompressorSpec | None = None

    def watts(self, state: State) -> float:
        """The mean power in a state; a state that is not named draws what IDLE does."""
        return in_state(self.power, state)

    @field_validator("power")
    @classmethod
    def _has_idle(cls, power: dict[State, float]) -> dict[State, float]:
        if State.IDLE not in power:
            raise ValueError("write at least the power of IDLE")
        return power

    @field_validator("load")
    @classmethod
    def _whole(cls, load: list[LoadStep]) -> list[LoadStep]:
        if load and abs(sum(step.share for step in load) - 1) > 1e-6:
            raise ValueError("the shares of the steps must add up to 1")
        return load

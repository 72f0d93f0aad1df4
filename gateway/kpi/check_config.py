"""The config of what is checked of an asset's readings, and of what is measured of its parts."""

from typing import Annotated

from pydantic import Field, model_validator

from gateway.fields import Duration, Section
from gateway.kpi.asset import Measure
from gateway.kpi.measures import SUBGROUPS
from gateway.kpi.state_config import TagName

_FINEST = 1e-6  # of the tolerance: the squares of an hour stay within 64 bits


class CheckConfig(Section):
    """What the readings of a role must keep to, in the unit of its tag."""

    min: float | None = None
    max: float | None = None
    flat_line: Duration | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "CheckConfig":
        if self.min is None and self.max is None and self.flat_line is None:
            raise ValueError("needs `min`, `max` or `flat_line`")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("`min` must be less than `max`")
        return self


class MeasureConfig(Section):
    """A dimension, weight, torque …: its tag gives one value per part, in the unit of its limits."""

    tag: TagName
    lsl: float | None = None
    usl: float | None = None
    subgroup: Annotated[int, Field(ge=SUBGROUPS[0], le=SUBGROUPS[1])] = 5
    resolution: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _has_limits(self) -> "MeasureConfig":
        if self.lsl is None and self.usl is None:
            raise ValueError("needs `lsl` or `usl`: the limits of the drawing")
        if self.lsl is None or self.usl is None:
            if self.resolution is None:
                raise ValueError("with one limit it needs `resolution`: the smallest difference that counts")
        elif self.lsl >= self.usl:
            raise ValueError("`lsl` must be less than `usl`")
        elif self.resolution is not None and self.resolution < _FINEST * (self.usl - self.lsl):
            raise ValueError("`resolution` must be at least a millionth of the tolerance")
        return self

    @property
    def measure(self) -> Measure:
        """What the engine needs of it."""
        tolerance = (self.usl or 0.0) - (self.lsl or 0.0)
        return Measure(self.lsl, self.usl, self.subgroup, self.resolution or _FINEST * tolerance)

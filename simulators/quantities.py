"""How a scenario writes powers, flows, shares and spans of time: text with a unit."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from simulators.fields import Duration, Section, parse_duration

_WATTS: Final = {"W": 1.0, "kW": 1e3, "MW": 1e6}
_ML_PER_MIN: Final = {"mL/min": 1.0, "L/min": 1e3, "m3/min": 1e6, "L/h": 1e3 / 60, "m3/h": 1e6 / 60}


def _measured(what: str, units: dict[str, float], example: str) -> BeforeValidator:
    """A reader of `<number><unit>`."""

    def read(text: object) -> float:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z0-9/]+)\s*", text) if isinstance(text, str) else None
        if not match or match[2] not in units:
            raise ValueError(
                f"{text!r} is not a {what}: write a number and a unit ({', '.join(units)}), like {example}"
            )
        return float(match[1]) * units[match[2]]

    return BeforeValidator(read)


def _share(text: object) -> object:
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if not match:
        raise ValueError(f"{text!r} is not a share: write 0.02 or 2%")
    return float(match[1]) / 100


Time = Annotated[Duration, Field(gt=0)]
"""Seconds, written with a unit, and not zero."""

Watts = Annotated[float, _measured("power", _WATTS, "450W or 22kW")]
"""Watts, written with a unit."""

Flow = Annotated[float, _measured("flow", _ML_PER_MIN, "300L/min or 1.2m3/h")]
"""Millilitres per minute, written with a unit."""

Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]
"""A number from 0 to 1, also written in %."""


class Span(Section):
    """How long something lasts.

    Written as `30s`, as `[10s, 40s]` (evenly between the two) or as `{mean: 20m, spread: 0.6}` (gamma distributed with
    `spread` as the standard deviation; both spreads are shares of the mean).
    """

    mean: Time
    spread: float = Field(0.0, ge=0, le=3)
    shape: Literal["gamma", "even"] = "gamma"

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"mean": value}
        if not isinstance(value, list):
            return value
        if len(value) != 2:
            raise ValueError(f"{value!r} is not a span: write [shortest, longest], like [10s, 40s]")
        shortest, longest = (parse_duration(text) for text in value)
        if not 0 < longest >= shortest:
            raise ValueError(f"{value!r}: the longest is shorter than the shortest")
        mean = (shortest + longest) / 2
        return {"mean": f"{mean:.6f}s", "spread": (longest - mean) / mean, "shape": "even"}

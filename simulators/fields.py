"""Field types of scenario files."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS_S: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Section(BaseModel):
    """A part of a scenario: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse_duration(text: object) -> float:
    """Seconds from `500ms`, `1.8s`, `5m`, `8h`, `7d`. ValueError: says what a duration looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\s*", text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, like 500ms, 1.8s, 5m, 8h or 7d")
    return float(match[1]) * _UNITS_S[match[2]]


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
"""A name that stands in topics, file names and configs."""

Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0)]
"""Seconds, written with a unit. Defaults in code are floats in seconds."""

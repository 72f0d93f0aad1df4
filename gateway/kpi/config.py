"""The config sections of the KPIs' lines and assets."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.fields import Duration, Name, Section
from gateway.kpi.check_config import CheckConfig, MeasureConfig
from gateway.kpi.state_config import StateConfig, TagName


def parse_rate(text: object) -> float:
    """Parts per hour from `400/h` or `7/min`. ValueError: says what a rate looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/\s*(h|min)\s*", text) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is not a rate: write parts per hour or minute, like 400/h or 7/min")
    return float(match[1]) * (60 if match[2] == "min" else 1)


_WATTS = {"W": 1, "kW": 1000, "MW": 1_000_000}


def parse_power(text: object) -> int:
    """Watts from `60kW`. ValueError: says what a power looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(W|kW|MW)\s*", text) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is not a power: write W, kW or MW, like 60kW")
    return max(1, round(float(match[1]) * _WATTS[match[2]]))


Power = Annotated[
    int, BeforeValidator(parse_power), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(W|kW|MW)$"})
]
Rate = Annotated[
    float, BeforeValidator(parse_rate), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(h|min)$"})
]


class LineConfig(Section):
    """A line: where it stands and how its assets make up its KPIs."""

    area: str = ""
    calendar: str = "default"
    flow: Literal["serial", "parallel"] = "parallel"
    constraint: Name | None = None
    last: Name | None = None

    @model_validator(mode="after")
    def _serial_names_its_constraint(self) -> "LineConfig":
        if self.flow == "serial" and self.constraint is None:
            raise ValueError("a serial line needs `constraint`: the asset that limits it")
        if self.flow == "parallel" and self.constraint is not None:
            raise ValueError("`constraint` is for a serial line: add `flow: serial`, or remove it")
        if self.flow == "parallel" and self.last is not None:
            raise ValueError("`last` is for a serial line: add `flow: serial`, or remove it")
        return self


def _short(value: object) -> object:
    return {"tag": value} if isinstance(value, str) else value


class CountConfig(Section):
    """Where a count comes from."""

    tag: TagName | None = None
    kind: Literal["counter", "increment", "pulse", "booked"] = "counter"
    rolls_over_at: Annotated[int, Field(gt=1)] | None = None
    max_rate: Rate | None = None

    @model_validator(mode="after")
    def _has_a_tag(self) -> "CountConfig":
        if (self.tag is None) != (self.kind == "booked"):
            raise ValueError("a booked count has no tag: people book it" if self.tag else "needs a `tag`")
        if self.rolls_over_at is not None and self.kind != "counter":
            raise ValueError(f"`rolls_over_at` is for a counter, not for {self.kind}s")
        return self


Count = Annotated[CountConfig, BeforeValidator(_short, json_schema_input_type=str | CountConfig)]


class AssetConfig(Section):
    """What a machine has; every KPI that follows from it is computed.

    Tag names are relative to the asset (`good_count` is `<asset>/good_count`) unless they contain a `/`.
    """

    line: Name | None = None
    calendar: str | None = None
    state: StateConfig | None = None
    minor_stop: Duration | None = None
    total: Count | None = None
    good: Count | None = None
    scrap: Count | None = None
    rework: Count | None = None
    inspected: Count | None = None
    passed: Count | None = None
    startup: TagName | None = None
    product: TagName | None = None
    order: TagName | None = None
    energy: dict[Literal["electricity"], TagName] = Field(default_factory=dict)
    power: TagName | None = None
    max_power: Power | None = None
    alive: TagName | None = None
    ideal_cycle_time: Duration | None = None
    rated: Rate | None = None
    takt_time: Duration | None = None
    target: Rate | None = None
    measures: dict[Name, MeasureConfig] = Field(default_factory=dict)
    checks: dict[str, CheckConfig] = Field(default_factory=dict)

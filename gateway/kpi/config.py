"""The config sections of the KPIs: `calendars`, `lines`, `assets`."""

import re
from datetime import date
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from gateway.fields import Duration, Name, Section

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Span(NamedTuple):
    """A stretch of local wall time in minutes after midnight; `end_min` is above 1440 where it runs over midnight."""

    start_min: int
    end_min: int


def parse_span(text: object) -> Span:
    """A span from `06:00-14:00`. ValueError: says what a span looks like."""
    match = re.fullmatch(r"\s*(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)\s*", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is not a span of time: write it like "06:00-14:00", in quotes')
    hours_a, minutes_a, hours_b, minutes_b = map(int, match.groups())
    start, end = 60 * hours_a + minutes_a, 60 * hours_b + minutes_b
    if start >= 1440 or end > 1440 or max(minutes_a, minutes_b) > 59:
        raise ValueError(f"{text!r} is not a span of time: hours go from 00:00 to 24:00")
    return Span(start, end if end > start else end + 1440)


def parse_days(value: object) -> frozenset[int]:
    """Weekdays (0 = Monday) from `mon-sat`, `sun` or a list of names. ValueError: says which name is no weekday."""
    if isinstance(value, frozenset):
        return value
    found: set[int] = set()
    for item in [value] if isinstance(value, str) else value if isinstance(value, list) else [None]:
        first, _, last = str(item).strip().lower().partition("-")
        try:
            start, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last or first)
        except ValueError:
            raise ValueError(f"{item!r} are not weekdays: write mon-sat, or a list like [mon, tue, wed]") from None
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(found)


def parse_rate(text: object) -> float:
    """Parts per hour from `400/h` or `7/min`. ValueError: says what a rate looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/\s*(h|min)\s*", text) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is not a rate: write parts per hour or minute, like 400/h or 7/min")
    return float(match[1]) * (60 if match[2] == "min" else 1)


_SPAN_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^\d\d?:\d\d-\d\d?:\d\d$", "examples": ["06:00-14:00"]})
SpanField = Annotated[Span, BeforeValidator(parse_span), _SPAN_SCHEMA]
Days = Annotated[
    frozenset[int],
    BeforeValidator(parse_days),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"enum": list(_WEEKDAYS)}}]}),
]
Rate = Annotated[
    float, BeforeValidator(parse_rate), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(h|min)$"})
]
RawState = str | bool | int | float
TagName = Annotated[str, Field(min_length=1)]


class CalendarConfig(Section):
    """When work is planned, in the site's local time. Without shifts: all day on these days."""

    days: Days = frozenset(range(7))
    shifts: dict[Name, SpanField] = Field(default_factory=dict)
    breaks: tuple[SpanField, ...] = ()
    holidays: tuple[date, ...] = ()

    @field_validator("shifts")
    @classmethod
    def _apart(cls, shifts: dict[str, Span]) -> dict[str, Span]:
        order = sorted(shifts.items(), key=lambda item: item[1])
        for (name, span), (other, following) in zip(order, order[1:] + order[:1], strict=True):
            start = following.start_min + (1440 if following.start_min <= span.start_min else 0)
            if span.end_min > start:
                raise ValueError(f"shifts {name!r} and {other!r} overlap")
        return shifts


class LineConfig(Section):
    """A line: where it stands and how its assets make up its KPIs."""

    area: str = ""
    calendar: str = "default"
    flow: Literal["serial", "parallel"] = "parallel"
    constraint: Name | None = None

    @model_validator(mode="after")
    def _serial_names_its_constraint(self) -> "LineConfig":
        if self.flow == "serial" and self.constraint is None:
            raise ValueError("a serial line needs `constraint`: the asset that limits it")
        if self.flow == "parallel" and self.constraint is not None:
            raise ValueError("`constraint` is for a serial line: add `flow: serial`, or remove it")
        return self


class StateConfig(Section):
    """Which raw states of the tag belong to which class of time."""

    tag: TagName
    producing: tuple[RawState, ...] = ()
    setup: tuple[RawState, ...] = ()
    fault: tuple[RawState, ...] = ()
    idle: tuple[RawState, ...] = ()
    blocked: tuple[RawState, ...] = ()
    starved: tuple[RawState, ...] = ()
    planned_stop: tuple[RawState, ...] = ()


class AssetConfig(Section):
    """What a machine has; every KPI that follows from it is computed.

    Tag names are relative to the asset (`good_count` is `<asset>/good_count`) unless they contain a `/`.
    """

    line: Name | None = None
    calendar: str | None = None
    state: StateConfig | None = None
    total: TagName | None = None
    good: TagName | None = None
    scrap: TagName | None = None
    energy: dict[Literal["electricity"], TagName] = Field(default_factory=dict)
    power: TagName | None = None
    alive: TagName | None = None
    ideal_cycle_time: Duration | None = None
    target: Rate | None = None

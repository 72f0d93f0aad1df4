"""The config section `calendars`: shifts, breaks, holidays, exceptions, planned maintenance."""

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from gateway.fields import Name, Section
from gateway.walltime import Clock, Days, Span, SpanField

_DAY_MIN: Final = 1440


def _off(value: object) -> object:
    """`off` is a day without shifts, `on` one with the usual ones."""
    words: Mapping[object, object] = {"off": {"shifts": {}}, "on": {}}
    return words.get(value, value) if isinstance(value, str) else value


def _short(span: Span) -> Span:
    if span.end_min - span.start_min >= _DAY_MIN:
        raise ValueError("a break that ends when it begins would last all day: use `holidays` or `exceptions`")
    return span


Break = Annotated[SpanField, AfterValidator(_short)]


class ExceptionConfig(Section):
    """One date that is not like others of its weekday; what it does not name is as usual."""

    shifts: dict[Name, SpanField] | None = None
    breaks: tuple[Break, ...] | None = None


class MaintenanceConfig(Section):
    """A window of planned maintenance: on some weekdays, or on one date."""

    days: Days | None = None
    on: date | None = None
    at: SpanField

    @model_validator(mode="after")
    def _when(self) -> "MaintenanceConfig":
        if (self.days is None) == (self.on is None):
            raise ValueError("write either `days` (every week) or `on` (one date)")
        return self


class CalendarConfig(Section):
    """When work is planned, in the site's local time. Without shifts: all day on these days."""

    days: Days = frozenset(range(7))
    shifts: dict[Name, SpanField] = Field(default_factory=dict)
    breaks: tuple[Break, ...] = ()
    holidays: tuple[date, ...] = ()
    exceptions: dict[date, Annotated[ExceptionConfig, BeforeValidator(_off)]] = Field(default_factory=dict)
    maintenance: tuple[MaintenanceConfig, ...] = ()
    day_start: Clock | None = None

    @field_validator("shifts")
    @classmethod
    def _apart(cls, shifts: dict[str, Span]) -> dict[str, Span]:
        order = sorted(shifts.items(), key=lambda item: item[1])
        _must_be_apart(zip(order, order[1:] + order[:1], strict=True))
        return shifts

    @field_validator("exceptions")
    @classmethod
    def _exceptions_apart(cls, exceptions: "dict[date, ExceptionConfig]") -> "dict[date, ExceptionConfig]":
        for one in exceptions.values():
            _must_be_apart(pairwise(sorted((one.shifts or {}).items(), key=lambda item: item[1])))
        return exceptions


def _must_be_apart(pairs: "Iterable[tuple[tuple[str, Span], tuple[str, Span]]]") -> None:
    for (name, span), (other, following) in pairs:
        start = following.start_min + (1440 if following.start_min <= span.start_min else 0)
        if span.end_min > start:
            raise ValueError(f"shifts {name!r} and {other!r} overlap")

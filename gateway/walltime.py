"""Local wall time as people write it: times and spans of a day, weekdays."""

import re
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

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


_SPAN_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^\d\d?:\d\d-\d\d?:\d\d$", "examples": ["06:00-14:00"]})
SpanField = Annotated[Span, BeforeValidator(parse_span), _SPAN_SCHEMA]
Days = Annotated[
    frozenset[int],
    BeforeValidator(parse_days),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"enum": list(_WEEKDAYS)}}]}),
]


def parse_clock(text: object) -> int:
    """Minutes after midnight from `06:00`. ValueError: says what a time of day looks like."""
    match = re.fullmatch(r"\s*([01]?\d|2[0-3]):([0-5]\d)\s*", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{text!r} is not a time of day: write it like "06:00", in quotes')
    return 60 * int(match[1]) + int(match[2])


Clock = Annotated[int, BeforeValidator(parse_clock), WithJsonSchema({"type": "string", "pattern": r"^\d\d?:\d\d$"})]

"""MQTT payloads → readings: pure; JSON by path, or the whole payload as text."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from gateway.model import GOOD, BatchBuilder, Reason, TagType, bad, uncertain

MAX_DEPTH: Final = 32
MAX_TEXT: Final = 4096  # characters of one text reading
NS_PER: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = re.compile(
    r"""\.(?P<name>[^.\[\]"'\s]+)|\[(?P<index>\d{1,6})\]|\[(?P<quote>["'])(?P<quoted>.+?)(?P=quote)\]"""
)

Path = tuple[str | int, ...]


class _Missing:
    """No value at a path; unlike JSON's null, no payload can contain it."""


_MISSING: Final = _Missing()


def parse_path(text: str) -> Path:
    """The steps of a payload path: `$` (the whole payload), `.name`, `["any name"]`, `[0]`. ValueError: says which.

    >>> parse_path("$.motor.phases[2]")
    ('motor', 'phases', 2)
    """
    steps: list[str | int] = []
    at = 1
    while text[:1] == "$" and at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            break
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        at = step.end()
    if text[:1] != "$" or at != len(text):
        raise ValueError(f'{text!r} is not a payload path: write one like $, $.state, $.phases[0] or $["any name"].x')
    if len(steps) > MAX_DEPTH:
        raise ValueError(f"payload path {text!r} has more than {MAX_DEPTH} steps")
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class SourceTime:
    """Where a payload keeps its own time, and in which unit a number there counts."""

    path: Path
    unit: str  # a key of NS_PER; a text is ISO 8601 whatever the unit


@dataclass(frozen=True, slots=True)
class Point:
    """One tag's place in the payloads of a topic.

    wire       what the payload must hold there; INT: a whole number
    low, high  inclusive range that the declared type can hold exactly
    """

    tag: int
    path: Path
    wire: TagType
    low: float = -math.inf
    high: float = math.inf
    scale: float = 1.0
    offset: float = 0.0
    time: SourceTime | None = None


def extract(points: Sequence[Point], payload: bytes, received_ns: int, max_ahead_ns: int, into: BatchBuilder) -> str:
    """Adds one reading per point of a message; a point whose value is unfit becomes a bad reading beside good siblings.

    points        those of the message's topic
    payload       JSON; where every point is the whole payload as text, any UTF-8. On equal keys the last one counts
    received_ns   UTC of arrival, ns: the time of points without source time; where a source time is missing, cannot be
                  read or lies more than `max_ahead_ns` ahead of it, it stands in and the reading is uncertain (CLOCK)
    into          takes the readings
    Returns "" or the reason why the whole payload is rejected (nothing was added then).
    """
    if all(point.wire is TagType.TEXT and not point.path for point in points):
        document, reason = _plain_text(payload)
    else:
        document, reason = _parse(payload)
    if reason:
        return reason
    times: dict[SourceTime, int | None] = {}
    for point in points:
        time_ns, quality = received_ns, GOOD
        if point.time is not None:
            if point.time not in times:
                times[point.time] = source_time(lookup(document, point.time.path), point.time.unit)
            own = times[point.time]
            if own is None or own - received_ns > max_ahead_ns:
                quality = uncertain(Reason.CLOCK)
            else:
                time_ns = own
        _add(point, lookup(document, point.path), time_ns, quality, into)
    return ""


def lookup(document: Any, path: Path) -> Any:
    """What a parsed payload holds at a path."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return _MISSING
        elif not isinstance(document, list) or step >= len(document):
            return _MISSING
        document = document[step]
    return document


def source_time(raw: Any, unit: str) -> int | None:
    """UTC in ns since 1970 from a payload's own time; None where it cannot be one.

    raw   a number since 1970 in `unit` (s, ms, us, ns), or a text in ISO 8601 with its offset from UTC
    """
    if isinstance(raw, str):
        return _iso(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < 2**63:
        return None
    exact = raw * NS_PER[unit]
    time_ns = exact if isinstance(exact, int) else round(exact / 1000) * 1000  # a float resolves about 1 µs of today
    return time_ns if 0 < time_ns < 2**63 else None


def shown(payload: bytes, path: Path) -> str:
    """The part of a payload at a path, as text for people."""
    document, reason = _parse(payload)
    value = None if reason else lookup(document, path)
    if reason or value is _MISSING:
        return payload[:200].decode(errors="replace")
    return json.dumps(value)[:200]


def _iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # whose local time it would be is a guess
        return None
    time_ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return time_ns if time_ns > 0 else None


def _add(point: Point, raw: Any, time_ns: int, quality: int, into: BatchBuilder) -> None:
    if point.wire is TagType.TEXT:
        text, reason = _text(raw)
        into.add_text(point.tag, time_ns, text, bad(reason) if reason else quality)
    else:
        value, reason = _number(point, raw)
        into.add(point.tag, time_ns, value, bad(reason) if reason else quality)


def _text(raw: Any) -> tuple[str, Reason]:
    if raw is _MISSING or raw is None:
        return "", Reason.MISSING
    if not isinstance(raw, str) or (not raw.isascii() and any("\ud800" <= char <= "\udfff" for char in raw)):
        return "", Reason.WRONG_TYPE
    if len(raw) > MAX_TEXT:
        return "", Reason.OUT_OF_RANGE
    return raw, Reason.NONE


def _number(point: Point, raw: Any) -> tuple[float, Reason]:
    if raw is _MISSING or raw is None:
        return math.nan, Reason.MISSING
    if point.wire is TagType.BOOL:
        return (float(raw), Reason.NONE) if raw in (0, 1) and isinstance(raw, int) else (math.nan, Reason.WRONG_TYPE)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return math.nan, Reason.WRONG_TYPE
    if raw != raw:
        return math.nan, Reason.NOT_A_NUMBER
    if not point.low <= raw <= point.high:
        return math.nan, Reason.OUT_OF_RANGE
    if point.wire is TagType.INT and raw != int(raw):
        return math.nan, Reason.WRONG_TYPE
    value = raw * point.scale + point.offset
    return (value, Reason.NONE) if math.isfinite(value) else (math.nan, Reason.OUT_OF_RANGE)


def _plain_text(payload: bytes) -> tuple[Any, str]:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None, "not UTF-8 text"
    if text.startswith('"'):
        document, reason = _parse(payload)
        return (text if reason else document), ""
    return text, ""


def _parse(payload: bytes) -> tuple[Any, str]:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as exc:
        return _parse_leniently(payload, f"not JSON: {exc}")
    return _limited(document, payload)


def _parse_leniently(payload: bytes, reason: str) -> tuple[Any, str]:
    """For the many publishers that write NaN, Infinity or 1e999: their other values are still good."""
    try:
        document = json.loads(payload.decode())
    except RecursionError:
        return None, f"nested deeper than {MAX_DEPTH} levels"
    except ValueError:  # also of UTF-8 and of numbers with thousands of digits
        return None, reason
    return _limited(document, payload)


def _limited(document: Any, payload: bytes) -> tuple[Any, str]:
    if payload.count(b"[") + payload.count(b"{") > MAX_DEPTH and _deep(document):
        return None, f"nested deeper than {MAX_DEPTH} levels"
    return document, ""


def _deep(document: Any) -> bool:
    level = [document]  # all lists and objects at one depth
    for _ in range(MAX_DEPTH):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [child for children in inner for child in children if isinstance(child, dict | list)]
        if not level:
            return False
    return True

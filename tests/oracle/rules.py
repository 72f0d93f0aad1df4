"""What raw values mean, asked moment by moment: the oracle for `state:` of the config. See docs/kpi/states.md."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

PRIORITY = ("fault", "maintenance", "planned_stop", "setup", "blocked", "starved", "producing", "idle")
PACKML = {
    "producing": ("Execute", "Completing"),
    "fault": ("Clearing", "Aborting", "Aborted"),
    "starved": ("Suspended", "Suspending", "Unsuspending"),
    "setup": ("Starting",),
    "idle": ("Idle", "Stopping", "Stopped", "Resetting", "Holding", "Held", "Unholding", "Complete"),
}
Value = str | float | None
Readings = Mapping[int, Value]
"""ms → value; None: a bad reading."""
Step = Mapping[str, Any]


def classes(
    state: Step, tags: Mapping[str, Readings], from_ms: int, to_ms: int, horizon_ms: int
) -> list[tuple[int, str]]:
    """(from when, class) over a range; every tag holds its value until its next reading."""
    steps = state.get("first_of", [state])
    moments = {from_ms, *(at for readings in tags.values() for at in readings)}
    found: list[tuple[int, str]] = []
    for moment in sorted(at for at in moments if from_ms <= at < to_ms):
        kind = _asked(steps, tags, moment, horizon_ms)
        if not found or found[-1][1] != kind:
            found.append((moment, kind))
    return found


def _asked(steps: list[Step], tags: Mapping[str, Readings], moment: int, horizon_ms: int) -> str:
    for step in steps:
        readings = tags[step.get("tag") or step["counter"]]
        at = _last(readings, moment)
        if at is None or readings[at] is None:
            return "unknown"
        answer = _moving(step, readings, moment, horizon_ms) if "counter" in step else meaning(step, readings[at])
        if answer:
            return answer
    return "unknown"


def _last(readings: Readings, moment: int) -> int | None:
    times = sorted(readings)
    index = bisect_right(times, moment) - 1
    return times[index] if index >= 0 else None


def _moving(step: Step, readings: Readings, moment: int, horizon_ms: int) -> str:
    usable = [(at, value) for at, value in sorted(readings.items()) if isinstance(value, float)]
    growths = [at for (_, before), (at, value) in pairwise(usable) if value > before or 0 < value < before]
    before = [at for at in growths if at <= moment]
    after = [at for at in growths if at > moment] or [horizon_ms]
    moves = bool(before) and after[0] - before[-1] <= step["idle_after_ms"]
    return "producing" if moves else step.get("otherwise", "idle")


def meaning(step: Step, value: Value) -> str:
    """The class of a value, "" for none: plain values, then conditions in their order, then PackML, then the rest."""
    for kind in PRIORITY:
        if any(_equals(raw, value) for raw in _listed(step.get(kind, ()))):
            return kind
    for kind in PRIORITY:
        if any(_holds(raw, value) for raw in _listed(step.get(kind, ()))):
            return kind
    if step.get("map") == "packml":
        for kind, names in PACKML.items():
            if str(value).lower() in {name.lower() for name in names}:
                return kind
    return str(step.get("otherwise", ""))


def _listed(raw: Any) -> list[Any]:
    return list(raw) if isinstance(raw, list | tuple) else [raw]


def _equals(raw: Any, value: Value) -> bool:
    if isinstance(value, str):
        return isinstance(raw, str) and raw == value
    return not isinstance(raw, str) and float(raw) == value


def _holds(raw: Any, value: Value) -> bool:
    if not isinstance(raw, str) or not isinstance(value, float):
        return False
    if raw.startswith("bit "):
        return value >= 0 and bool(int(value) >> int(raw.split()[1]) & 1)
    if ".." in raw:
        low, high = (float(end) for end in raw.split(".."))
        return low <= value <= high
    sign, end = raw.split()
    return {">": value > float(end), ">=": value >= float(end), "<": value < float(end), "<=": value <= float(end)}[
        sign
    ]

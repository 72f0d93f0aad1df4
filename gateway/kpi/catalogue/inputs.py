"""What an asset must have for a bucket quantity to be counted."""

from collections.abc import Iterable, Mapping
from typing import Final

_TIMES: Final = ("producing", "setup", "idle", "fault", "blocked", "starved", "minor_stop", "unknown")
INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"time_{kind}": ("state",) for kind in _TIMES},
    **{f"energy_{kind}": ("state", "energy") for kind in (*_TIMES, "planned_stop", "maintenance", "unplanned")},
    "time_order": ("order",),
    "stops": ("state",),
    "minor_stops": ("state", "minor_stop"),
    "faults": ("state", "fault"),
    "ideal_total": ("total", "ideal"),
    "ideal_good": ("good", "ideal"),
    "ideal_startup": ("startup", "ideal"),
    "rated_total": ("rated", "total"),
    "takt_total": ("takt", "total"),
    "total": ("total",),
    "output": ("total",),
    "good": ("good",),
    "scrap": ("scrap",),
    "rework": ("rework",),
    "startup_scrap": ("startup",),
    "inspected": ("inspected",),
    "passed": ("passed",),
    "energy": ("energy",),
    **{f"dq_{count}": ("quality_rules",) for count in ("checked", "expected", "in", "time")},
}
"""Quantity → what it takes. One that is not here takes nothing but a calendar."""


def inputs_of(names: Iterable[str]) -> tuple[str, ...]:
    """What some quantities take, each once."""
    return tuple(dict.fromkeys(need for name in names for need in INPUTS.get(name, ())))

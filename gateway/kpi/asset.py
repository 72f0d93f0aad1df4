"""The model of an asset: roles bound to tags with their hold rules, state map, ideal time, calendar."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway.kpi.calendar import Calendar

COUNTS: Final = ("total", "good", "scrap")
ALIVE: Final = "alive"
FACT_ROLES: Final = ("state", *COUNTS, "energy", ALIVE)
"""Roles whose readings are kept as facts; `power` is shown live only."""


class TimeClass(IntEnum):
    """What a stretch of an asset's time was spent on. Numbers are stored: never renumber."""

    PRODUCING = 0
    SETUP = 1
    IDLE = 2
    FAULT = 3
    BLOCKED = 4
    STARVED = 5
    PLANNED_STOP = 6
    UNKNOWN = 7

    @property
    def label(self) -> str:
        """The word for it in tables and stores."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a value stays true after its reading.

    polled     true: until the next fact, at most 3 × `period_ms`; false: while the source's session was up
    period_ms  time between two polls, 0 where not polled
    session    tag id of `source/<name>/session`; -1: nobody watches the session, a value holds until the next fact
    source_time  readings carry the source's own time: what a kept session brings later tells about the time before
    """

    polled: bool
    period_ms: int = 0
    session: int = -1
    source_time: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """One role of an asset, bound to a tag.

    kind         `level` or `counter`
    modulus      a counter rolls over at this value of the tag; 0: never
    scale_to_si  the tag's value × this = parts (counts), mWh (energy), W (power)
    is_text      the value of a fact is `text_code(text)`
    """

    role: str
    tag: int
    kind: str = "level"
    modulus: int = 0
    scale_to_si: float = 1.0
    is_text: bool = False
    hold: Hold = Hold(polled=False)
    tag_name: str = ""


@dataclass(frozen=True, slots=True)
class AssetModel:
    """Everything that turns an asset's facts into numbers.

    state_map       raw state → class: the text itself, or a number as `number_text` writes it
    ideal_cycle_us  ideal time per part, None where the user gave none
    target_per_h    good parts wanted per planned hour, None where neither target nor ideal time is known
    hash            of everything that changes a number, see `fingerprint`
    """

    name: str
    bindings: Mapping[str, Binding]
    state_map: Mapping[str, TimeClass]
    ideal_cycle_us: int | None
    calendar: Calendar
    target_per_h: float | None = None
    line: str = ""
    hash: str = ""


def number_text(value: float) -> str:
    """A numeric state as the state map writes it: `3`, `2.5`."""
    return f"{value:.15g}"


def describe(model: AssetModel) -> str:
    """The model as canonical JSON, for the record that a minute's hash points to."""
    return json.dumps(_content(model), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def fingerprint(model: AssetModel) -> str:
    """16 hex digits over everything that changes a number; names of line and target do not."""
    return hashlib.sha256(describe(model).encode()).hexdigest()[:16]


def _content(model: AssetModel) -> dict[str, object]:
    return {
        "asset": model.name,
        "roles": {role: _binding(binding) for role, binding in model.bindings.items()},
        "states": {raw: time_class.label for raw, time_class in model.state_map.items()},
        "ideal_cycle_us": model.ideal_cycle_us,
        "calendar": model.calendar.describe(),
    }


def _binding(binding: Binding) -> dict[str, object]:
    return {
        "tag": binding.tag_name or binding.tag,
        "kind": binding.kind,
        "modulus": binding.modulus,
        "scale": binding.scale_to_si,
        "polled_ms": binding.hold.period_ms if binding.hold.polled else None,
        "source_time": binding.hold.source_time,
    }


def is_timed(model: AssetModel) -> bool:
    """Whether planned time is counted: an asset with nothing but meters has none."""
    return any(role in model.bindings for role in ("state", *COUNTS))

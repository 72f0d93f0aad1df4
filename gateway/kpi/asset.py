"""The model of an asset: roles bound to tags with their hold rules, state map, ideal time, calendar."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Final

from gateway.kpi.calendar import Calendar

COUNTS: Final = ("total", "good", "scrap")
MORE_COUNTS: Final = ("rework", "inspected", "passed")
ALIVE: Final = "alive"
POWER: Final = "power"
MEASURE: Final = "measure."


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
    MINOR_STOP = 8
    MAINTENANCE = 9

    @property
    def label(self) -> str:
        """The word for it in tables and stores."""
        return self.name.lower()


STOPS: Final = (TimeClass.IDLE, TimeClass.FAULT, TimeClass.BLOCKED, TimeClass.STARVED)
"""Classes that make a stop; a short one becomes MINOR_STOP."""


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

    kind          `level`, `counter`, `increment` (each reading is an amount), `pulse` (each non-zero one is a part),
                  `measure` (each is a value of its own) or `booked` (people count)
    modulus       a counter rolls over at this value of the tag; 0: never
    scale_to_si   the tag's value × this = parts (counts), mWh (energy), W (power)
    is_text       the value of a fact is `text_code(text)`
    min_cycle_us  parts follow each other no faster than this; 0: twice the ideal speed is the limit
    most_w        an energy register grows no faster than this power allows; 0: by any amount
    moves_ms      of a counter that makes the state: 1 while two growths are no further apart than this, else 0
    low, high     values of the tag outside of this are not accurate
    flat_ms       a value that stands still for longer is not clean; 0: it may
    """

    role: str
    tag: int
    kind: str = "level"
    modulus: int = 0
    scale_to_si: float = 1.0
    is_text: bool = False
    hold: Hold = Hold(polled=False)
    tag_name: str = ""
    min_cycle_us: int = 0
    moves_ms: int = 0
    most_w: int = 0
    low: float = -math.inf
    high: float = math.inf
    flat_ms: int = 0


@dataclass(frozen=True, slots=True)
class StateRule:
    """A value of `role` in [low, high] means `time_class`; with `bit` ≥ 0: this bit of the value is 1.

    label  what the state is called where the value itself says little; "": as the source wrote it
    """

    role: str
    time_class: TimeClass
    low: float = -math.inf
    high: float = math.inf
    bit: int = -1
    label: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured of parts.

    lsl, usl  lower and upper limit, None: there is none on this side
    subgroup  values in a subgroup
    step      values are counted in whole steps of this, from `origin` on
    """

    lsl: float | None
    usl: float | None
    subgroup: int
    step: float

    @property
    def origin(self) -> float:
        """One of the limits."""
        return self.lsl if self.lsl is not None else self.usl or 0.0


@dataclass(frozen=True, slots=True)
class AssetModel:
    """Everything that turns an asset's facts into numbers.

    state_map         raw state of the role `state` → class: the text itself, or a number as `number_text` writes it
    state_rules       for what the map does not say, the first that fits decides; roles `state`, or `state.1` …
    ideal_cycle_us    ideal time per part, None where the user gave none
    ideal_by_product  product → ideal time per part on this asset, which goes before `ideal_cycle_us`
    minor_stop_ms     a stop that is shorter is a minor stop; 0: none is
    reasons           reason code (`mechanical/bearing`) → class that it gives a stop; None: it leaves that as it is
    target_per_h      good parts wanted per planned hour, None where neither target nor ideal time is known
    rated_per_h       parts per hour that the equipment is rated for
    takt_us           time per part that the demand leaves
    measures          name → what is measured, by the role `measure.<name>`
    hash              of everything that changes a number, see `fingerprint`
    """

    name: str
    bindings: Mapping[str, Binding]
    state_map: Mapping[str, TimeClass]
    ideal_cycle_us: int | None
    calendar: Calendar
    target_per_h: float | None = None
    line: str = ""
    hash: str = ""
    state_rules: tuple[StateRule, ...] = ()
    ideal_by_product: Mapping[str, int] = field(default_factory=dict)
    minor_stop_ms: int = 0
    reasons: Mapping[str, TimeClass | None] = field(default_factory=dict)
    rated_per_h: float | None = None
    takt_us: int | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)


def number_text(value: float) -> str:
    """A numeric state as the state map writes it: `3`, `2.5`."""
    return f"{value:.15g}"


def fact_roles(model: AssetModel) -> tuple[str, ...]:
    """Roles whose readings are kept as facts; `power` is shown live only."""
    return tuple(role for role in model.bindings if role != POWER)


def state_roles(model: AssetModel) -> tuple[str, ...]:
    """Roles that make the state: `state`, or `state.1`, `state.2` … in the order of their numbers."""
    found = [role for role in model.bindings if role.partition(".")[0] == "state"]
    return tuple(sorted(found, key=lambda role: int(role.partition(".")[2] or 0)))


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
        "rules": [rule_fields(rule) for rule in model.state_rules],
        "ideal_cycle_us": model.ideal_cycle_us,
        "ideal_by_product": dict(model.ideal_by_product),
        "minor_stop_ms": model.minor_stop_ms,
        "reasons": {code: time_class.label for code, time_class in model.reasons.items() if time_class is not None},
        "rated_per_h": model.rated_per_h,
        "takt_us": model.takt_us,
        "measures": measure_fields(model),
        "calendar": model.calendar.describe(),
    }


def measure_fields(model: AssetModel) -> dict[str, dict[str, object]]:
    """The measures in JSON's types."""
    return {name: asdict(measure) for name, measure in model.measures.items()}


def checks_of(binding: Binding) -> list[float | None]:
    """Range and flat line in JSON's types; ends that are open are null."""
    return [*(None if math.isinf(end) else end for end in (binding.low, binding.high)), binding.flat_ms]


def rule_fields(rule: StateRule) -> dict[str, object]:
    """A rule in JSON's types; ends that are open are null."""
    low, high = (None if math.isinf(end) else end for end in (rule.low, rule.high))
    return {
        "role": rule.role,
        "class": rule.time_class.label,
        "low": low,
        "high": high,
        "bit": rule.bit,
        "label": rule.label,
    }


def _binding(binding: Binding) -> dict[str, object]:
    return {
        "tag": binding.tag_name or binding.tag,
        "kind": binding.kind,
        "modulus": binding.modulus,
        "scale": binding.scale_to_si,
        "polled_ms": binding.hold.period_ms if binding.hold.polled else None,
        "source_time": binding.hold.source_time,
        "min_cycle_us": binding.min_cycle_us,
        "moves_ms": binding.moves_ms,
        "most_w": binding.most_w,
        "checks": checks_of(binding),
        **({} if binding.hold.polled or binding.hold.session >= 0 else {"unwatched": True}),
    }


def is_timed(model: AssetModel) -> bool:
    """Whether planned time is counted: an asset with nothing but meters has none."""
    return bool(state_roles(model)) or any(role in model.bindings for role in COUNTS)

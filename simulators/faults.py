"""What goes wrong in a plant, and when: a pure timetable, the same for the same seed.

A rule names kinds, targets and times; a fault is one occurrence of one kind on one target. Targets are written
`machine/<name>`, `meter/<name>`, `face/<name>`, `broker` or `network`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import merge
from random import Random
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, model_validator

from simulators.fields import Duration, Section, parse_duration


class Kind(StrEnum):
    """What can go wrong."""

    SILENCE = "silence"
    SLOW = "slow"
    RESET = "reset"
    HALF_OPEN = "half-open"
    EXCEPTION = "exception"
    GARBAGE = "garbage"
    WRONG_TRANSACTION = "wrong-transaction"
    REBOOT = "reboot"
    REPLACED_METER = "replaced-meter"
    DEAD_METER = "dead-meter"
    CLOCK_JUMP = "clock-jump"
    DUPLICATE = "duplicate"
    LATE = "late"
    NETWORK_CUT = "network-cut"
    BROKER_RESTART = "broker-restart"


class Effect(StrEnum):
    """What a fault does to whoever reads the plant; booked in the ledger, so that a test knows what must be missing."""

    NONE = "none"  # nothing may be missing, doubled or wrong
    UNREAD = "unread"  # no reading of the target can be had in that time
    UNSENT = "unsent"  # what the target would have said in that time is never said
    DELAYED = "delayed"  # arrives later, with the time at which it happened; nothing is missing
    COUNTERS = "counters"  # unread, and at its end the target's counters begin anew
    UNCOUNTED = "uncounted"  # unread, and what was used in that time is in no register
    STAMPS = "stamps"  # the times that the target writes are off


MODBUS, MQTT = "modbus", "mqtt"
_DEVICES: Final = frozenset({"machine", "meter"})
_WIRE: Final = frozenset({"machine", "meter", "face"})


@dataclass(frozen=True, slots=True)
class Trait:
    """On which targets and faces a kind can happen, and with what effect by face."""

    targets: frozenset[str]
    effects: Mapping[str, Effect]


_READ: Final = {MODBUS: Effect.UNREAD}
TRAITS: Final[Mapping[Kind, Trait]] = {
    Kind.SILENCE: Trait(_WIRE, {MODBUS: Effect.UNREAD, MQTT: Effect.UNSENT}),
    Kind.SLOW: Trait(_WIRE, {MODBUS: Effect.DELAYED}),
    Kind.RESET: Trait(_WIRE, _READ),
    Kind.HALF_OPEN: Trait(_WIRE, _READ),
    Kind.EXCEPTION: Trait(_WIRE, _READ),
    Kind.GARBAGE: Trait(_WIRE, _READ),
    Kind.WRONG_TRANSACTION: Trait(_WIRE, _READ),
    Kind.REBOOT: Trait(frozenset({"machine"}), {MODBUS: Effect.COUNTERS, MQTT: Effect.COUNTERS}),
    Kind.REPLACED_METER: Trait(frozenset({"meter"}), {MODBUS: Effect.COUNTERS, MQTT: Effect.COUNTERS}),
    Kind.DEAD_METER: Trait(frozenset({"meter"}), {MODBUS: Effect.UNCOUNTED, MQTT: Effect.UNCOUNTED}),
    Kind.CLOCK_JUMP: Trait(_DEVICES, {MQTT: Effect.STAMPS}),
    Kind.DUPLICATE: Trait(_DEVICES, {MQTT: Effect.NONE}),
    Kind.LATE: Trait(_DEVICES, {MQTT: Effect.DELAYED}),
    Kind.NETWORK_CUT: Trait(frozenset({"network", "face"}), {MODBUS: Effect.UNREAD, MQTT: Effect.DELAYED}),
    Kind.BROKER_RESTART: Trait(frozenset({"broker"}), {MQTT: Effect.DELAYED}),
}


def _listed(given: object) -> object:
    return given if isinstance(given, list | tuple) else [given]


def _signed(text: object) -> object:
    """`-1h` as the pair of a sign and a duration."""
    is_back = isinstance(text, str) and text.lstrip().startswith("-")
    return -parse_duration(str(text).replace("-", "", 1)) if is_back else parse_duration(text)


OneOrMore = BeforeValidator(_listed)


class FaultRule(Section):
    """One entry of a scenario's `faults`: on a timetable (`at`) or at random (`every`, the mean time between two).

    kind   one or several; a random fault takes any of them
    on     one or several targets, `*`: all that the kind fits; a bare name is a machine, a meter or a face
    at     when, from the plant's start
    for    how long: a time, or the shortest and the longest
    delay  how late a reply or message is, in real time for replies, in the plant's time for messages
    code   of the exception; jump: how far the clock jumps; copies: how often a message comes; reading: what a
           replaced meter's counters begin with
    """

    kind: Annotated[tuple[Kind, ...], OneOrMore, Field(min_length=1)]
    on: Annotated[tuple[str, ...], OneOrMore, Field(min_length=1)] = ("*",)
    at: Annotated[tuple[Duration, ...] | None, BeforeValidator(lambda at: None if at is None else _listed(at))] = None
    every: Annotated[Duration, Field(gt=0)] | None = None
    for_: Annotated[tuple[Duration, ...], OneOrMore, Field(alias="for", min_length=1, max_length=2)] = (30.0,)
    delay: Duration = 0.3
    code: Annotated[int, Field(ge=1, le=255)] = 4
    jump: Annotated[float, BeforeValidator(_signed)] = -3600.0
    copies: Annotated[int, Field(ge=2, le=100)] = 2
    reading: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _one_time(self) -> "FaultRule":
        if (self.at is None) == (self.every is None):
            raise ValueError("a fault has either `at` (when, from the plant's start) or `every` (a mean time)")
        if self.for_[0] > self.for_[-1]:
            raise ValueError("`for` is a time, or the shortest and the longest: [5s, 60s]")
        return self


@dataclass(frozen=True, slots=True)
class Fault:
    """One occurrence: plant time, [from, to). `rule` has its amounts; `seed` makes its garbage the same again."""

    kind: Kind
    on: str
    from_ms: int
    to_ms: int
    effect: Effect
    rule: FaultRule = field(repr=False)
    seed: str = field(default="", repr=False)

    def covers(self, at_ms: int) -> bool:
        """Whether it goes on at this moment."""
        return self.from_ms <= at_ms < self.to_ms


@dataclass(frozen=True, slots=True)
class Targets:
    """What there is to go wrong.

    faces    face name → modbus or mqtt
    devices  `machine/<name>` or `meter/<name>` → name of its face
    """

    faces: Mapping[str, str]
    devices: Mapping[str, str]

    def of(self, kind: Kind, on: Sequence[str]) -> list[str]:
        """The targets that a rule means. ValueError: says which name does not exist, or does not fit the kind."""
        fitting = self._fitting(kind)
        found = [target for name in on for target in (fitting if name == "*" else [self._named(kind, name, fitting)])]
        if not found:
            raise ValueError(f"{kind} fits nothing in this plant: it needs {_wants(kind)}")
        return list(dict.fromkeys(found))

    def effect(self, kind: Kind, target: str) -> Effect:
        """What this kind does there."""
        effects = TRAITS[kind].effects
        return effects.get(self.protocol(target), next(iter(effects.values())))

    def protocol(self, target: str) -> str:
        """How a target speaks: modbus, mqtt, or "" for the network."""
        if target == "broker":
            return MQTT
        face = self.devices.get(target, target.removeprefix("face/"))
        return self.faces.get(face, "")

    def _fitting(self, kind: Kind) -> list[str]:
        trait = TRAITS[kind]
        every = [*self.devices, "network", "broker", *(f"face/{name}" for name in self.faces)]
        return [
            target
            for target in every
            if target.partition("/")[0] in trait.targets and (self.protocol(target) or MQTT) in trait.effects
        ]

    def _named(self, kind: Kind, name: str, fitting: list[str]) -> str:
        for target in (name, f"machine/{name}", f"meter/{name}", f"face/{name}"):
            if target in fitting:
                return target
        known = ", ".join(fitting[:8]) or "nothing here"
        raise ValueError(f"{kind} cannot happen on {name!r}: it needs {_wants(kind)}; it fits {known}")


def _wants(kind: Kind) -> str:
    trait = TRAITS[kind]
    return f"{' or '.join(sorted(trait.targets))} with a face of kind {' or '.join(trait.effects)}"


def timetable(rules: Sequence[FaultRule], targets: Targets, seed: object, start_ms: int, end_ms: int) -> list[Fault]:
    """Every fault that begins before `end_ms`, in order; a later end only adds to it.

    Args:
        rules: of the scenario.
        targets: of the scenario.
        seed: of the scenario.
        start_ms, end_ms: the plant's start and the end of the range, epoch ms.
    """
    found = []
    for fault in faults(rules, targets, seed, start_ms):
        if fault.from_ms >= end_ms:
            break
        found.append(fault)
    return found


def faults(rules: Sequence[FaultRule], targets: Targets, seed: object, start_ms: int) -> Iterator[Fault]:
    """The endless timetable from the plant's start on, in order. ValueError: a rule names what is not there."""
    streams = []
    for index, rule in enumerate(rules):
        wheres = [(kind, target) for kind in rule.kind for target in targets.of(kind, rule.on)]
        streams.append(_occurrences(rule, wheres, Place(targets, f"{seed}/faults/{index}", start_ms)))
    return merge(*streams, key=lambda fault: (fault.from_ms, fault.on, fault.kind))


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a rule's faults happen: the plant's targets, the rule's own seed, the plant's start."""

    targets: Targets
    seed: str
    start_ms: int


def _occurrences(rule: FaultRule, wheres: Sequence[tuple[Kind, str]], place: Place) -> Iterator[Fault]:
    rng = Random(place.seed)
    if rule.at is not None:
        for at_s in sorted(rule.at):
            lasts_s = rng.uniform(rule.for_[0], rule.for_[-1])
            for kind, target in sorted(wheres, key=lambda where: (where[1], where[0])):
                yield _fault(rule, kind, target, place, (at_s, lasts_s))
        return
    assert rule.every is not None
    now_s = 0.0
    while True:
        now_s += rng.expovariate(1 / rule.every)
        lasts_s = rng.uniform(rule.for_[0], rule.for_[-1])
        yield _fault(rule, *rng.choice(wheres), place, (now_s, lasts_s))
        now_s += lasts_s


def _fault(rule: FaultRule, kind: Kind, target: str, place: Place, when: tuple[float, float]) -> Fault:
    from_ms = place.start_ms + round(1000 * when[0])
    to_ms = from_ms + max(1, round(1000 * when[1]))
    effect = place.targets.effect(kind, target)
    return Fault(kind, target, from_ms, to_ms, effect, rule, f"{place.seed}/{from_ms}/{target}")


def as_text(fault: Fault) -> dict[str, Any]:
    """A fault for tables and JSON."""
    return {"kind": fault.kind, "on": fault.on, "from_ms": fault.from_ms, "to_ms": fault.to_ms, "effect": fault.effect}

"""The config of an asset's state: which raw values mean what, and the rules that follow from it. Pure."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from gateway.fields import Duration, Section
from gateway.kpi.asset import StateRule, TimeClass, number_text
from gateway.kpi.facts import text_code
from gateway.kpi.packml import PACKML
from gateway.model import Tag, TagType

TagName = Annotated[str, Field(min_length=1)]
RawState = str | bool | int | float


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


RawStates = Annotated[tuple[RawState, ...], BeforeValidator(_listed, json_schema_input_type=RawState | list[RawState])]
ClassName = Literal["producing", "setup", "fault", "idle", "blocked", "starved", "planned_stop", "maintenance"]
PRIORITY: Final[tuple[ClassName, ...]] = (
    *("fault", "maintenance", "planned_stop", "setup"),
    *("blocked", "starved", "producing", "idle"),
)
"""Where two conditions of one tag hold at once, the class that stands first here decides."""
_WATTS: Final = {"W": 1.0, "kW": 1e3, "MW": 1e6}


class StepConfig(Section):
    """What the values of one tag mean; or, with `counter`, that the machine is producing while the counter moves."""

    tag: TagName | None = None
    counter: TagName | None = None
    idle_after: Duration | None = None
    map: Literal["packml"] | None = None
    producing: RawStates = ()
    setup: RawStates = ()
    fault: RawStates = ()
    idle: RawStates = ()
    blocked: RawStates = ()
    starved: RawStates = ()
    planned_stop: RawStates = ()
    maintenance: RawStates = ()
    otherwise: ClassName | None = None

    @property
    def source(self) -> str:
        """The tag that is read."""
        return self.tag or self.counter or ""

    def raw(self) -> Iterator[tuple[ClassName, RawState]]:
        """Each raw state or condition with its class."""
        for name in PRIORITY:
            for value in getattr(self, name):
                yield name, value

    @property
    def is_mapped(self) -> bool:
        """Whether any value is given a class."""
        return any(True for _ in self.raw())

    def problem(self) -> str:
        """What is missing or too much; "" where the step is whole."""
        if (self.tag is None) == (self.counter is None):
            return "write either `tag` (its values are states) or `counter` (it moves while the machine produces)"
        if self.counter is not None and self.idle_after is None:
            return "a `counter` needs `idle_after`: how long it may stand still before the machine counts as stopped"
        if self.counter is not None and (self.map or self.is_mapped):
            return "with `counter` the machine is producing while it moves: only `otherwise` may say what else"
        if self.counter is None and self.idle_after is not None:
            return "`idle_after` is for a `counter`"
        return ""

    @model_validator(mode="after")
    def _whole(self) -> "StepConfig":
        if problem := self.problem():
            raise ValueError(problem)
        return self


class StateConfig(StepConfig):
    """Which raw states belong to which class of time. Several tags: the first of them that has an answer decides."""

    first_of: tuple[StepConfig, ...] = ()

    @property
    def steps(self) -> tuple[StepConfig, ...]:
        """The tags in the order in which they are asked."""
        return self.first_of or (self,)

    def problem(self) -> str:
        """See `StepConfig`."""
        if not self.first_of:
            return StepConfig.problem(self)
        if self.tag or self.counter or self.map or self.otherwise or self.is_mapped:
            return "write everything under `first_of`: the state comes from the tags there"
        return ""


class Condition(NamedTuple):
    """A stretch of numbers, both ends included, or a bit."""

    low: float = -math.inf
    high: float = math.inf
    bit: int = -1


_NUMBER: Final = r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([A-Za-z%°/]*)"


def parse_condition(raw: RawState, unit: str) -> Condition | None:
    """The condition in `>= 10`, `< 5 kW`, `10..20`, `bit 3`; None: it is a plain value.

    Args:
        unit: of the tag; another unit of power is converted. ValueError: says which unit is wanted.
    """
    text = str(raw).strip()
    if match := re.fullmatch(r"bit\s*(\d\d?)", text):
        return Condition(bit=int(match[1]))
    if match := re.fullmatch(rf"{_NUMBER}\s*\.\.\s*{_NUMBER}", text):
        low, high = _in_unit(match[1], match[2] or match[4], unit), _in_unit(match[3], match[4], unit)
        if low > high:
            raise ValueError(f"{text!r} holds no number: write the smaller one first")
        return Condition(low, high)
    if match := re.fullmatch(rf"(>=|<=|>|<)\s*{_NUMBER}", text):
        end = _in_unit(match[2], match[3], unit)
        if match[1][0] == ">":
            return Condition(low=end if match[1] == ">=" else math.nextafter(end, math.inf))
        return Condition(high=end if match[1] == "<=" else math.nextafter(end, -math.inf))
    return None


def _in_unit(number: str, written: str, unit: str) -> float:
    if written in {"", unit}:
        return float(number)
    if written in _WATTS and unit in _WATTS:
        return float(number) * _WATTS[written] / _WATTS[unit]
    raise ValueError(f"the tag is in {unit or 'no unit'}, not in {written}")


@dataclass(slots=True)
class StepRules:
    """What a step means for a tag. exact: raw state → class; problems: key → what is wrong there."""

    exact: dict[str, TimeClass] = field(default_factory=dict)
    rules: list[StateRule] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def rules_of(step: StepConfig, tag: Tag, role: str, *, is_one_of_several: bool) -> StepRules:
    """The map and rules of one step, for the readings of its tag."""
    found = StepRules()
    if step.counter is not None:
        rest = TimeClass[(step.otherwise or "idle").upper()]
        moves = StateRule(role, TimeClass.PRODUCING, low=1, label=f"{step.counter} moves")
        found.rules += [moves, StateRule(role, rest, label=f"{step.counter} stands still")]
        return found
    for name, raw in step.raw():
        try:
            _add(found, role, tag, name, raw)
        except ValueError as exc:
            found.problems.append((name, str(exc)))
    if step.map:
        _add_packml(found, tag)
    if step.otherwise:
        label = f"{step.tag}: otherwise" if found.rules or (is_one_of_several and tag.type is not TagType.TEXT) else ""
        found.rules.append(StateRule(role, TimeClass[step.otherwise.upper()], label=label))
    if not found.exact and not found.rules and not found.problems:
        found.problems.append(("", "no state is mapped: say which values are producing, fault, idle …"))
    return found


def exact_rules(exact: Mapping[str, TimeClass], tag: Tag, written: str, role: str) -> list[StateRule]:
    """A step's exact states as rules: for a tag that is one of several."""
    found = []
    for raw, time_class in exact.items():
        is_text = tag.type is TagType.TEXT
        value = text_code(raw) if is_text else float(raw)
        found.append(StateRule(role, time_class, value, value, label=raw if is_text else f"{written} = {raw}"))
    return found


def _add(found: StepRules, role: str, tag: Tag, name: ClassName, raw: RawState) -> None:
    time_class, is_text = TimeClass[name.upper()], tag.type is TagType.TEXT
    condition = None if is_text else parse_condition(raw, tag.unit)
    if condition is None:
        text = state_name(raw, is_text)
        if found.exact.setdefault(text, time_class) is not time_class:
            raise ValueError(f"{raw!r} is already {found.exact[text].label}")
        return
    if condition.bit >= 0 and tag.type is not TagType.INT:
        raise ValueError(f"{raw!r}: only a whole number has bits, and {tag.name!r} is a {tag.type.value}")
    label = f"{tag.name.rpartition('/')[2]} {raw}"
    found.rules.append(StateRule(role, time_class, *condition, label=label))


def state_name(raw: RawState, is_text: bool) -> str:
    """A state as facts carry it. YAML's `true` is the text `true` of a text tag and the 1 of a bool or number.

    ValueError: the tag is a number, and this is none.
    """
    if is_text:
        return str(raw).lower() if isinstance(raw, bool) else str(raw)
    try:
        return number_text(float(raw))
    except ValueError:
        raise ValueError(f"{raw!r} is not a number, but the tag is") from None


def _add_packml(found: StepRules, tag: Tag) -> None:
    """The standard's states, for what the user did not map himself."""
    is_text = tag.type is TagType.TEXT
    for number, names, kind in PACKML:
        for raw in names if is_text else (number_text(number),):
            found.exact.setdefault(raw, TimeClass[kind.upper()])

"""Config → models: binds each asset's roles to tags, and says what is wrong and where."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.kpi.asset import (
    ALIVE,
    COUNTS,
    MEASURE,
    MORE_COUNTS,
    POWER,
    AssetModel,
    Binding,
    Hold,
    StateRule,
    TimeClass,
    fingerprint,
)
from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.config import AssetConfig, CountConfig, LineConfig
from gateway.kpi.needs import available
from gateway.kpi.products import EVERY, ProductConfig, ideal_times
from gateway.kpi.reasons import ReasonConfig, Reasons
from gateway.kpi.state_config import StateConfig, StepConfig, exact_rules, rules_of
from gateway.model import Site, Tag, TagTable, TagType
from gateway.spelling import closest

__all__ = [
    "COUNTS",
    "AssetModel",
    "Binding",
    "Hold",
    "KpiConfigError",
    "TimeClass",
    "available",
    "build_models",
    "check_models",
]

_TO_MWH: Final = {"Wh": 1e3, "kWh": 1e6, "MWh": 1e9, "kJ": 1e6 / 3600, "MJ": 1e9 / 3600, "GJ": 1e12 / 3600}
_TO_W: Final = {"W": 1.0, "kW": 1e3, "MW": 1e6}
_NAMES: Final = ("product", "order")
"""Roles whose values are names: a text or a number."""


class KpiConfigError(ValueError):
    """Something in `calendars`, `lines`, `assets` or `products` cannot be; `path` leads to it, `problem` says why."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {problem}")
        self.path = path
        self.problem = problem


def build_models(
    assets: Mapping[str, AssetConfig],
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
    *,
    products: Mapping[str, ProductConfig] | None = None,
    reasons: Mapping[str, ReasonConfig] | None = None,
) -> dict[str, AssetModel]:
    """The models of all assets.

    Args:
        tags: every configured tag, and each source's `source/<name>/session`.
    Raises: KpiConfigError: the first of `check_models`.
    """
    builder = _builder(lines, calendars, tags, site, products or {}, reasons or {})
    models = builder.all(assets)
    if builder.problems:
        raise builder.problems[0]
    return models


def check_models(
    assets: Mapping[str, AssetConfig],
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
    *,
    products: Mapping[str, ProductConfig] | None = None,
    reasons: Mapping[str, ReasonConfig] | None = None,
) -> list[KpiConfigError]:
    """Everything that keeps `build_models` from building."""
    builder = _builder(lines, calendars, tags, site, products or {}, reasons or {})
    builder.all(assets)
    return builder.problems


def _builder(
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
    products: Mapping[str, ProductConfig],
    reasons: Mapping[str, ReasonConfig],
) -> "_Builder":
    known = {"default": Calendar.always(site.timezone)}
    known |= {name: Calendar.from_config(config, site.timezone) for name, config in calendars.items()}
    return _Builder(lines, known, tags, products, Reasons.of(reasons), [])


@dataclass(slots=True)
class _Builder:
    lines: Mapping[str, LineConfig]
    calendars: Mapping[str, Calendar]
    tags: TagTable
    products: Mapping[str, ProductConfig]
    reasons: Reasons
    problems: list[KpiConfigError]

    def all(self, assets: Mapping[str, AssetConfig]) -> dict[str, AssetModel]:
        for name, line in self.lines.items():
            self.check_line(name, line, assets)
        for name, product in self.products.items():
            for asset in product.ideal_cycle_time.keys() - {EVERY}:
                self.named(("products", name, "ideal_cycle_time", asset), "asset", asset, assets)
        return {name: self.model(name, config) for name, config in assets.items()}

    def model(self, name: str, config: AssetConfig) -> AssetModel:
        path = ("assets", name)
        bound, state_map, rules = self.state((*path, "state"), name, config.state)
        bound |= self.roles(path, name, config) | self.measures(path, name, config)
        self.check(path, bound, config)
        self.check_booked(path, config)
        ideal_us = round(config.ideal_cycle_time * 1e6) if config.ideal_cycle_time else None
        model = AssetModel(
            name=name,
            bindings=bound,
            state_map=state_map,
            ideal_cycle_us=ideal_us,
            calendar=self.calendar(path, config),
            target_per_h=config.target or (3.6e9 / ideal_us if ideal_us else None),
            line=config.line or "",
            state_rules=tuple(rules),
            ideal_by_product=ideal_times(self.products, name),
            minor_stop_ms=round(config.minor_stop * 1000) if config.minor_stop else 0,
            reasons=self.reasons.classes,
            rated_per_h=config.rated,
            takt_us=round(config.takt_time * 1e6) if config.takt_time else None,
            measures={key: measure.measure for key, measure in config.measures.items()},
        )
        return replace(model, hash=fingerprint(model))

    def check_booked(self, path: tuple[str, ...], config: AssetConfig) -> None:
        """A count that people book needs one that a machine counts, or its parts belong to no time."""
        counts = {role: count for role in COUNTS if (count := getattr(config, role))}
        if counts and all(count.kind == "booked" for count in counts.values()):
            self.wrong((*path, next(iter(counts))), "one of total, good and scrap must come from a tag")

    def check_line(self, name: str, line: LineConfig, assets: Mapping[str, AssetConfig]) -> None:
        self.named(("lines", name, "calendar"), "calendar", line.calendar, self.calendars)
        for key, asset in (("constraint", line.constraint), ("last", line.last)):
            path = ("lines", name, key)
            if asset is not None and self.named(path, "asset", asset, assets) and assets[asset].line != name:
                self.wrong(path, f"{asset!r} is not on this line: give it `line: {name}`, or name one that is")

    def calendar(self, path: tuple[str, ...], config: AssetConfig) -> Calendar:
        """The asset's own calendar, else its line's, else `default`, which is all time where it is not configured."""
        line = None
        if config.line is not None and self.named((*path, "line"), "line", config.line, self.lines):
            line = self.lines[config.line]
        name = config.calendar or (line.calendar if line else "default")
        if config.calendar:
            self.named((*path, "calendar"), "calendar", name, self.calendars)
        return self.calendars.get(name, self.calendars["default"])

    def state(
        self, path: tuple[str, ...], asset: str, config: StateConfig | None
    ) -> tuple[dict[str, Binding], dict[str, TimeClass], list[StateRule]]:
        """Bindings, map and rules of the tags that make the state."""
        bound: dict[str, Binding] = {}
        if config is None:
            return bound, {}, []
        exact: dict[str, TimeClass] = {}
        rules: list[StateRule] = []
        for number, step in enumerate(config.steps, 1):
            here: tuple[str | int, ...] = (*path, "first_of", number - 1) if config.first_of else path
            role = f"state.{number}" if config.first_of else "state"
            tag = self.tag((*here, "tag" if step.tag else "counter"), asset, step.source)
            if tag is None:
                continue
            found = rules_of(step, tag, role, is_one_of_several=bool(config.first_of))
            for key, problem in found.problems:
                self.wrong((*here, key) if key else here, problem)
            bound[role] = self.state_binding(here, role, tag, step)
            if config.first_of:
                rules += exact_rules(found.exact, tag, step.source, role)
            else:
                exact = found.exact
            rules += found.rules
        return bound, exact, rules

    def state_binding(self, path: tuple[str | int, ...], role: str, tag: Tag, step: StepConfig) -> Binding:
        if step.counter is None:
            return self.binding(role, tag)
        if tag.type is TagType.TEXT:
            self.wrong((*path, "counter"), f"{tag.name!r} is a text: a counter is a number")
        return replace(self.binding(role, tag, "counter"), moves_ms=round((step.idle_after or 0) * 1000))

    def roles(self, path: tuple[str, ...], asset: str, config: AssetConfig) -> dict[str, Binding]:
        """Bindings of everything but the state."""
        found: dict[str, Binding] = {}
        for role in (*COUNTS, *MORE_COUNTS):
            count: CountConfig | None = getattr(config, role)
            if count is not None and (binding := self.count((*path, role), asset, role, count)):
                found[role] = binding
        electricity = config.energy.get("electricity")
        for role, written in {
            "energy": electricity,
            POWER: config.power,
            ALIVE: config.alive,
            "startup": config.startup,
            **{name: getattr(config, name) for name in _NAMES},
        }.items():
            here = (*path, role, "electricity") if role == "energy" else (*path, role)
            tag = self.tag(here, asset, written) if written is not None else None
            if tag is not None:
                self.must_be_number(here, role, tag)
                kind = "counter" if role == "energy" else "level"
                found[role] = replace(self.binding(role, tag, kind), scale_to_si=self.scale(here, role, tag))
        if config.max_power and "energy" in found:
            found["energy"] = replace(found["energy"], most_w=config.max_power)
        elif config.max_power and not electricity:
            self.wrong((*path, "max_power"), "is for the energy register: add `energy`, or remove it")
        return found

    def measures(self, path: tuple[str, ...], asset: str, config: AssetConfig) -> dict[str, Binding]:
        found: dict[str, Binding] = {}
        for name, measure in config.measures.items():
            here = (*path, "measures", name, "tag")
            tag = self.tag(here, asset, measure.tag)
            if tag is not None:
                self.must_be_number(here, MEASURE + name, tag)
                found[MEASURE + name] = self.binding(MEASURE + name, tag, "measure")
        return found

    def check(self, path: tuple[str, ...], bound: dict[str, Binding], config: AssetConfig) -> None:
        """Binds what the readings of roles and measures must keep to."""
        for key, check in config.checks.items():
            role = MEASURE + key if key in config.measures else key
            known = [one.removeprefix(MEASURE) for one in bound if one != POWER]
            if role not in bound or role == POWER:
                self.wrong((*path, "checks", key), f"no role {key!r} with a tag" + closest(key, known))
                continue
            low, high = (-math.inf if check.min is None else check.min), (math.inf if check.max is None else check.max)
            flat_ms = round((check.flat_line or 0) * 1000)
            if bound[role].is_text and (low, high) != (-math.inf, math.inf):
                self.wrong((*path, "checks", key), f"{bound[role].tag_name!r} is a text: it has no `min` and `max`")
            bound[role] = replace(bound[role], low=low, high=high, flat_ms=flat_ms)

    def count(self, path: tuple[str | int, ...], asset: str, role: str, config: CountConfig) -> Binding | None:
        if config.tag is None:
            return Binding(role, -1, "booked")
        tag = self.tag(path, asset, config.tag)
        if tag is None:
            return None
        self.must_be_number(path, role, tag)
        binding = self.binding(role, tag, config.kind)
        fastest = round(3.6e9 / config.max_rate) if config.max_rate else 0
        modulus = (config.rolls_over_at or tag.modulus) if config.kind == "counter" else 0
        return replace(binding, modulus=modulus, min_cycle_us=fastest)

    def binding(self, role: str, tag: Tag, kind: str = "level") -> Binding:
        return Binding(
            role=role,
            tag=self.tags.id_of(tag.name),
            kind=kind,
            modulus=tag.modulus,
            is_text=tag.type is TagType.TEXT,
            hold=Hold(tag.period_ms > 0, tag.period_ms, self.session(tag), tag.source_time),
            tag_name=tag.name,
        )

    def tag(self, path: tuple[str | int, ...], asset: str, written: str) -> Tag | None:
        full = written if "/" in written else f"{asset}/{written}"
        tag_id = self.tags.get(full)
        if tag_id is None:
            self.wrong(path, f"no tag {full!r}" + closest(full, (tag.name for _, tag in self.tags)))
            return None
        return self.tags[tag_id]

    def must_be_number(self, path: tuple[str | int, ...], role: str, tag: Tag) -> None:
        if tag.type is TagType.TEXT and role not in _NAMES:
            wanted = "bool" if role in {ALIVE, "startup"} else "number"
            self.wrong(path, f"{tag.name!r} is a text: {role} needs a {wanted}")

    def session(self, tag: Tag) -> int:
        found = self.tags.get(f"source/{tag.source}/session") if tag.source else None
        return -1 if found is None else found

    def scale(self, path: tuple[str | int, ...], role: str, tag: Tag) -> float:
        units = {"energy": _TO_MWH, POWER: _TO_W}.get(role)
        if units is None:
            return 1.0
        if tag.unit not in units:
            self.wrong(path, f"{tag.name!r} has the unit {tag.unit!r}: {role} needs one of {', '.join(units)}")
        return units.get(tag.unit, 1.0)

    def named(self, path: tuple[str | int, ...], what: str, name: str, known: Mapping[str, object]) -> bool:
        if name not in known:
            self.wrong(path, f"no {what} {name!r}" + closest(name, known))
        return name in known

    def wrong(self, path: tuple[str | int, ...], problem: str) -> None:
        self.problems.append(KpiConfigError(path, problem))

"""Config → models: binds each asset's roles to tags, says what is wrong and where, and which KPIs that gives."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.kpi.asset import (
    ALIVE,
    COUNTS,
    AssetModel,
    Binding,
    Hold,
    TimeClass,
    fingerprint,
    is_timed,
    number_text,
)
from gateway.kpi.calendar import Calendar
from gateway.kpi.config import AssetConfig, CalendarConfig, LineConfig, RawState, StateConfig
from gateway.model import Site, Tag, TagTable, TagType

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


class KpiConfigError(ValueError):
    """Something in `calendars`, `lines` or `assets` cannot be; `path` leads to it, `problem` says what to do."""

    def __init__(self, path: tuple[str, ...], problem: str) -> None:
        super().__init__(f"{'.'.join(path)}: {problem}")
        self.path = path
        self.problem = problem


def build_models(
    assets: Mapping[str, AssetConfig],
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
) -> dict[str, AssetModel]:
    """The models of all assets.

    Args:
        tags: every configured tag, and each source's `source/<name>/session`.
    Raises: KpiConfigError: the first of `check_models`.
    """
    models, problems = _build(assets, lines, calendars, tags, site)
    if problems:
        raise problems[0]
    return models


def check_models(
    assets: Mapping[str, AssetConfig],
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
) -> list[KpiConfigError]:
    """Everything that keeps `build_models` from building."""
    return _build(assets, lines, calendars, tags, site)[1]


def _build(
    assets: Mapping[str, AssetConfig],
    lines: Mapping[str, LineConfig],
    calendars: Mapping[str, CalendarConfig],
    tags: TagTable,
    site: Site,
) -> tuple[dict[str, AssetModel], list[KpiConfigError]]:
    known = {"default": Calendar.always(site.timezone)}
    known |= {name: Calendar.from_config(config, site.timezone) for name, config in calendars.items()}
    builder = _Builder(lines, known, tags, [])
    for name, line in lines.items():
        builder.check_line(name, line, assets)
    return {name: builder.model(name, config) for name, config in assets.items()}, builder.problems


@dataclass(slots=True)
class _Builder:
    lines: Mapping[str, LineConfig]
    calendars: Mapping[str, Calendar]
    tags: TagTable
    problems: list[KpiConfigError]

    def model(self, name: str, config: AssetConfig) -> AssetModel:
        path = ("assets", name)
        bindings = [self.binding((*path, role), name, role, tag) for role, tag in _wanted(config).items()]
        bound = {binding.role: binding for binding in bindings if binding is not None}
        ideal_us = round(config.ideal_cycle_time * 1e6) if config.ideal_cycle_time else None
        model = AssetModel(
            name=name,
            bindings=bound,
            state_map=self.state_map((*path, "state"), config.state, bound),
            ideal_cycle_us=ideal_us,
            calendar=self.calendar(path, config),
            target_per_h=config.target or (3.6e9 / ideal_us if ideal_us else None),
            line=config.line or "",
        )
        return replace(model, hash=fingerprint(model))

    def check_line(self, name: str, line: LineConfig, assets: Mapping[str, AssetConfig]) -> None:
        self.named(("lines", name, "calendar"), "calendar", line.calendar, self.calendars)
        if line.constraint is None:
            return
        path = ("lines", name, "constraint")
        if self.named(path, "asset", line.constraint, assets) and assets[line.constraint].line != name:
            self.wrong(path, f"{line.constraint!r} is not on this line: give it `line: {name}`, or name one that is")

    def calendar(self, path: tuple[str, ...], config: AssetConfig) -> Calendar:
        """The asset's own calendar, else its line's, else `default`, which is all time where it is not configured."""
        line = None
        if config.line is not None and self.named((*path, "line"), "line", config.line, self.lines):
            line = self.lines[config.line]
        name = config.calendar or (line.calendar if line else "default")
        if config.calendar:
            self.named((*path, "calendar"), "calendar", name, self.calendars)
        return self.calendars.get(name, self.calendars["default"])

    def binding(self, path: tuple[str, ...], asset: str, role: str, tag_name: str) -> Binding | None:
        path = {"state": (*path, "tag"), "energy": (*path, "electricity")}.get(role, path)
        full = tag_name if "/" in tag_name else f"{asset}/{tag_name}"
        tag_id = self.tags.get(full)
        if tag_id is None:
            self.wrong(path, f"no tag {full!r}" + _close(full, (tag.name for _, tag in self.tags)))
            return None
        tag = self.tags[tag_id]
        is_text = tag.type is TagType.TEXT
        if is_text and role != "state":
            self.wrong(path, f"{full!r} is a text: {role} needs a {'bool' if role == ALIVE else 'number'}")
        return Binding(
            role=role,
            tag=tag_id,
            kind="counter" if role in COUNTS or role == "energy" else "level",
            modulus=tag.modulus,
            scale_to_si=self.scale(path, role, tag),
            is_text=is_text,
            hold=Hold(tag.period_ms > 0, tag.period_ms, self.session(tag), tag.source_time),
            tag_name=full,
        )

    def session(self, tag: Tag) -> int:
        found = self.tags.get(f"source/{tag.source}/session") if tag.source else None
        return -1 if found is None else found

    def scale(self, path: tuple[str, ...], role: str, tag: Tag) -> float:
        units = {"energy": _TO_MWH, "power": _TO_W}.get(role)
        if units is None:
            return 1.0
        if tag.unit not in units:
            self.wrong(path, f"{tag.name!r} has the unit {tag.unit!r}: {role} needs one of {', '.join(units)}")
        return units.get(tag.unit, 1.0)

    def state_map(
        self, path: tuple[str, ...], config: StateConfig | None, bound: Mapping[str, Binding]
    ) -> dict[str, TimeClass]:
        found: dict[str, TimeClass] = {}
        if config is None or "state" not in bound:
            return found
        for time_class in TimeClass:
            for raw in getattr(config, time_class.label, ()):
                self.add_state((*path, time_class.label), found, raw, time_class, bound["state"].is_text)
        if not found:
            self.wrong(path, "no state is mapped: say which values are producing, fault, idle …")
        return found

    def add_state(
        self, path: tuple[str, ...], found: dict[str, TimeClass], raw: RawState, time_class: TimeClass, is_text: bool
    ) -> None:
        try:
            text = _state_text(raw, is_text)
        except ValueError:
            self.wrong(path, f"{raw!r} is not a number, but the tag is")
            return
        if found.setdefault(text, time_class) is not time_class:
            self.wrong(path, f"{raw!r} is already {found[text].label}")

    def named(self, path: tuple[str, ...], what: str, name: str, known: Mapping[str, object]) -> bool:
        if name not in known:
            self.wrong(path, f"no {what} {name!r}" + _close(name, known))
        return name in known

    def wrong(self, path: tuple[str, ...], problem: str) -> None:
        self.problems.append(KpiConfigError(path, problem))


def _wanted(config: AssetConfig) -> dict[str, str]:
    """role → tag name as written."""
    roles = {
        "state": config.state.tag if config.state else None,
        **{role: getattr(config, role) for role in COUNTS},
        "energy": config.energy.get("electricity"),
        "power": config.power,
        ALIVE: config.alive,
    }
    return {role: tag for role, tag in roles.items() if tag is not None}


def _state_text(raw: RawState, is_text: bool) -> str:
    """A state as facts carry it. YAML's `true` is the text `true` of a text tag and the 1 of a bool or number."""
    if is_text:
        return str(raw).lower() if isinstance(raw, bool) else str(raw)
    return number_text(float(raw))


def _close(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was probably meant."""

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def available(*models: AssetModel) -> dict[str, str]:
    """What each KPI of the catalogue still needs from the config: "" where it will be computed.

    The texts finish the sentence "oee needs …" and are the reasons that `evaluate` gives. Several models are the
    members of a line or site: time and counts must be known of every member that has any of them, energy of one.
    """
    timed = [model for model in models if is_timed(model)]
    has = {
        "state": _all_have(timed, lambda model: "state" in model.bindings),
        "ideal": _all_have(timed, lambda model: model.ideal_cycle_us is not None),
        "total": _all_have(timed, lambda model: _counts(model, "total")),
        "good": _all_have(timed, lambda model: _counts(model, "good")),
        "energy": any("energy" in model.bindings for model in models),
    }
    return {kpi: "; ".join(_ASK[need] for need in needs if not has[need]) for kpi, needs in _NEEDS.items()}


def _all_have(models: Sequence[AssetModel], test: Callable[[AssetModel], bool]) -> bool:
    return bool(models) and all(map(test, models))


def _counts(model: AssetModel, role: str) -> bool:
    return role in model.bindings or sum(one in model.bindings for one in COUNTS) == 2


_ASK: Final = {
    "state": "needs `state`",
    "energy": "needs `energy: {electricity: …}`",
    "ideal": "needs `ideal_cycle_time`",
    "total": "needs `total`, or `good` and `scrap`",
    "good": "needs `good`, or `total` and `scrap`",
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "availability": ("state",),
    "effectiveness": ("state", "total", "ideal"),
    "quality_rate": ("total", "good"),
    "oee": ("good", "ideal"),
    "throughput": ("total",),
    "energy": ("energy",),
    "sec": ("energy", "good"),
    "idle_energy_share": ("state", "energy"),
    "co2e": ("energy",),
    "carbon_intensity": ("energy", "good"),
    "coverage": ("state",),
}

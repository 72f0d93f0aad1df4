"""Models as records: what an asset was when, so that a minute is always computed with the model valid then."""

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateway.kpi.asset import (
    AssetModel,
    Binding,
    Hold,
    Measure,
    StateRule,
    TimeClass,
    checks_of,
    measure_fields,
    rule_fields,
)
from gateway.kpi.calendar import Calendar
from gateway.kpi.facts import FOREVER_MS
from gateway.model import TagTable


def dump(model: AssetModel, tags: TagTable) -> str:
    """The model as JSON; sources by name, since tag ids are the journal's."""
    bindings = {
        role: {
            "tag": tags[binding.tag].name if binding.tag >= 0 else "",
            "kind": binding.kind,
            "modulus": binding.modulus,
            "scale": binding.scale_to_si,
            "text": binding.is_text,
            "polled": binding.hold.polled,
            "period_ms": binding.hold.period_ms,
            "session": tags[binding.hold.session].name if binding.hold.session >= 0 else "",
            "source_time": binding.hold.source_time,
            "min_cycle_us": binding.min_cycle_us,
            "moves_ms": binding.moves_ms,
            "most_w": binding.most_w,
            "checks": checks_of(binding),
        }
        for role, binding in model.bindings.items()
    }
    content = {
        "asset": model.name,
        "line": model.line,
        "roles": bindings,
        "states": {raw: time_class.label for raw, time_class in model.state_map.items()},
        "rules": [rule_fields(rule) for rule in model.state_rules],
        "ideal_cycle_us": model.ideal_cycle_us,
        "ideal_by_product": dict(model.ideal_by_product),
        "minor_stop_ms": model.minor_stop_ms,
        "reasons": {code: None if one is None else one.label for code, one in model.reasons.items()},
        "target_per_h": model.target_per_h,
        "rated_per_h": model.rated_per_h,
        "takt_us": model.takt_us,
        "measures": measure_fields(model),
        "calendar": model.calendar.describe(),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def load(text: str, digest: str, tags: TagTable) -> AssetModel:
    """The model that `dump` wrote."""
    content = json.loads(text)
    return AssetModel(
        name=content["asset"],
        bindings={role: _binding(role, found, tags) for role, found in content["roles"].items()},
        state_map=_classes(content["states"]),
        ideal_cycle_us=content["ideal_cycle_us"],
        calendar=Calendar.described(content["calendar"]),
        target_per_h=content["target_per_h"],
        line=content["line"],
        hash=digest,
        state_rules=tuple(map(_rule, content["rules"])),
        ideal_by_product=content["ideal_by_product"],
        minor_stop_ms=content["minor_stop_ms"],
        reasons={code: label and TimeClass[label.upper()] for code, label in content["reasons"].items()},
        rated_per_h=content["rated_per_h"],
        takt_us=content["takt_us"],
        measures=_measures(content),
    )


def measures_of(text: str) -> dict[str, Measure]:
    """The measures in what `dump` wrote."""
    return _measures(json.loads(text))


def _measures(content: dict[str, Any]) -> dict[str, Measure]:
    return {name: Measure(**fields) for name, fields in content["measures"].items()}


def _classes(found: dict[str, str]) -> dict[str, TimeClass]:
    return {name: TimeClass[label.upper()] for name, label in found.items()}


def _rule(found: dict[str, Any]) -> StateRule:
    low = -math.inf if found["low"] is None else found["low"]
    high = math.inf if found["high"] is None else found["high"]
    return StateRule(found["role"], TimeClass[found["class"].upper()], low, high, found["bit"], found["label"])


def _binding(role: str, found: dict[str, Any], tags: TagTable) -> Binding:
    session = tags.get(found["session"]) if found["session"] else None
    hold = Hold(found["polled"], found["period_ms"], -1 if session is None else session, found["source_time"])
    tag = tags.get(found["tag"])
    number = -1 if tag is None else tag
    low, high, flat_ms = found["checks"]
    return Binding(
        role,
        number,
        found["kind"],
        found["modulus"],
        found["scale"],
        found["text"],
        hold,
        found["tag"],
        found["min_cycle_us"],
        found["moves_ms"],
        found["most_w"],
        -math.inf if low is None else low,
        math.inf if high is None else high,
        flat_ms,
    )


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """An asset's models, oldest first. starts: from when each is valid; the first one also for all time before."""

    starts: tuple[int, ...]
    models: tuple[AssetModel, ...]

    @property
    def current(self) -> AssetModel:
        """The newest model."""
        return self.models[-1]

    def with_current(self, from_ms: int, to_ms: int) -> "ModelHistory":
        """The same history, but the newest model is valid in a range, too."""
        parts = [
            *((model, start) for model, start, _ in self.over(-FOREVER_MS, from_ms)),
            (self.current, from_ms),
            *((model, start) for model, start, _ in self.over(to_ms, FOREVER_MS)),
        ]
        found = [part for n, part in enumerate(parts) if n == 0 or part[0].hash != parts[n - 1][0].hash]
        return ModelHistory(tuple(start for _, start in found), tuple(model for model, _ in found))

    def over(self, from_ms: int, to_ms: int) -> list[tuple[AssetModel, int, int]]:
        """The models that are valid in a range, each with its part of it."""
        edges = [-FOREVER_MS, *self.starts[1:], FOREVER_MS]
        parts = [
            (model, max(start, from_ms), min(end, to_ms))
            for model, (start, end) in zip(self.models, pairwise(edges), strict=True)
        ]
        return [(model, start, end) for model, start, end in parts if start < end]

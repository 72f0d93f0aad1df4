"""What may be booked: an entry against the models of the plant, with what to write instead. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.kpi.asset import COUNTS, MORE_COUNTS, AssetModel, fact_roles
from gateway.kpi.entries import COUNT, KINDS, READING, Entry
from gateway.kpi.facts import FOREVER_MS
from gateway.spelling import closest

COUNT_ROLES: Final = (*COUNTS, *MORE_COUNTS)
_ENDLESS: Final = ("order", "product")
_AHEAD: Final = ("planned", "order", "product")
_AHEAD_MS: Final = 60_000
_LONGEST_MS: Final = 400 * 86_400_000
_MOST_PARTS: Final = 10**9
_LENGTHS: Final = {"id": 128, "by": 64, "note": 500}
_LONGEST_NAME: Final = 200
_UNITS: Final = ((86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1000, "s"))


@dataclass(frozen=True, slots=True)
class Bookable:
    """Checks entries.

    sealed_ms  asset → before this its facts are forgotten, so that its minutes cannot be computed again
    """

    models: Mapping[str, AssetModel]
    sealed_ms: Mapping[str, int]
    now_ms: int

    def check(self, asset: str, entry: Entry) -> None:
        """ValueError: what is wrong with the entry, and what to write."""
        if asset not in self.models:
            raise ValueError(f"no asset {asset!r}{closest(asset, self.models)}")
        if entry.kind not in KINDS:
            raise ValueError(f"no kind {entry.kind!r}: write {', '.join(KINDS)}")
        for name, longest in _LENGTHS.items():
            if len(getattr(entry, name)) > longest or not getattr(entry, name).isprintable():
                raise ValueError(f"{name}: at most {longest} characters, on one line")
        if not entry.id:
            raise ValueError("id: is empty")
        model = self.models[asset]
        if entry.kind == COUNT:
            _check_count(model, entry)
        elif entry.kind == READING:
            _check_reading(model, entry)
        else:
            _check_span(model, entry)
            self._check_product(entry)
        self._check_time(asset, entry)

    def _check_product(self, entry: Entry) -> None:
        """Where products are configured, one of them; it may have no ideal time on this asset."""
        known = {name: 0 for model in self.models.values() for name in model.ideal_by_product}
        if entry.kind == "product" and entry.usable and known and entry.value not in known:
            raise ValueError(f"no product {entry.value!r}{closest(str(entry.value), known)}")

    def _check_time(self, asset: str, entry: Entry) -> None:
        if entry.from_ms < self.sealed_ms.get(asset, -FOREVER_MS):
            raise ValueError("is older than the facts that are kept (retention.facts): its minutes are fixed")
        latest_ms = self.now_ms + (_LONGEST_MS if entry.kind in _AHEAD else _AHEAD_MS)
        if entry.from_ms > latest_ms or (FOREVER_MS > entry.to_ms > latest_ms):
            if entry.kind in _AHEAD:
                raise ValueError("lies more than 400 days ahead")
            ahead_ms = max(entry.from_ms, entry.to_ms if entry.to_ms < FOREVER_MS else 0) - self.now_ms
            raise ValueError(f"lies in the future: {_span(ahead_ms)} ahead of the gateway's clock")


def _span(ms: int) -> str:
    """A time as people say it: `3 days`."""
    size, word = next(((size, word) for size, word in _UNITS if ms >= 2 * size), _UNITS[-1])
    return f"{ms // size} {word}"


def _check_count(model: AssetModel, entry: Entry) -> None:
    if entry.role not in COUNT_ROLES:
        raise ValueError(f"no count {entry.role!r}: write {', '.join(COUNT_ROLES)}")
    balanced = sum(role in model.bindings for role in COUNTS) > 1 and entry.role in (*COUNTS, "rework")
    if entry.usable and not balanced and entry.role not in model.bindings:
        raise ValueError(
            f"{entry.role} of {model.name} is not counted, so that it would show nowhere: "
            f"write `{entry.role}: {{ kind: booked }}` under this asset in the config"
        )
    value = entry.value
    if isinstance(value, str) or not 0 < abs(value) <= _MOST_PARTS or value != round(value):
        raise ValueError(f"{value!r} is no number of parts: write a whole number, with a - to take parts back")


def _check_reading(model: AssetModel, entry: Entry) -> None:
    known = fact_roles(model)
    if entry.role not in known:
        raise ValueError(f"{model.name} has no role {entry.role!r}: write {', '.join(known)}")
    binding = model.bindings[entry.role]
    if isinstance(entry.value, str) != binding.is_text:
        what = "a text" if binding.is_text else "a number"
        raise ValueError(f"{entry.value!r}: {entry.role} is {what}, as its tag {binding.tag_name} reads it")
    if not isinstance(entry.value, str) and not math.isfinite(entry.value):
        raise ValueError(f"{entry.value!r} is no reading: withdraw the entry to say that there was none")


def _check_span(model: AssetModel, entry: Entry) -> None:
    name = entry.value
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{name!r} is no name: write a text of at most {_LONGEST_NAME} characters")
    if entry.to_ms == FOREVER_MS and entry.kind not in _ENDLESS:
        raise ValueError(f"a {entry.kind} needs its end: write `to`")
    if entry.to_ms <= entry.from_ms:
        raise ValueError("ends before it begins: `to` must be after `from`")
    if entry.kind == "stop" and entry.usable and model.reasons and name not in model.reasons:
        raise ValueError(f"no reason {name!r}{closest(name, model.reasons)}")

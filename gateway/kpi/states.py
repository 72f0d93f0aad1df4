"""Raw states → classes of time: the state map, and rules for numbers, bits, several tags, counters. Pure."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import AssetModel, StateRule, TimeClass, number_text
from gateway.kpi.facts import Series, text_code

FROM_MAP: Final = -1
"""In place of a rule's index: the value itself is the state."""
_EXACT_BITS: Final = 2.0**53


def classify(
    model: AssetModel, values: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.float64]]:
    """What each moment's raw values mean.

    Rules are asked in order; where one asks for a value that is not known, nothing behind it decides: a machine whose
    fault tag is silent is not producing because another tag says so.

    Args:
        values: role → float64[n], as facts carry them; NaN where not known.
    Returns: class int8[n]; index into `model.state_rules` int16[n] (FROM_MAP: none, or the map); state float64[n]:
        the raw value of the tag that decided, NaN where a rule with a label did or nothing is known.
    """
    length = len(next(iter(values.values())))
    found = np.full(length, TimeClass.UNKNOWN, np.int8)
    rule_of = np.full(length, FROM_MAP, np.int16)
    state = values["state"].copy() if "state" in values else np.full(length, np.nan)
    is_open = np.ones(length, np.bool_)
    if "state" in values:
        exact = _mapped(model, values["state"])
        found, is_open = exact, (exact == TimeClass.UNKNOWN) & ~np.isnan(values["state"])
    for role, rules in groupby(enumerate(model.state_rules), key=lambda item: item[1].role):
        value = values[role]
        is_open &= ~np.isnan(value)
        for index, rule in rules:
            hits = is_open & fits(rule, value)
            found[hits], rule_of[hits] = rule.time_class, index
            state[hits] = np.nan if rule.label else value[hits]
            is_open &= ~hits
    if any(rule.label for rule in model.state_rules):
        state[found == TimeClass.UNKNOWN] = np.nan  # a measured value that no range holds is no state's name
    return found, rule_of, state


def fits(rule: StateRule, value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a rule holds for each value."""
    if rule.bit < 0:
        inside: NDArray[np.bool_] = (value >= rule.low) & (value <= rule.high)
        return inside
    whole = np.where(np.isfinite(value) & (np.abs(value) < _EXACT_BITS), value, 0.0).astype(np.int64)
    is_set: NDArray[np.bool_] = (whole >> rule.bit) & 1 == 1
    return is_set


def _mapped(model: AssetModel, state: NDArray[np.float64]) -> NDArray[np.int8]:
    binding = model.bindings["state"]
    keys, classes = _table(tuple(model.state_map.items()), binding.is_text)
    if not len(keys):
        return np.full(len(state), TimeClass.UNKNOWN, np.int8)
    found = np.minimum(np.searchsorted(keys, state), len(keys) - 1)
    return np.where(keys[found] == state, classes[found], np.int8(TimeClass.UNKNOWN))


@lru_cache(maxsize=1024)
def _table(state_map: tuple[tuple[str, TimeClass], ...], is_text: bool) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    table = {text_code(raw) if is_text else float(raw): value for raw, value in state_map}
    keys = np.array(sorted(table), np.float64)
    return keys, np.array([table[key] for key in keys.tolist()], np.int8)


def growths(counter: Series) -> NDArray[np.int64]:
    """int64[n]: when a counter was seen to have moved. A fall to zero is a reset, not a movement."""
    known = counter.at(np.flatnonzero(counter.usable))
    moved = (known.value[1:] > known.value[:-1]) | ((known.value[1:] < known.value[:-1]) & (known.value[1:] > 0))
    return known.time_ms[1:][moved]


def moving(grown_ms: NDArray[np.int64], at_ms: NDArray[np.int64], moves_ms: int, horizon_ms: int) -> NDArray[np.bool_]:
    """Whether a counter was moving at moments: growths before and after are no further apart than `moves_ms`.

    After the last growth it moves on until the horizon is that far away: then the stop began with that growth.
    """
    if not len(grown_ms):
        return np.zeros(len(at_ms), np.bool_)
    last = np.searchsorted(grown_ms, at_ms, "right") - 1
    following = np.append(grown_ms[1:], max(horizon_ms, int(grown_ms[-1])))
    near: NDArray[np.bool_] = (last >= 0) & ((following - grown_ms)[last] <= moves_ms)
    return near


def state_text(model: AssetModel, rule: int, state: float, text_of: Callable[[float], str]) -> str:
    """A state as people read it: the rule's label, or the value as its source wrote it; "" where nothing is known."""
    if rule != FROM_MAP and model.state_rules[rule].label:
        return model.state_rules[rule].label
    if np.isnan(state):
        return ""
    role = "state" if rule == FROM_MAP else model.state_rules[rule].role
    binding = model.bindings.get(role)
    return text_of(state) if binding is not None and binding.is_text else number_text(state)

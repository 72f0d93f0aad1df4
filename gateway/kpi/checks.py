"""What can be said against single readings: whether they are accurate, and whether they are clean. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import COUNTS, AssetModel, Binding, TimeClass
from gateway.kpi.cells import MINUTE_MS
from gateway.kpi.counters import Anomaly, Increments
from gateway.kpi.facts import Series
from gateway.kpi.states import classify

_UNEXPLAINED: Final = (Anomaly.IMPLAUSIBLE, Anomaly.SPIKE, Anomaly.REPLACED)
_SUM: Final = {"total": 1, "good": -1, "scrap": -1, "rework": -1}
"""Role → its sign in a balance of parts that comes to 0."""


class Verdict(NamedTuple):
    """bool[n] each, one per fact of a role.

    wrong  against a rule; None: no rule says anything about this role
    bad    unusable, a growth that cannot be, or a value that stood still for too long
    """

    wrong: NDArray[np.bool_] | None
    bad: NDArray[np.bool_]


def verdict(asset: AssetModel, role: str, series: Series, grown: Increments | None, amiss: "Amiss") -> Verdict:
    """What is wrong about the readings of a role.

    Rules: a range that the config gives, a state that map or rules know, a counter that grows plausibly, and counts
    that make one sum. Where one of them applies, an unusable reading is wrong, too.

    Args:
        series: the role's facts with their neighbours.
        grown: what they count, None where they count nothing.
        amiss: where the counts of the asset contradict each other.
    """
    binding, unusable = asset.bindings[role], ~series.usable
    strange = np.zeros(len(series), np.bool_)
    if grown is not None:
        strange[series.usable] = np.isin(grown.anomaly, _UNEXPLAINED)
    bad = unusable | strange | _flat(series, binding.flat_ms)
    rules = []
    if grown is not None and binding.kind != "pulse":
        rules.append(strange)
    if binding.low > -np.inf or binding.high < np.inf:
        rules.append((series.value < binding.low) | (series.value > binding.high))
    if _is_mapped(asset, role, binding):
        rules.append(classify(asset, {"state": series.value})[0] == TimeClass.UNKNOWN)
    if role in amiss.roles:
        rules.append(amiss.at(series.time_ms))
    return Verdict(np.logical_or.reduce([unusable, *rules]) if rules else None, bad)


def _is_mapped(asset: AssetModel, role: str, binding: Binding) -> bool:
    return role == "state" and not binding.moves_ms and all(rule.role == role for rule in asset.state_rules)


def _flat(series: Series, limit_ms: int) -> NDArray[np.bool_]:
    """Whether a value has not changed for longer than a limit, by readings that go back that far. 0: no limit."""
    found = np.zeros(len(series), np.bool_)
    if limit_ms and len(series):
        known = np.flatnonzero(series.usable)
        time_ms, value = series.time_ms[known], series.value[known]
        changed = np.flatnonzero(np.diff(value, prepend=np.nan) != 0)
        since = time_ms[changed][np.searchsorted(changed, np.arange(len(known)), "right") - 1]
        found[known] = time_ms - since > limit_ms
    return found


class Amiss:
    """Where total = good + scrap + rework does not hold: minutes in which it fails by more than one reading shows.

    Whole minutes, also where the range holds a part of them: so that ranges add up.
    """

    def __init__(self, asset: AssetModel, grown: Mapping[str, Increments], from_ms: int, to_ms: int) -> None:
        read = [role for role in _SUM if role in grown and asset.bindings[role].kind != "booked"]
        self.roles = tuple(read) if all(role in read for role in COUNTS) else ()
        self._first = from_ms // MINUTE_MS
        over = np.zeros(max(0, -(-to_ms // MINUTE_MS) - self._first), np.int64)
        most = over.copy()
        for role in self.roles:
            minute = grown[role].time_ms // MINUTE_MS - self._first
            inside = (minute >= 0) & (minute < len(over))
            np.add.at(over, minute[inside], _SUM[role] * grown[role].step[inside])
            np.maximum.at(most, minute[inside], grown[role].step[inside])
        self._fails = np.append(np.abs(over) > most, False)

    def at(self, time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[n]: whether moments lie in such a minute; outside the range none does."""
        minute = time_ms // MINUTE_MS - self._first
        outside = len(self._fails) - 1
        found: NDArray[np.bool_] = self._fails[np.where((minute < 0) | (minute > outside), outside, minute)]
        return found

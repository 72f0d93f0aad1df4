"""Parts of a range: what counters saw and what people booked, in one balance. Pure."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import COUNTS, MORE_COUNTS, AssetModel
from gateway.kpi.cells import Cells
from gateway.kpi.counters import Anomaly, Increments, booked_increments, count_increments, energy_increments
from gateway.kpi.facts import Series

BOOKED: Final = "_booked"
ENERGY: Final = "energy"
BOOKED_ROLES: Final = tuple(role + BOOKED for role in (*COUNTS, *MORE_COUNTS))
_BALANCED: Final = ("total", "good", "scrap", "rework")
_SIGNS: Final = np.array([[1], [-1], [-1], [-1]])
Counted = dict[str, NDArray[np.int64]]


def grown(asset: AssetModel, facts: Mapping[str, Series]) -> dict[str, Increments]:
    """role → what its readings count: parts, and mWh of the energy register."""
    found = {
        role: count_increments(facts.get(role, Series.empty()), asset.bindings[role], _pace_us(asset))
        for role in (*COUNTS, *MORE_COUNTS)
        if role in asset.bindings
    }
    if ENERGY in asset.bindings:
        found[ENERGY] = energy_increments(facts.get(ENERGY, Series.empty()), asset.bindings[ENERGY])
    return found


def _pace_us(asset: AssetModel) -> int | None:
    """The shortest time per part that may be ideal; None: nobody says."""
    ideals = [*asset.ideal_by_product.values(), *([asset.ideal_cycle_us] if asset.ideal_cycle_us else [])]
    return min(ideals, default=0) or cycle_us(asset.rated_per_h) or None


def parts(asset: AssetModel, counted: Mapping[str, Increments], facts: Mapping[str, Series], cells: Cells) -> Counted:
    """Parts by the cell of the reading that shows them, also `facts_bad` and `counter_anomalies`.

    Any two of total, good and scrap give the third: total = good + scrap + rework. Bookings keep that true.
    """
    found: Counted = {"facts_bad": cells.zeros, "counter_anomalies": cells.zeros}
    for role in (*COUNTS, *MORE_COUNTS):
        if role in counted:
            one = counted[role]
            found[role] = cells.sum(one.time_ms, one.step)
            found["facts_bad"] = found["facts_bad"] + cells.sum(one.time_ms[one.rejected])
            strange = cells.sum(one.time_ms[one.anomaly != Anomaly.NONE])
            found["counter_anomalies"] = found["counter_anomalies"] + strange
    is_whole = sum(role in found for role in COUNTS) > 1
    if is_whole:
        _complete(found, found.get("rework", cells.zeros))
    for role, amount in _booked(facts, cells, balanced=is_whole).items():
        found[role] = found.get(role, cells.zeros) + amount
    return found | _ideals(asset, found, cells)


def cycle_us(per_h: float | None) -> int:
    """µs per part at a speed in parts per hour; 0 where there is none."""
    return round(3.6e9 / per_h) if per_h else 0


def _complete(found: Counted, rework: NDArray[np.int64]) -> None:
    if "total" not in found:
        found["total"] = found["good"] + found["scrap"] + rework
    elif "good" not in found:
        found["good"] = found["total"] - found["scrap"] - rework
    elif "scrap" not in found:
        found["scrap"] = found["total"] - found["good"] - rework


def _booked(facts: Mapping[str, Series], cells: Cells, *, balanced: bool) -> Counted:
    """What people booked, by cell.

    What was booked for one moment is balanced, so that the parts stay one sum: good takes the difference, or total
    where good was booked as well, or scrap where both were. Who books all three is believed.
    """
    booked = {
        role: booked_increments(facts[role + BOOKED]) for role in (*_BALANCED, *MORE_COUNTS) if role + BOOKED in facts
    }
    found = {role: cells.sum(one.time_ms, one.step) for role, one in booked.items()}
    times = np.unique(
        np.concatenate([booked[role].time_ms for role in _BALANCED if role in booked] or [cells.zeros[:0]])
    )
    if not balanced or not len(times):
        return found
    amounts = np.zeros((len(_BALANCED), len(times)), np.int64)
    said = np.zeros(amounts.shape, np.bool_)
    for row, role in enumerate(_BALANCED):
        if role in booked:
            at = np.searchsorted(times, booked[role].time_ms)
            np.add.at(amounts[row], at, booked[role].step)
            said[row, at] = True
    over = (amounts * _SIGNS).sum(axis=0)
    takers = [~said[1], ~said[0], ~said[2]]
    amounts[1] += np.where(takers[0], over, 0)
    amounts[0] -= np.where(takers[1] & ~takers[0], over, 0)
    amounts[2] += np.where(takers[2] & ~takers[0] & ~takers[1], over, 0)
    return found | {role: cells.sum(times, amount) for role, amount in zip(_BALANCED, amounts, strict=True)}


def _ideals(asset: AssetModel, found: Counted, cells: Cells) -> Counted:
    """Parts × time per part, by the product of each cell."""
    each = [asset.ideal_by_product.get(name, asset.ideal_cycle_us or 0) for name in cells.products]
    ideal_us = np.array(each, np.int64)[cells.product]
    total = found.get("total", cells.zeros)
    startup_scrap = np.where(cells.startup, found.get("scrap", cells.zeros), 0)
    return {
        "output": total,
        "startup_scrap": startup_scrap,
        "ideal_total": total * ideal_us,
        "ideal_good": found.get("good", cells.zeros) * ideal_us,
        "ideal_startup": startup_scrap * ideal_us,
        "rated_total": total * cycle_us(asset.rated_per_h),
        "takt_total": total * (asset.takt_us or 0),
    }

"""Summed buckets → values with bounds, reasons, flags and a status; ratios are never averaged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue.catalogue import STANDARD, Catalogue, Row
from gateway.kpi.catalogue.formula import Formula, Sums, Terms, spell
from gateway.kpi.catalogue.gate import Status
from gateway.kpi.factors import Factor

NO_GRID_FACTOR: Final = "no grid factor: add packs: [vietnam]"
TOO_MANY_FLAG: Final = "good_exceeds_total"
EVERYBODYS: Final = frozenset(name for name in quantities if name.startswith(("energy", "facts", "counter", "dq_")))
"""Quantities that a serial line has from all its assets; the others are its constraint's."""
_ZERO: Final = {
    "planned": "no planned time",
    "time_producing": "no producing time",
    "total": "no parts",
    "good": "no good parts",
    "energy": "no energy",
    "inspected": "no inspected parts",
}


@dataclass(frozen=True, slots=True)
class Result:
    """The value of a KPI, or why it has none.

    low, high  bounds where part of the planned time is unknown: all of it down, all of it up at ideal speed
    factors    the records used, in words
    method     which of the ways to compute it was taken
    flags      what makes the value suspect, such as `ideal_cycle_suspect`
    status     how good the data behind it is; "": nothing was scored
    """

    value: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None
    factors: tuple[str, ...] = ()
    method: str = ""
    flags: tuple[str, ...] = ()
    status: Status = ""


def evaluate(
    sums: Sums,
    grid: Factor | None = None,
    needs: Mapping[str, str] | None = None,
    catalogue: Catalogue = STANDARD,
    window: str = "",
    steps: Sequence[Sums] = (),
) -> dict[str, Result]:
    """Every KPI of a window over its summed buckets, also `<id>_low`, `<id>_high` of the bounded ones.

    Args:
        sums: quantity → sum over any window and any assets (`combine`).
        grid: the grid factor that applies (`Factors.grid`), None: no carbon values.
        needs: `available(...)`: KPIs with a text here get no value and this reason.
        catalogue: the site's KPIs.
        window: leaves out what is not published there; "": any range, every KPI.
        steps: of a serial line the sums of each of its assets, for KPIs that are products over these.
    """
    shown, rows = catalogue.of_window(window)
    lacks = needs or {}
    status = catalogue.gate.status(sums)
    found: dict[str, Result] = {}
    for row in rows:
        need = lacks.get(row.kpi.id, "")
        found[row.kpi.id] = Result(None, need) if need else _result(row, sums, grid, steps)
    return _listed(rows, shown, found, status)


def _listed(
    rows: Sequence[Row], shown: frozenset[str], found: Mapping[str, Result], status: Status
) -> dict[str, Result]:
    """The shown rows with what they take from others, and their bounds as results of their own."""
    listed: dict[str, Result] = {}
    for kpi in (row.kpi for row in rows if row.kpi.id in shown):
        result = found[kpi.id]
        other = found.get(kpi.instead)
        if other and (other.value is not None or other.flags):
            result = other
        flags = (*result.flags, *(flag for one in kpi.follows for flag in found[one].flags))
        result = replace(result, method=result.method or kpi.method, flags=tuple(dict.fromkeys(flags)), status=status)
        listed[kpi.id] = result
        if kpi.is_bounded:
            listed[f"{kpi.id}_low"] = Result(result.low, result.reason, method=kpi.method, status=status)
            listed[f"{kpi.id}_high"] = Result(result.high, result.reason, method=kpi.method, status=status)
    return listed


def _result(row: Row, sums: Sums, grid: Factor | None, steps: Sequence[Sums]) -> Result:
    kpi = row.kpi
    if kpi.grid and grid is None:
        return Result(None, NO_GRID_FACTOR)
    if kpi.rollup == "P" and steps:
        return _product(row, steps)
    scale = kpi.scale * (grid.kg_per_kwh if kpi.grid and grid else 1.0)
    lacking = row.formula.zero(sums)
    if lacking is not None:
        return Result(None, _nothing(row, lacking, sums))
    value = row.formula.numerator(sums) / row.formula.denominator(sums) * scale
    if not math.isfinite(value):
        return Result(None, "the formula gives no finite number")
    if kpi.refused and value > 1:
        return Result(None, kpi.refused, flags=(TOO_MANY_FLAG,))
    flags = (kpi.above_one,) if kpi.above_one and value > 1 else ()
    low, high = _bounds(row, value, sums) if kpi.is_bounded else (None, None)
    used = (grid.label,) if kpi.grid and grid else ()
    return Result(value, low=low, high=high, factors=used, method=kpi.method, flags=flags)


def _bounds(row: Row, value: float, sums: Sums) -> tuple[float, float]:
    """All unknown time down, all of it up. The upper bound of a share ends at 1, but never below the value."""
    low, high = _share(row.low, sums, value), _share(row.high, sums, value)
    return min(value, low), max(value, min(1.0, high))


def _share(formula: Formula | None, sums: Sums, otherwise: float) -> float:
    divisor = formula.denominator(sums) if formula else 0
    return formula.numerator(sums) / divisor if formula and divisor else otherwise


def _product(row: Row, steps: Sequence[Sums]) -> Result:
    """Over the machines of a serial line: what passes the line has passed each of them."""
    of_each = [_result(row, sums, None, ()) for sums in steps]
    values = [one.value for one in of_each if one.value is not None]
    if not values:
        return Result(None, of_each[0].reason)
    return Result(math.prod(values), method=f"product over {len(values)} machines")


def _nothing(row: Row, lacking: Terms, sums: Sums) -> str:
    kpi = row.kpi
    if "{" in kpi.zero:
        return kpi.zero.format(row.formula.numerator(sums) * kpi.scale)
    if kpi.zero:
        return kpi.zero
    names = [name for _, name in lacking]
    return _ZERO.get(names[0], f"{spell(lacking)} is 0") if len(names) == 1 else f"{spell(lacking)} is 0"


def combine(parts: Sequence[Sums], constraint: Sums | None = None, last: Sums | None = None) -> dict[str, int]:
    """Sums of a line, area or site from those of its assets.

    constraint: the sums of a serial line's limiting asset: time and counts are its own, energy is everybody's.
    last: the sums of a serial line's last asset: what leaves it leaves the line; not given: the constraint.
    """
    whole = {name: sum(part.get(name, 0) for part in parts) for name in quantities}
    if constraint is None:
        return whole
    own = {name: constraint.get(name, 0) for name in quantities if name not in EVERYBODYS}
    return whole | own | {"output": (constraint if last is None else last).get("output", 0)}

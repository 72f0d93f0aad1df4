"""Summed buckets → values with bounds, reasons, flags and a status; ratios are never averaged."""

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import Final, NamedTuple

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue.catalogue import STANDARD, Catalogue, Plan, Row
from gateway.kpi.catalogue.formula import Formula, Fraction, Sums
from gateway.kpi.catalogue.gate import Status
from gateway.kpi.factors import Factor

NO_GRID_FACTOR: Final = "no grid factor: add packs: [vietnam]"
BELOW_ZERO: Final = "more parts were scrapped or taken back than were made: look at what was booked"
BELOW_ZERO_FLAG: Final = "parts_below_zero"
PARTS: Final = frozenset(
    (
        *("total", "good", "scrap", "rework", "startup_scrap", "output", "inspected", "passed"),
        *("ideal_total", "ideal_good", "ideal_startup", "rated_total", "takt_total"),
    )
)
"""Quantities that are parts, or time for parts: people may book more scrap than was made."""
_COUNTED: Final = ("energy", "metered", "facts", "counter", "dq_")
EVERYBODYS: Final = frozenset(name for name in quantities if name.startswith(_COUNTED))
"""Quantities that a serial line has from all its assets; the others are its constraint's."""
_ZERO: Final = {
    "planned": "no planned time",
    "time_producing": "no producing time",
    "total": "no parts",
    "good": "no good parts",
    "energy": "no energy",
    "inspected": "no inspected parts",
}


class Result(NamedTuple):
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
    plan, lacks = catalogue.plan(window), needs or {}
    status = catalogue.gate.status(sums)
    fractions = plan.fractions(sums.get)
    found: dict[str, Result] = {}
    for place, (row, low, high) in enumerate(plan.rows):
        kpi = row.kpi
        need = lacks.get(kpi.id)
        if need:
            found[kpi.id] = Result(None, need, None, None, (), kpi.method, (), status)
        elif kpi.rollup == "P" and steps:
            found[kpi.id] = _product(row, steps, status)
        else:
            own = fractions[place] if isinstance(row.formula, Formula) else row.formula.fraction(sums)
            result = _result(row, own, sums, grid, status)
            found[kpi.id] = _bounded(result, fractions, low, high) if kpi.is_bounded else result
    return _listed(plan, found)


def _listed(plan: Plan, found: Mapping[str, Result]) -> dict[str, Result]:
    """The shown rows with what they take from others, and their bounds as results of their own."""
    listed: dict[str, Result] = {}
    for row, _, _ in plan.rows:
        kpi = row.kpi
        if kpi.id not in plan.shown:
            continue
        result = found[kpi.id]
        if kpi.instead and ((other := found[kpi.instead]).value is not None or other.flags):
            result = other
        for name in kpi.follows:
            if found[name].flags:
                result = result._replace(flags=tuple(dict.fromkeys((*result.flags, *found[name].flags))))
        listed[kpi.id] = result
        if kpi.is_bounded:
            _, reason, low, high, _, method, _, status = result
            listed[f"{kpi.id}_low"] = Result(low, reason, None, None, (), method, (), status)
            listed[f"{kpi.id}_high"] = Result(high, reason, None, None, (), method, (), status)
    return listed


def _result(row: Row, fraction: Fraction, sums: Sums, grid: Factor | None, status: Status) -> Result:
    """The value without its bounds, or why there is none."""
    kpi = row.kpi
    if kpi.grid and grid is None:
        return Result(None, NO_GRID_FACTOR, None, None, (), kpi.method, (), status)
    above, below = fraction
    if not below:
        return Result(None, _nothing(row, sums, above), None, None, (), kpi.method, (), status)
    value = above * kpi.times / (below * kpi.per)
    if not isfinite(value):
        return Result(None, "the formula gives no finite number", None, None, (), kpi.method, (), status)
    if value < 0 and is_below_zero(row, sums):
        return Result(None, BELOW_ZERO, None, None, (), kpi.method, (BELOW_ZERO_FLAG,), status)
    if kpi.grid and grid:
        return Result(value * grid.kg_per_kwh, "", None, None, (grid.label,), kpi.method, (), status)
    if value > 1 and kpi.refused:
        return Result(None, kpi.refused, None, None, (), kpi.method, (kpi.suspect,), status)
    flags = (kpi.above_one,) if value > 1 and kpi.above_one else ()
    return Result(value, "", None, None, (), kpi.method, flags, status)


def is_below_zero(row: Row, sums: Sums) -> bool:
    """Whether a ratio of the catalogue is below 0 since its parts are; a plain sum and a user's own formula may be."""
    is_ratio = row.kpi.rollup != "S" and isinstance(row.formula, Formula)
    return is_ratio and any(sums.get(name, 0) < 0 for name in row.formula.names if name in PARTS)


def _bounded(result: Result, fractions: Sequence[Fraction], low: int, high: int) -> Result:
    """With all unknown time down, and all of it up. The upper bound of a share ends at 1, but never below the value."""
    value = result.value
    if value is None:
        return result
    least, most = (_share(fractions[at], value) if at >= 0 else value for at in (low, high))
    return result._replace(low=min(value, least), high=max(value, min(1.0, most)))


def _share(fraction: Fraction, otherwise: float) -> float:
    above, below = fraction
    return above / below if below else otherwise


def _product(row: Row, steps: Sequence[Sums], status: Status) -> Result:
    """Over the machines of a serial line: what passes the line has passed each of them."""
    found = [_result(row, row.formula.fraction(sums), sums, None, status) for sums in steps]
    values = [one.value for one in found if one.value is not None]
    if not values:
        return found[0]
    return Result(prod(values), method=f"product over {len(values)} machines", status=status)


def _nothing(row: Row, sums: Sums, above: float) -> str:
    kpi = row.kpi
    if "{" in kpi.zero:
        return kpi.zero.format(above * kpi.times / kpi.per)
    lacking = row.formula.lacking(sums)
    return kpi.zero or _ZERO.get(lacking, f"{lacking} is 0")


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

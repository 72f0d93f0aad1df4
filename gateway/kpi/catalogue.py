"""The KPI catalogue as data: every KPI is a ratio of sums of bucket quantities, and ratios are never averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.kpi.buckets import quantities
from gateway.kpi.factors import Factor

_US_PER_H: Final = 3.6e9
_KWH_PER_MWH: Final = 1e-6  # a milliwatt hour, not a mega
_KNOWN: Final = tuple(f"time_{name}" for name in ("producing", "setup", "idle", "fault", "blocked", "starved"))
_IDLE: Final = tuple(
    f"energy_{name}" for name in ("idle", "fault", "blocked", "starved", "planned_stop", "unplanned", "unknown")
)


@dataclass(frozen=True, slots=True)
class Kpi:
    """One row: value = Σ numerator ÷ Σ denominator × scale (× grid factor).

    denominator  () for a plain sum
    high         numerator of the upper bound, where unknown time gives the KPI bounds: all of it up, at ideal speed
    grid         multiplied by the grid emission factor
    rollup       R: ratio of sums, S: sum
    """

    id: str
    name: str
    unit: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    scale: float = 1.0
    high: tuple[str, ...] = ()
    grid: bool = False
    rollup: str = "R"
    standard: str = ""
    clause: str = ""
    method: str = ""


CATALOGUE: Final[tuple[Kpi, ...]] = (
    Kpi(
        "availability",
        "Availability",
        "1",
        ("time_producing",),
        ("planned",),
        high=("time_producing", "time_unknown"),
        standard="ISO 22400-2",
        clause="KPI 8",
        method="iso",
    ),
    Kpi(
        "effectiveness",
        "Effectiveness (performance)",
        "1",
        ("ideal_total",),
        ("time_producing",),
        standard="ISO 22400-2",
        clause="KPI 9",
        method="iso",
    ),
    Kpi(
        "quality_rate",
        "Quality rate",
        "1",
        ("good",),
        ("total",),
        standard="ISO 22400-2",
        clause="KPI 10",
        method="iso",
    ),
    Kpi(
        "oee",
        "Overall equipment effectiveness",
        "1",
        ("ideal_good",),
        ("planned",),
        high=("ideal_good", "time_unknown"),
        standard="ISO 22400-2",
        clause="KPI 6",
        method="iso",
    ),
    Kpi(
        "throughput",
        "Throughput per planned hour",
        "1/h",
        ("total",),
        ("planned",),
        scale=_US_PER_H,
        standard="ISO 22400-2",
        clause="KPI 3, over planned busy time",
    ),
    Kpi("energy", "Electricity", "kWh", ("energy",), scale=_KWH_PER_MWH, rollup="S", standard="ISO 50001"),
    Kpi(
        "sec",
        "Specific energy consumption per good part",
        "kWh",
        ("energy",),
        ("good",),
        scale=_KWH_PER_MWH,
        standard="ISO 50006",
        clause="ratio EnPI",
    ),
    Kpi("idle_energy_share", "Share of energy used without production or set-up", "1", _IDLE, ("energy",)),
    Kpi(
        "co2e",
        "Scope 2 emissions, location-based",
        "kg",
        ("energy",),
        scale=_KWH_PER_MWH,
        grid=True,
        rollup="S",
        standard="GHG Protocol Scope 2",
        method="location-based",
    ),
    Kpi(
        "carbon_intensity",
        "Scope 2 emissions per good part",
        "kg",
        ("energy",),
        ("good",),
        scale=_KWH_PER_MWH,
        grid=True,
        standard="GHG Protocol Scope 2",
        method="location-based",
    ),
    Kpi("coverage", "Share of planned time that is known", "1", _KNOWN, ("planned",)),
)
NO_GRID_FACTOR: Final = "no grid factor: add packs: [vietnam]"
_ZERO: Final = {
    "planned": "no planned time",
    "time_producing": "no producing time",
    "total": "no parts",
    "good": "no good parts",
    "energy": "no energy",
}


@dataclass(frozen=True, slots=True)
class Result:
    """The value of a KPI, or why it has none.

    low, high  bounds where part of the planned time is unknown: all of it down, all of it up at ideal speed
    factors    the records used, in words
    """

    value: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None
    factors: tuple[str, ...] = ()


def ratio(kpi: Kpi, sums: Mapping[str, int], grid: Factor | None = None) -> Result:
    """One KPI over summed buckets.

    The low bound is the value itself: unknown time is planned time in which nothing was seen to run. The high bound
    adds the unknown time to the numerator and is capped at 1, but never below the value.
    """
    if kpi.grid and grid is None:
        return Result(None, NO_GRID_FACTOR)
    divisor = _sum(sums, kpi.denominator) if kpi.denominator else 1
    if divisor == 0:
        return Result(None, _ZERO[kpi.denominator[0]])
    factor = kpi.scale * (grid.kg_per_kwh if kpi.grid and grid else 1.0)
    value = _sum(sums, kpi.numerator) / divisor * factor
    used = (grid.label,) if kpi.grid and grid else ()
    if not kpi.high:
        return Result(value, factors=used)
    high = max(value, min(1.0, _sum(sums, kpi.high) / divisor * factor))
    return Result(value, low=value, high=high, factors=used)


def evaluate(
    sums: Mapping[str, int], grid: Factor | None = None, needs: Mapping[str, str] | None = None
) -> dict[str, Result]:
    """Every KPI over summed buckets, also `<id>_low`, `<id>_high` of the bounded ones.

    Args:
        sums: quantity → sum over any window and any assets (`combine`).
        grid: the grid factor that applies (`Factors.grid`), None: no carbon values.
        needs: `available(...)`: KPIs with a text here get no value and this reason.
    """
    found: dict[str, Result] = {}
    for kpi in CATALOGUE:
        need = (needs or {}).get(kpi.id, "")
        result = Result(None, need) if need else ratio(kpi, sums, grid)
        found[kpi.id] = result
        if kpi.high:
            found[f"{kpi.id}_low"] = Result(result.low, result.reason)
            found[f"{kpi.id}_high"] = Result(result.high, result.reason)
    return found


def combine(parts: Sequence[Mapping[str, int]], constraint: Mapping[str, int] | None = None) -> dict[str, int]:
    """Sums of a line, area or site from those of its assets.

    constraint: the sums of a serial line's limiting asset: time and counts are its own, energy is everybody's.
    """
    whole = {name: sum(part.get(name, 0) for part in parts) for name in quantities}
    if constraint is None:
        return whole
    return whole | {name: constraint.get(name, 0) for name in quantities if not name.startswith("energy")}


def _sum(sums: Mapping[str, int], names: Sequence[str]) -> int:
    return sum(sums.get(name, 0) for name in names)

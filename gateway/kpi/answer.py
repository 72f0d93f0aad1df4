"""Sums of a window as people and boards get them: KPI values, bounds, reasons and the factors that were used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gateway.kpi.catalogue import evaluate
from gateway.kpi.factors import Factors


@dataclass(frozen=True, slots=True)
class Kpis:
    """KPIs of one window.

    values   KPI id (also `<id>_low`, `<id>_high`, `coverage`) → value, None where there is none
    reasons  KPI id → why it has no value
    factors  KPI id → the factor record that was applied
    """

    values: dict[str, float | None]
    reasons: dict[str, str]
    factors: dict[str, str]


def kpis(sums: Mapping[str, int], day: date, factors: Factors, needs: Mapping[str, str]) -> Kpis:
    """Every KPI over summed buckets of a business date. needs: what the owner's config lacks, see `available`."""
    found = evaluate(sums, factors.grid(day), needs)
    return Kpis(
        {kpi: result.value for kpi, result in found.items()},
        {kpi: result.reason for kpi, result in found.items() if result.value is None},
        {kpi: ", ".join(result.factors) for kpi, result in found.items() if result.factors},
    )

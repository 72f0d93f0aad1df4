"""The KPI catalogue as data: every KPI is a ratio of sums of bucket quantities, and ratios are never averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kpi.factors import Factor


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


def evaluate(
    sums: Mapping[str, int], grid: Factor | None = None, needs: Mapping[str, str] | None = None
) -> dict[str, Result]:
    """Every KPI over summed buckets, also `<id>_low`, `<id>_high` of the bounded ones and `coverage`.

    Args:
        sums: quantity → sum over any window and any assets.
        grid: the grid factor that applies (`Factors.grid`), None: no carbon values.
        needs: `available(model)`: KPIs with a text here get no value and this reason.
    """
    raise NotImplementedError


def combine(parts: Sequence[Mapping[str, int]], constraint: Mapping[str, int] | None = None) -> dict[str, int]:
    """Sums of a line, area or site from those of its assets.

    constraint: the sums of a serial line's limiting asset: time and counts are its own, energy is everybody's.
    """
    raise NotImplementedError

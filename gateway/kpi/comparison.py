"""KPIs of many owners over many windows at once, as columns: for comparisons, rankings and long charts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.catalogue import PARTS, Catalogue, Formula, Row
from gateway.kpi.catalogue.formula import compiled
from gateway.kpi.windows import CALENDAR, Context, Read, calendar_rows

Column = NDArray[np.float64]
Get = Callable[[str, int], Column]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """n windows of some owners, in order of owner and time.

    owners    whose window each is
    start_ms, end_ms  int64[n]
    names     of shifts, else ""
    values    KPI → float64[n], NaN where it has no value: `KpiReader.kpis` says why
    """

    owners: tuple[str, ...]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    names: tuple[str, ...]
    values: Mapping[str, Column]


def compare(
    read: Read, context: Context, owners: Sequence[str], window: str, span: tuple[int, int], kpis: Sequence[str]
) -> Comparison:
    """Some KPIs of some owners over the windows that begin in a range.

    The same formulas over the same sums as `KpiReader.kpis`, in float64: equal while sums are below 2^53, and to the
    last bit but one where a formula multiplies them.

    Raises: ValueError: there is no such window or KPI.
    """
    if window not in CALENDAR:
        raise ValueError(f"no window {window!r} to compare: {', '.join(CALENDAR)}")
    catalogue = context.rules.catalogue
    rows = _rows(catalogue, kpis)
    columns = tuple(dict.fromkeys(name for row in rows.values() for name in row.formula.names))
    found = calendar_rows(read, sorted(owners), window, *span, columns)
    owned = tuple(one[0] for one in found)
    starts, ends = (np.array([one[at] for one in found], np.int64) for at in (1, 2))
    sums = np.array([one[5:] for one in found], np.float64).reshape(len(found), len(columns))
    table = dict(zip(columns, sums.T, strict=True))
    values = {kpi: _column(row, table, len(found)) for kpi, row in rows.items()}
    for kpi, row in rows.items():
        if row.kpi.grid:
            values[kpi] = values[kpi] * _grid(context, starts)
        values[kpi][_lacking(context, owned, kpi)] = np.nan
    for kpi, row in rows.items():
        if row.kpi.instead:
            other = values[row.kpi.instead]
            values[kpi] = np.where(np.isnan(other), values[kpi], other)
    return Comparison(owned, starts, ends, tuple(one[3] for one in found), {kpi: values[kpi] for kpi in kpis})


def _rows(catalogue: Catalogue, kpis: Sequence[str]) -> dict[str, Row]:
    """The rows of these KPIs, after those that they take values from."""
    found: dict[str, Row] = {}
    for kpi in kpis:
        row = catalogue.row(kpi)
        if row is None:
            raise ValueError(f"no KPI {kpi!r}: {', '.join(one.kpi.id for one in catalogue.rows)}")
        other = catalogue.row(row.kpi.instead)
        if other:
            found[other.kpi.id] = other
        found[kpi] = row
    return found


def _column(row: Row, table: Mapping[str, Column], length: int) -> Column:
    if not isinstance(row.formula, Formula):
        rows = (dict(zip(table, sums, strict=True)) for sums in zip(*table.values(), strict=True))
        fractions = [row.formula.fraction({name: int(value) for name, value in sums.items()}) for sums in rows]
        above, below = np.array(fractions, np.float64).reshape(length, 2).T
    else:
        on_columns = cast("Callable[[Get], tuple[tuple[Column, Column]]]", compiled([row.formula]))
        ((above, below),) = on_columns(lambda name, _: table[name])
    value = np.full(length, np.nan)
    np.divide(above * row.kpi.times, below * row.kpi.per, out=value, where=below != 0)
    if row.kpi.refused:
        value[value > 1] = np.nan
    if row.kpi.rollup != "S" and isinstance(row.formula, Formula):
        parts = [table[name] < 0 for name in row.formula.names if name in PARTS]
        value[(value < 0) & np.any(parts, axis=0)] = np.nan
    return value


def _grid(context: Context, starts: NDArray[np.int64]) -> Column:
    """kg per kWh for each window."""
    factors = [context.rules.factors.grid(context.day_of(start)) for start in starts.tolist()]
    return np.array([np.nan if factor is None else factor.kg_per_kwh for factor in factors], np.float64)


def _lacking(context: Context, owners: Sequence[str], kpi: str) -> NDArray[np.bool_]:
    """Windows of owners whose config lacks something for a KPI."""
    needs = context.rules.needs
    runs = [(owner, len(list(run))) for owner, run in groupby(owners)]
    return np.repeat(
        np.array([bool(needs.get(owner, {}).get(kpi)) for owner, _ in runs], np.bool_), [n for _, n in runs]
    )

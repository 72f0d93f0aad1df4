"""Minutes split by product and order. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """What of some minutes belongs to one product and order, "" where none was known.

    minute  int64[k]                     minutes since 1970, UTC, ascending
    values  int64[len(quantities), k]    the rows of all slices of a minute add up to the minute
    """

    product: str
    order: str
    minute: NDArray[np.int64]
    values: NDArray[np.int64]


def slices(cells: Cells, values: NDArray[np.int64]) -> tuple[Slice, ...]:
    """The slices of a range from its cells, int64[len(quantities), c].

    Empty where the asset says neither product nor order; without such roles only minutes count that an interval names.
    """
    label = cells.product * len(cells.orders) + cells.order
    kept = np.ones(len(cells), np.bool_)
    if not cells.labelled:
        kept = np.isin(cells.row, cells.row[label != 0])
    found: list[Slice] = []
    for one in np.unique(label[kept]).tolist():
        mine = np.flatnonzero(kept & (label == one))
        rows, first = np.unique(cells.row[mine], return_index=True)
        product, order = divmod(one, len(cells.orders))
        summed = np.add.reduceat(values[:, mine], first, axis=1)
        found.append(Slice(cells.products[product], cells.orders[order], cells.minute[rows], summed))
    return tuple(found)

"""Parts that were counted between two readings while the product or order changed: whose they are nobody knows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.cells import ORDER, PRODUCT
from gateway.kpi.facts import Series
from gateway.kpi.intervals import Interval, edges_of
from gateway.kpi.query import KpiReader

ACROSS_CHANGE: Final = "parts_across_change"
"""The flag: a counter grew over a change of product or order, and all of it belongs to the reading that shows it."""


def straddles(reader: KpiReader, asset: str, roles: Mapping[str, Any], from_ms: int, to_ms: int) -> bool:
    """Whether parts of an asset's range were counted across a change.

    roles: counts of the asset → their record in the model.
    """
    laid = [one for one in reader.intervals(asset, from_ms, to_ms) if one.usable and one.kind in (PRODUCT, ORDER)]
    said = [reader.facts(asset, role, from_ms, to_ms) for role in (PRODUCT, ORDER)]
    changes = changed_ms(said, laid)
    counters = (role for role, one in roles.items() if one["kind"] == "counter")
    return any(grew_across(reader.facts(asset, role, from_ms, to_ms), changes, from_ms, to_ms) for role in counters)


def changed_ms(said: Sequence[Series], laid: Sequence[Interval]) -> NDArray[np.int64]:
    """When products and orders change: by their readings, and by what people said of stretches of time."""
    moments = [edges_of(laid)]
    for series in said:
        time_ms, value = series.time_ms[series.usable], series.value[series.usable]
        moments.append(time_ms[1:][np.diff(value) != 0])
    return np.unique(np.concatenate(moments))


def grew_across(counter: Series, changes: NDArray[np.int64], from_ms: int, to_ms: int) -> bool:
    """Whether the counter changed between two readings, of which the second is in the range, with a change of label.

    Also where the change has the moment of the second reading: they were read together.
    """
    time_ms, value = counter.time_ms[counter.usable], counter.value[counter.usable]
    before, after = time_ms[:-1], time_ms[1:]
    inside = (after >= from_ms) & (after < to_ms) & (np.diff(value) != 0)
    within = np.searchsorted(changes, after, "right") > np.searchsorted(changes, before, "right")
    return bool((inside & within).any())

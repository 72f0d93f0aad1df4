"""Minute roll-ups and latest values of sorted readings; pure."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.history.readings import Readings, edges
from gateway.model import is_usable

_Numbers: TypeAlias = NDArray[np.float64] | NDArray[np.int64]

MINUTE_S: Final = 60
MINUTE_MS: Final = 1000 * MINUTE_S


@dataclass(frozen=True, slots=True)
class Steps:
    """What happened in each step of time that has readings; all columns have one length.

    tag      int32[n]
    step     int64[n]    number of the step since 1970 UTC
    count    int64[n]    usable readings
    total    float64[n]  their sum, so that means of parts can be merged
    low      float64[n]
    high     float64[n]
    last     float64[n]  the latest in time; of equal times the one that arrived last
    last_ms  int64[n]    its time from the start of the step
    """

    tag: NDArray[np.int32]
    step: NDArray[np.int64]
    count: NDArray[np.int64]
    total: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    last: NDArray[np.float64]
    last_ms: NDArray[np.int64]


def steps(readings: Readings, step_ms: int = MINUTE_MS) -> Steps:
    """Roll-ups of numeric readings, sorted by tag and time, per tag and step.

    Bad readings and values that are not finite take no part.
    """
    used = is_usable(readings.quality) & np.isfinite(readings.value)
    if not used.all():
        readings = readings[used]
    number = readings.time_ms // step_ms
    bounds = edges(readings.tag, number)
    first, final = bounds[:-1], bounds[1:] - 1
    return Steps(
        tag=readings.tag[first],
        step=number[first],
        count=np.diff(bounds).astype(np.int64),
        total=_reduce(np.add, readings.value, first),
        low=_reduce(np.minimum, readings.value, first),
        high=_reduce(np.maximum, readings.value, first),
        last=readings.value[final],
        last_ms=readings.time_ms[final] - number[final] * step_ms,
    )


def coarser(fine: Steps, by: int) -> Steps:
    """The same in steps of `by` fine ones; `last_ms` counts from the start of the last fine step.

    fine: sorted by tag and step; several rows of one step merge too.
    """
    number = fine.step // by
    bounds = edges(fine.tag, number)
    first, final = bounds[:-1], bounds[1:] - 1
    return Steps(
        tag=fine.tag[first],
        step=number[first],
        count=_reduce(np.add, fine.count, first).astype(np.int64),
        total=_reduce(np.add, fine.total, first),
        low=_reduce(np.minimum, fine.low, first),
        high=_reduce(np.maximum, fine.high, first),
        last=fine.last[final],
        last_ms=fine.last_ms[final],
    )


def last_rows(readings: Readings) -> NDArray[np.intp]:
    """The row of each tag's newest reading, whatever its quality. Sorted readings → intp[tags]."""
    return readings.runs()[1:] - 1


def _reduce(how: np.ufunc, value: _Numbers, first: NDArray[np.intp]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        reduced: NDArray[np.float64] = how.reduceat(value, first) if len(first) else np.empty(0)
    return reduced

"""What people booked, laid over what the machine said: planned stops, and reasons of stops. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import STOPS, AssetModel, TimeClass
from gateway.kpi.intervals import Interval, cover, in_force

_CLASSED: Final = np.array([*STOPS, TimeClass.UNKNOWN], np.int8)
"""Classes that a reason may change: what a machine does, or stands still by plan for, no reason changes."""


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Classes and reasons of stretches of time. reason: int32[n], an index into `reasons`, whose first is ""."""

    time_class: NDArray[np.int8]
    reason: NDArray[np.int32]
    reasons: tuple[str, ...]


def lay_over(
    asset: AssetModel, intervals: Sequence[Interval], edges: NDArray[np.int64], time_class: NDArray[np.int8]
) -> Laid:
    """Intervals over classes.

    A planned stop covers its whole time, whatever the machine did, like a break of the calendar: PLANNED_STOP, or
    MAINTENANCE where its value is a reason of that class. The reason of a stop covers those stops that lie in its time
    and gives them the class that the model knows for it; unknown time it classes too. Producing time stays.

    Args:
        edges: int64[n+1], among them both ends of every interval that lies in their range.
        time_class: int8[n].
    """
    none = Laid(time_class, np.zeros(len(time_class), np.int32), ("",))
    if not intervals:
        return none
    low, high = int(edges[0]), int(edges[-1])
    planned = in_force(intervals, "planned", low, high)
    booked = in_force(intervals, "stop", low, high)
    if not planned and not booked:
        return none
    names = ("", *sorted({one.value for one in (*planned, *booked)} - {""}))
    code = {name: number for number, name in enumerate(names)}
    classes, reason = time_class.copy(), none.reason
    for one, at in _pieces(booked, edges[:-1]):
        given = asset.reasons.get(one.value)
        is_stop = np.isin(classes[at], _CLASSED)
        named = (classes[at] != TimeClass.PRODUCING) & ((classes[at] != TimeClass.UNKNOWN) | (given is not None))
        reason[at[named]] = code[one.value]
        if given is not None:
            classes[at[is_stop]] = given
    for one, at in _pieces(planned, edges[:-1]):
        is_maintenance = asset.reasons.get(one.value) is TimeClass.MAINTENANCE
        classes[at] = TimeClass.MAINTENANCE if is_maintenance else TimeClass.PLANNED_STOP
        reason[at] = code[one.value]
    return Laid(classes, reason, names)


def _pieces(intervals: Sequence[Interval], start_ms: NDArray[np.int64]) -> list[tuple[Interval, NDArray[np.int64]]]:
    """Each interval with the stretches where it is in force."""
    covered = cover(intervals, start_ms)
    return [(one, np.flatnonzero(covered == index)) for index, one in enumerate(intervals)]

"""For how long an electricity meter was read, so that what is spread over a hole is not taken for measured. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import Binding
from gateway.kpi.counters import Anomaly, Increments
from gateway.kpi.holds import POLLS_HELD

_NEAR_MS: Final = 120_000


def metered_ms(meter: Increments, binding: Binding, edge_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[n]: the measured time between n+1 moments, ms.

    Measured is the time between two good readings that are no further apart than two minutes or three polls, where
    the later one tells what was used in between: not after another meter took the place of the old one, nor around a
    spike.
    """
    if not len(meter.time_ms):
        return np.zeros(len(edge_ms) - 1, np.int64)
    near_ms = max(_NEAR_MS, POLLS_HELD * binding.hold.period_ms)
    gap = np.diff(meter.time_ms)
    spike = meter.anomaly == Anomaly.SPIKE
    told = ~np.isin(meter.anomaly[1:], (Anomaly.REPLACED, Anomaly.IMPLAUSIBLE)) & ~spike[1:] & ~spike[:-1]
    length = np.append(np.where((gap <= near_ms) & told, gap, 0), 0)
    row = np.searchsorted(meter.time_ms, edge_ms, "right") - 1
    since = np.minimum(edge_ms - meter.time_ms[row], length[row])
    before = np.concatenate([[0], np.cumsum(length[:-1])])
    found: NDArray[np.int64] = np.diff(np.where(row < 0, 0, before[row] + since))
    return found

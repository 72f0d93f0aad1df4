"""Counters → increments: roll-over, reset, jitter and implausible jumps, decided pair by pair. Pure.

Every decision looks at two neighbouring usable readings only, so it is the same however the facts are sliced.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import Binding
from gateway.kpi.facts import Series

_SPEED_LIMIT: Final = 2  # times the ideal speed
_BURST_MS: Final = 60_000  # readings may bunch up by this much: a delayed message, a slow poll
_JITTER_SHARE: Final = 1e-6  # of the register: several steps of a float32
_JITTER_MWH: Final = 1000  # 1 Wh
_REGISTER_LIMIT: Final = 2.0**60  # garbage beyond it must not overflow


@dataclass(frozen=True, slots=True, eq=False)
class Increments:
    """What a counter grew by between its usable readings.

    time_ms   int64[n]  of the n readings
    step      int64[n]  growth up to that reading, parts or mWh; 0 at the first, which only sets the base
    rejected  bool[n]   the growth was not plausible and counts as 0
    """

    time_ms: NDArray[np.int64]
    step: NDArray[np.int64]
    rejected: NDArray[np.bool_]

    def at(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cumulated growth at moments, linear between readings, rounded to whole units. int64[m] → int64[m].

        Rounding the cumulated value makes every partition of time add up exactly.
        """
        if len(self.time_ms) < 2:
            return np.zeros(len(at_ms), np.int64)
        left = np.clip(np.searchsorted(self.time_ms, at_ms, "right") - 1, 0, len(self.time_ms) - 2)
        width = np.maximum(self.time_ms[left + 1] - self.time_ms[left], 1)
        share = np.clip((at_ms - self.time_ms[left]) / width, 0.0, 1.0)
        grown: NDArray[np.int64] = np.cumsum(self.step)[left] + np.rint(self.step[left + 1] * share).astype(np.int64)
        return grown


def count_increments(series: Series, binding: Binding, ideal_cycle_us: int | None) -> Increments:
    """Parts counted up to each usable reading.

    A falling counter rolled over where the growth that this implies is plausible, otherwise it was reset and counts
    from 0. Plausible is up to twice the ideal speed, with a minute's worth for bunched readings; where no ideal time
    is known or the limit is above the modulus, half the modulus. Growth above twice the ideal speed is rejected.
    """
    time_ms, register = _usable(series, binding)
    modulus = round(binding.modulus * binding.scale_to_si)
    half = np.full(len(time_ms), modulus // 2)
    if ideal_cycle_us is None:
        step = _steps(register, modulus, half, np.zeros_like(half))
        return Increments(time_ms, step, np.zeros(len(step), np.bool_))
    limit = _SPEED_LIMIT * (np.diff(time_ms, prepend=time_ms[:1]) + _BURST_MS) * 1000 // ideal_cycle_us
    step = _steps(register, modulus, np.where(limit < modulus, limit, half), np.zeros_like(half))
    return Increments(time_ms, np.where(step > limit, 0, step), step > limit)


def energy_increments(series: Series, binding: Binding) -> Increments:
    """mWh used up to each usable reading of an energy register.

    A register that falls by no more than 1 Wh or a millionth of itself jitters: the fall counts as it is, the next
    rise makes up for it. A larger fall is a roll-over where this implies at most half the modulus, otherwise a reset.
    """
    time_ms, register = _usable(series, binding)
    modulus = round(binding.modulus * binding.scale_to_si)
    jitter = np.maximum(_JITTER_MWH, np.rint(np.abs(register) * _JITTER_SHARE).astype(np.int64))
    step = _steps(register, modulus, np.full(len(register), modulus // 2), jitter)
    return Increments(time_ms, step, np.zeros(len(step), np.bool_))


def _usable(series: Series, binding: Binding) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    register = np.rint(series.value[series.usable] * binding.scale_to_si)
    return series.time_ms[series.usable], np.clip(register, -_REGISTER_LIMIT, _REGISTER_LIMIT).astype(np.int64)


def _steps(
    register: NDArray[np.int64], modulus: int, rolls_up_to: NDArray[np.int64], jitter: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Growth up to each reading; all columns have one row per reading."""
    change = np.diff(register, prepend=register[:1])
    fell = change < -jitter
    rolled = fell & (change + modulus >= 0) & (change + modulus <= rolls_up_to)
    return np.where(rolled, change + modulus, np.where(fell, np.maximum(register, 0), change))

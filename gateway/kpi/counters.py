"""Readings → increments: counters with roll-over, reset and replacement, increments, pulses, energy registers. Pure.

Every decision looks at two neighbouring usable readings only, so it is the same however the facts are sliced.
"""

from dataclasses import dataclass
from enum import IntEnum
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
_W_MS_PER_MWH: Final = 3600
_MOST_PARTS: Final = 2**40  # in one step, where no speed is known
_MOST_MWH: Final = 10**15  # in one step: 1 TWh, so that sums over years stay within 64 bits


class Anomaly(IntEnum):
    """What was strange about a reading of a counter."""

    NONE = 0
    ROLLED_OVER = 1
    RESET = 2
    REPLACED = 3
    IMPLAUSIBLE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Increments:
    """What was counted at the usable readings of a role.

    time_ms  int64[n]  of the n readings
    step     int64[n]  growth up to that reading, parts or mWh
    anomaly  int8[n]   Anomaly; after REPLACED and IMPLAUSIBLE the step is 0 and the reading a new base
    """

    time_ms: NDArray[np.int64]
    step: NDArray[np.int64]
    anomaly: NDArray[np.int8]

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """bool[n]: the growth was not plausible and counts as 0."""
        wrong: NDArray[np.bool_] = self.anomaly == Anomaly.IMPLAUSIBLE
        return wrong

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
    """Parts counted at each usable reading, by the binding's kind.

    counter    growth since the reading before; the first one only sets the base. A counter that falls rolled over
               where the growth that this implies is plausible, otherwise it was reset and counts from 0.
    increment  the reading itself
    pulse      1 where the reading is not 0

    Plausible is up to twice the ideal speed (`binding.min_cycle_us` goes before it) over the time between two
    readings, with a minute's worth for readings that bunch up. What is more, or negative, counts as 0. Where no
    speed is known, or the limit is above the modulus, a roll-over may imply half the modulus; a counter that falls
    to more than half of what it was is then another counter and only sets the base.

    Args:
        ideal_cycle_us: the shortest ideal time per part that may apply, None where none is known.
    """
    time_ms, register = _usable(series, binding)
    if binding.kind == "pulse":
        return Increments(time_ms, (register != 0).astype(np.int64), np.zeros(len(time_ms), np.int8))
    pace_us = _SPEED_LIMIT * binding.min_cycle_us or ideal_cycle_us
    limit = np.full(len(time_ms), _MOST_PARTS)
    if pace_us:
        limit = _SPEED_LIMIT * (np.diff(time_ms, prepend=time_ms[:1]) + _BURST_MS) * 1000 // pace_us
    if binding.kind == "increment":
        limit[:1] = _MOST_PARTS  # nobody knows since when
        return _believed(time_ms, register, np.zeros(len(time_ms), np.int8), limit)
    modulus = round(binding.modulus * binding.scale_to_si)
    rolls_up_to = np.where(limit < modulus, limit, modulus // 2)
    step, anomaly = _steps(register, modulus, rolls_up_to, np.zeros_like(limit), may_be_replaced=not pace_us)
    return _believed(time_ms, step, anomaly, limit)


def booked_increments(series: Series) -> Increments:
    """Parts that people booked, with their sign."""
    time_ms, register = _usable(series, Binding("", -1))
    return Increments(time_ms, register, np.zeros(len(time_ms), np.int8))


def energy_increments(series: Series, binding: Binding) -> Increments:
    """mWh used up to each usable reading of an energy register.

    A register that falls by no more than 1 Wh or a millionth of itself jitters: the fall counts as it is, the next
    rise makes up for it. A larger fall is a roll-over where this implies at most half the modulus, otherwise another
    meter where it falls to more than half of what it was, otherwise a reset. More than `binding.most_w` allows over
    the time between two readings and a minute, or than 1 TWh at once, is no energy.
    """
    time_ms, register = _usable(series, binding)
    modulus = round(binding.modulus * binding.scale_to_si)
    jitter = np.maximum(_JITTER_MWH, np.rint(np.abs(register) * _JITTER_SHARE).astype(np.int64))
    limit = np.full(len(time_ms), _MOST_MWH)
    if binding.most_w:
        limit = binding.most_w * (np.diff(time_ms, prepend=time_ms[:1]) + _BURST_MS) // _W_MS_PER_MWH
    rolls_up_to = np.minimum(limit, modulus // 2)
    step, anomaly = _steps(register, modulus, rolls_up_to, jitter, may_be_replaced=True)
    jitters = step < 0
    found = _believed(time_ms, np.where(jitters, 0, step), anomaly, limit)
    return Increments(time_ms, np.where(jitters, step, found.step), found.anomaly)


def _usable(series: Series, binding: Binding) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    with np.errstate(over="ignore"):  # what becomes infinite is clipped
        register = np.rint(series.value[series.usable] * binding.scale_to_si)
    return series.time_ms[series.usable], np.clip(register, -_REGISTER_LIMIT, _REGISTER_LIMIT).astype(np.int64)


def _steps(
    register: NDArray[np.int64],
    modulus: int,
    rolls_up_to: NDArray[np.int64],
    jitter: NDArray[np.int64],
    *,
    may_be_replaced: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Growth up to each reading and what was strange about it; all columns have one row per reading."""
    change = np.diff(register, prepend=register[:1])
    fell = change < -jitter
    rolled = fell & (change + modulus >= 0) & (change + modulus <= rolls_up_to)
    # the register before is register - change; written so that nothing overflows
    replaced = fell & ~rolled & (register > -change) & may_be_replaced
    step = np.where(fell, np.where(rolled, change + modulus, np.where(replaced, 0, np.maximum(register, 0))), change)
    kinds = [rolled, replaced, fell]
    anomaly = np.select(kinds, [Anomaly.ROLLED_OVER, Anomaly.REPLACED, Anomaly.RESET], Anomaly.NONE)
    return step, anomaly.astype(np.int8)


def _believed(
    time_ms: NDArray[np.int64], step: NDArray[np.int64], anomaly: NDArray[np.int8], limit: NDArray[np.int64]
) -> Increments:
    """The steps without those that cannot be."""
    wrong = (step > limit) | (step < 0)
    return Increments(time_ms, np.where(wrong, 0, step), np.where(wrong, np.int8(Anomaly.IMPLAUSIBLE), anomaly))

"""Readings → increments: counters with roll-over, reset and replacement, increments, pulses, energy registers. Pure.

Every decision looks at a few neighbouring usable readings only (`facts.READ_BEFORE`, `READ_AFTER`), so it is the same
however the facts are sliced.
"""

from collections.abc import Callable
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
    SPIKE = 5


@dataclass(frozen=True, slots=True, eq=False)
class Increments:
    """What was counted at the usable readings of a role.

    time_ms  int64[n]  of the n readings
    step     int64[n]  growth up to that reading, parts or mWh
    anomaly  int8[n]   Anomaly; at REPLACED and IMPLAUSIBLE the step is 0 and the reading a new base; at SPIKE it is 0,
                       and the next step is that from the reading before
    """

    time_ms: NDArray[np.int64]
    step: NDArray[np.int64]
    anomaly: NDArray[np.int8]

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """bool[n]: the growth was not plausible and counts as 0."""
        wrong: NDArray[np.bool_] = self.anomaly >= Anomaly.IMPLAUSIBLE
        return wrong

    def at(self, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cumulated growth at moments, linear between readings, rounded to whole units. int64[m] → int64[m].

        Rounding the cumulated value makes every partition of time add up exactly. Spikes are no readings.
        """
        is_read = self.anomaly != Anomaly.SPIKE
        time_ms, step = self.time_ms[is_read], self.step[is_read]
        if len(time_ms) < 2:
            return np.zeros(len(at_ms), np.int64)
        left = np.clip(np.searchsorted(time_ms, at_ms, "right") - 1, 0, len(time_ms) - 2)
        width = np.maximum(time_ms[left + 1] - time_ms[left], 1)
        share = np.clip((at_ms - time_ms[left]) / width, 0.0, 1.0)
        grown: NDArray[np.int64] = np.cumsum(step)[left] + np.rint(step[left + 1] * share).astype(np.int64)
        return grown


def count_increments(series: Series, binding: Binding, ideal_cycle_us: int | None) -> Increments:
    """Parts counted at each usable reading, by the binding's kind.

    counter    growth since the reading before; the first one only sets the base. A counter that falls rolled over
               where the growth that this implies is plausible, otherwise it was reset and counts from 0. A reading
               that is not plausible is a spike where the next one goes on from the reading before it.
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

    def most(gap_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        if not pace_us:
            return np.full(len(gap_ms), _MOST_PARTS)
        return np.maximum(1, _SPEED_LIMIT * (gap_ms + _BURST_MS) * 1000 // pace_us)  # a part takes longer than a poll

    if binding.kind == "increment":
        limit = most(np.diff(time_ms, prepend=time_ms[:1]))
        limit[:1] = _MOST_PARTS  # nobody knows since when
        wrong = (register > limit) | (register < 0)
        anomaly = np.where(wrong, np.int8(Anomaly.IMPLAUSIBLE), np.int8(Anomaly.NONE))
        return Increments(time_ms, np.where(wrong, 0, register), anomaly)
    modulus = round(binding.modulus * binding.scale_to_si)

    def rolls_up_to(limit: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(limit < modulus, limit, modulus // 2)

    return _Counter(modulus, most, rolls_up_to, np.zeros_like, may_be_replaced=not pace_us).counted(time_ms, register)


def booked_increments(series: Series) -> Increments:
    """Parts that people booked, with their sign."""
    time_ms, register = _usable(series, Binding("", -1))
    return Increments(time_ms, register, np.zeros(len(time_ms), np.int8))


def energy_increments(series: Series, binding: Binding) -> Increments:
    """mWh used up to each usable reading of an energy register.

    A register that falls by no more than 1 Wh or a millionth of itself jitters: the fall counts as it is, the next
    rise makes up for it. A larger fall is a roll-over where this implies at most half the modulus, otherwise another
    meter where it falls to more than half of what it was, otherwise a reset. More than `binding.most_w` allows over
    the time between two readings and a minute, or than 1 TWh at once, is no energy; spikes are as those of parts.
    """
    modulus = round(binding.modulus * binding.scale_to_si)

    def most(gap_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        if binding.most_w:
            return binding.most_w * (gap_ms + _BURST_MS) // _W_MS_PER_MWH
        return np.full(len(gap_ms), _MOST_MWH)

    def jitter(register: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.maximum(_JITTER_MWH, np.rint(np.abs(register) * _JITTER_SHARE).astype(np.int64))

    def rolls_up_to(limit: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(limit, modulus // 2)

    return _Counter(modulus, most, rolls_up_to, jitter, may_be_replaced=True).counted(*_usable(series, binding))


def _usable(series: Series, binding: Binding) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    with np.errstate(over="ignore"):  # what becomes infinite is clipped
        register = np.rint(series.value[series.usable] * binding.scale_to_si)
    return series.time_ms[series.usable], np.clip(register, -_REGISTER_LIMIT, _REGISTER_LIMIT).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Counter:
    """What one register may do between two readings.

    modulus          it rolls over at this value
    most             gap in ms → the most that it may grow by
    rolls_up_to      that → the most that a roll-over may imply
    jitter           its value → by how much it may fall without meaning anything
    may_be_replaced  whether a high value after a fall is that of another counter
    """

    modulus: int
    most: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    rolls_up_to: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    jitter: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    may_be_replaced: bool

    def counted(self, time_ms: NDArray[np.int64], register: NDArray[np.int64]) -> Increments:
        """The growth up to each reading; the first one only sets the base."""
        step, anomaly = np.zeros(len(register), np.int64), np.zeros(len(register), np.int8)
        step[1:], anomaly[1:] = self._between(register[:-1], register[1:], np.diff(time_ms))
        odd = np.flatnonzero(anomaly[:-1] == Anomaly.IMPLAUSIBLE)
        if len(odd):
            over, kind = self._between(register[odd - 1], register[odd + 1], time_ms[odd + 1] - time_ms[odd - 1])
            # the next reading does not go on from this one, but from the one before
            is_back = (anomaly[odd + 1] != Anomaly.NONE) & np.isin(kind, (Anomaly.NONE, Anomaly.ROLLED_OVER))
            # where each of several in a row could be the spike it is the first; no other way to tell needs them all
            is_back &= ~np.isin(odd - 1, odd[is_back])
            spike = odd[is_back]
            step[spike + 1], anomaly[spike + 1] = over[is_back], kind[is_back]
            anomaly[spike] = Anomaly.SPIKE
        return Increments(time_ms, step, anomaly)

    def _between(
        self, before: NDArray[np.int64], register: NDArray[np.int64], gap_ms: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Growth from one reading to another and what is strange about it; 0 where it cannot be."""
        change, limit = register - before, self.most(gap_ms)
        fell = change < -self.jitter(register)
        rolls = change + self.modulus
        rolled = fell & (rolls >= 0) & (rolls <= self.rolls_up_to(limit))
        # the register before is register - change; written so that nothing overflows
        replaced = fell & ~rolled & (register > -change) & self.may_be_replaced
        step = np.where(fell, np.where(rolled, rolls, np.where(replaced, 0, np.maximum(register, 0))), change)
        wrong = step > limit
        kinds = [wrong, rolled, replaced, fell]
        names = [Anomaly.IMPLAUSIBLE, Anomaly.ROLLED_OVER, Anomaly.REPLACED, Anomaly.RESET]
        return np.where(wrong, 0, step), np.select(kinds, names, Anomaly.NONE).astype(np.int8)

"""How much of the time a role was heard of: what came of what was due, and how long its value was fresh. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import ALIVE, AssetModel, Binding, Hold
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.holds import POLLS_HELD, proven
from gateway.kpi.stretches import Stretches

REPORTED_EVERY_MS: Final = 1000
"""A role that is reported on change counts as one value a second: due always, come while its session was up."""
_EVENTS: Final = ("increment", "pulse", "measure")


class Heard(NamedTuple):
    """What is known of a role's readings.

    every_ms  one value is due at each multiple of this
    came      time for which a value came, or its session said that there was none to come
    fresh     time in which the newest value was not too old
    """

    every_ms: int
    came: Stretches
    fresh: Stretches


class Watch:
    """What there is to say about the roles of an asset; sources that several of them share are looked at once."""

    def __init__(
        self, asset: AssetModel, facts: Mapping[str, Series], sessions: Mapping[int, Series], horizon_ms: int
    ) -> None:
        self._asset, self._facts, self._sessions, self._horizon_ms = asset, facts, sessions, horizon_ms
        self._proven: dict[Hold, Stretches] = {}

    def heard(self, role: str) -> Heard | None:
        """None: nobody watches the source, so silence says nothing."""
        binding, series = self._asset.bindings[role], self._facts.get(role, Series.empty())
        if binding.hold.polled:
            return self._polled(binding.hold.period_ms, series)
        return self._reported(binding, series) if binding.hold.session >= 0 else None

    def _polled(self, period_ms: int, series: Series) -> Heard:
        known = series.time_ms[series.usable]
        following = np.append(known[1:], FOREVER_MS)
        # a poll may be late by half a period; one that is not late yet counts as on its way
        in_time = 2 * (following - known) <= 3 * period_ms
        in_time[-1:] = 2 * (self._horizon_ms - known[-1:]) < 3 * period_ms
        came = Stretches(known, np.where(in_time, following, known + period_ms))
        until = np.minimum(np.append(series.time_ms[1:], FOREVER_MS), series.time_ms + POLLS_HELD * period_ms)
        return Heard(period_ms, came, Stretches(known, until[series.usable]))

    def _reported(self, binding: Binding, series: Series) -> Heard:
        came = self._there(binding.hold)
        if ALIVE in self._asset.bindings:
            alive = self._facts.get(ALIVE, Series.empty())
            came = came.within(Stretches.where(alive.time_ms, alive.usable & (alive.value != 0)))
        if binding.kind in _EVENTS:  # between two of them there is nothing to know
            return Heard(REPORTED_EVERY_MS, came, came)
        return Heard(REPORTED_EVERY_MS, came, came.within(Stretches.where(series.time_ms, series.usable)))

    def _there(self, hold: Hold) -> Stretches:
        if hold not in self._proven:
            session = self._sessions.get(hold.session, Series.empty())
            times, is_proven = proven(self._asset, self._facts, hold, session, self._horizon_ms)
            self._proven[hold] = Stretches.where(times, is_proven)
        return self._proven[hold]


def due(from_ms: NDArray[np.int64], to_ms: NDArray[np.int64], every_ms: int) -> NDArray[np.int64]:
    """int64[n]: how many values are due in stretches of time."""
    found: NDArray[np.int64] = -(-to_ms // every_ms) + (-from_ms // every_ms)
    return found

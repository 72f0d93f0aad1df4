"""How long a fact of a state holds: polls, sessions and `alive` prove that the asset is still there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import ALIVE, AssetModel, Binding, Hold
from gateway.kpi.facts import Series
from gateway.kpi.states import growths, moving

POLLS_HELD: Final = 3
PROOF_GAP_MS: Final = 75_000
"""Two proofs of life further apart than this do not prove the time between them (the session says `up` every 30 s)."""

UP: Final = 1.0
RESUMED: Final = 2.0
RENEWED: Final = 3.0
"""What facts of a session say, beside 0 for down. UP: it is and was up. RESUMED: it is up again, the other side had
kept what it had for us. RENEWED: it is up, and what happened before is lost."""

_NONE: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of one role that makes the state.

    grown_ms    of a counter: when it grew
    until_ms    polled: up to when each fact holds
    proofs_ms   watched: when its source was certainly there
    is_proven   bool per proof: the time up to the next proof is proven too
    alive       what the asset itself said, where it has an `alive` tag that counts
    """

    binding: Binding
    facts: Series
    horizon_ms: int
    grown_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]
    proofs_ms: NDArray[np.int64]
    is_proven: NDArray[np.bool_]
    alive: Series | None

    @staticmethod
    def of(
        asset: AssetModel, role: str, facts: Mapping[str, Series], sessions: Mapping[int, Series], horizon_ms: int
    ) -> "Evidence":
        """The evidence for a role from everything that its range depends on."""
        binding, series = asset.bindings[role], facts.get(role, Series.empty())
        hold = binding.hold
        grown = growths(series) if binding.moves_ms else _NONE
        until, found, is_proven = _NONE, _NONE, np.zeros(0, np.bool_)
        if hold.polled:
            until = series.time_ms + POLLS_HELD * hold.period_ms
        elif hold.session >= 0:
            session = sessions.get(hold.session, Series.empty())
            found, is_proven = proven(asset, facts, hold, session, horizon_ms)
        says = ALIVE in asset.bindings and not hold.polled
        alive = facts.get(ALIVE, Series.empty()) if says else None
        return Evidence(binding, series, horizon_ms, grown, until, found, is_proven, alive)

    @property
    def changes(self) -> tuple[NDArray[np.int64], ...]:
        """Moments at which the state that it gives may change."""
        times = self.facts.time_ms
        gaps = np.append(times[1:], self.horizon_ms)[: len(self.until_ms)] > self.until_ms
        alive = _NONE if self.alive is None else self.alive.time_ms
        if not self.binding.moves_ms:
            return times, self.until_ms[gaps], self.proofs_ms, alive
        # of a counter that was read all the time only its growths matter, and where it was not read
        spoke = np.append(True, self.facts.usable[1:] != self.facts.usable[:-1])[: len(times)]
        resumed = times[1:][gaps[:-1]] if len(gaps) else _NONE
        return self.grown_ms, self.until_ms[gaps], resumed, times[spoke], self.proofs_ms, alive

    def at(self, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[n]: the value that holds at moments; NaN where none is known to."""
        if not len(self.facts):
            return np.full(len(at_ms), np.nan)
        fact = np.searchsorted(self.facts.time_ms, at_ms, "right") - 1
        known = (fact >= 0) & self.facts.usable[fact]
        if self.binding.hold.polled:
            known &= at_ms < self.until_ms[fact]
        elif self.binding.hold.session >= 0:
            known &= self._is_proven(at_ms)
        if self.alive is not None:
            known &= _said_alive(self.alive, at_ms)
        value = self._moving(at_ms) if self.binding.moves_ms else self.facts.value[fact]
        return np.where(known, value, np.nan)

    def last(self, before_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[n]: the last usable value before moments, however old; NaN where there was none."""
        known = np.flatnonzero(self.facts.usable)
        fact = np.searchsorted(self.facts.time_ms[known], before_ms, "left") - 1
        if not len(known):
            return np.full(len(before_ms), np.nan)
        value = self._moving(before_ms - 1) if self.binding.moves_ms else self.facts.value[known[fact]]
        return np.where(fact >= 0, value, np.nan)

    def _moving(self, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        return moving(self.grown_ms, at_ms, self.binding.moves_ms, self.horizon_ms).astype(np.float64)

    def _is_proven(self, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not len(self.proofs_ms):
            return np.zeros(len(at_ms), np.bool_)
        proof = np.searchsorted(self.proofs_ms, at_ms, "right") - 1
        found: NDArray[np.bool_] = (proof >= 0) & self.is_proven[proof]
        return found


def proofs(asset: AssetModel, facts: Mapping[str, Series], hold: Hold, session: Series) -> NDArray[np.int64]:
    """Times at which the source was certainly there: its session said `up`, or it delivered a usable fact."""
    sources = [session.time_ms[session.usable & (session.value != 0)]]
    for role, series in facts.items():
        binding = asset.bindings.get(role)
        if binding is not None and binding.hold == hold:
            sources.append(series.time_ms[series.usable])
    return np.unique(np.concatenate(sources))


def proven(
    asset: AssetModel, facts: Mapping[str, Series], hold: Hold, session: Series, horizon_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Proofs of life, and whether the time from each to the next (the last: to the horizon) is proven too."""
    found = proofs(asset, facts, hold, session)
    return found, _proven(found, session, hold, horizon_ms)


def _proven(found: NDArray[np.int64], session: Series, hold: Hold, horizon_ms: int) -> NDArray[np.bool_]:
    """Whether the time from each proof to the next is proven. The horizon counts as the last proof so far."""
    if not len(found):
        return np.zeros(0, np.bool_)
    downs = session.time_ms[session.usable & (session.value == 0)]
    # these say nothing about the time before them
    begins = session.time_ms[session.usable & (session.value >= (RENEWED if hold.source_time else RESUMED))]
    until = np.append(found[1:], max(horizon_ms, int(found[-1])))
    cut = np.searchsorted(downs, until, "right") > np.searchsorted(downs, found, "right")
    is_proven: NDArray[np.bool_] = (until - found <= PROOF_GAP_MS) & ~cut & ~np.isin(until, begins)
    return is_proven


def _said_alive(alive: Series, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the asset itself was said to be there: its last `alive` before each moment is usable and not 0."""
    if not len(alive):
        return np.zeros(len(at_ms), np.bool_)
    last = np.searchsorted(alive.time_ms, at_ms, "right") - 1
    said: NDArray[np.bool_] = (last >= 0) & alive.usable[last] & (alive.value[last] != 0)
    return said

"""Facts → segments: which class each moment of an asset's time belongs to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import ALIVE, AssetModel, Binding, Hold, TimeClass
from gateway.kpi.facts import FOREVER_MS, Series, text_code

POLLS_HELD: Final = 3
PROOF_GAP_MS: Final = 75_000
"""Two proofs of life further apart than this do not prove the time between them (the session says `up` every 30 s)."""

UP: Final = 1.0
RESUMED: Final = 2.0
RENEWED: Final = 3.0
"""What facts of a session say, beside 0 for down. UP: it is and was up. RESUMED: it is up again, the other side had
kept what it had for us. RENEWED: it is up, and what happened before is lost."""


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """n stretches of time, in order, without gap or overlap.

    start_ms, end_ms  int64[n]    [start, end)
    time_class        int8[n]     TimeClass
    state             float64[n]  the state's value as in the fact; NaN where nothing was known
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    time_class: NDArray[np.int8]
    state: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start_ms)


def segments(
    asset: AssetModel, facts: Mapping[str, Series], session: Series, from_ms: int, to_ms: int, horizon_ms: int
) -> Segments:
    """What the asset did from `from_ms` to `to_ms`, never beyond `horizon_ms`.

    Args:
        asset: the model; its state map turns raw states into classes, an unmapped state is unknown time.
        facts: role → facts, with the neighbours of the range (`slice_with_neighbours`).
        session: presence of the source of the state: 0 down, UP (repeated), RESUMED or RENEWED; with neighbours.
            Unused where polled.
        from_ms, to_ms: the range, UTC ms, [from, to).
        horizon_ms: up to here time has passed for the journal.
    Returns: segments that cover [from_ms, min(to_ms, horizon_ms)) without gaps; neighbours of one state are one.
    """
    end = min(to_ms, horizon_ms)
    if end <= from_ms:
        return _segments([], [], [], [])
    binding, states = asset.bindings.get("state"), facts.get("state", Series.empty())
    if binding is None or not len(states):
        return _segments([from_ms], [end], [TimeClass.UNKNOWN], [np.nan])
    edges, known = _known(asset, facts, binding, session, from_ms, end, horizon_ms)
    if ALIVE in asset.bindings and not binding.hold.polled:
        known &= _said_alive(facts.get(ALIVE, Series.empty()), edges[:-1])
    fact = np.searchsorted(states.time_ms, edges[:-1], "right") - 1
    known &= (fact >= 0) & states.usable[fact]
    state = np.where(known, states.value[fact], np.nan)
    return _joined(edges, classes(asset, state), state)


def settled(asset: AssetModel, facts: Mapping[str, Series], sessions: Mapping[int, Series], horizon_ms: int) -> int:
    """Up to when results can no longer change merely because time goes on (late facts aside), UTC ms.

    Args:
        facts: role → its newest facts.
        sessions: session tag id → its newest facts.
        horizon_ms: up to here time has passed for the journal.
    """
    ends = [horizon_ms]
    for role, series in facts.items():
        binding = asset.bindings.get(role)
        if binding is not None and len(series):
            ends.append(_settled(asset, facts, binding, series, sessions, horizon_ms))
    return min(ends)


def classes(asset: AssetModel, state: NDArray[np.float64]) -> NDArray[np.int8]:
    """The class of each raw state, as facts carry it. float64[n] → int8[n]; unmapped or NaN is unknown."""
    is_text = asset.bindings["state"].is_text
    table = {text_code(raw) if is_text else float(raw): value for raw, value in asset.state_map.items()}
    if not table:
        return np.full(len(state), TimeClass.UNKNOWN, np.int8)
    keys = np.array(sorted(table))
    values = np.array([table[key] for key in keys.tolist()], np.int8)
    found = np.minimum(np.searchsorted(keys, state), len(keys) - 1)
    return np.where(keys[found] == state, values[found], np.int8(TimeClass.UNKNOWN))


def _segments(start: list[int], end: list[int], time_class: list[int], state: list[float]) -> Segments:
    return Segments(
        np.array(start, np.int64), np.array(end, np.int64), np.array(time_class, np.int8), np.array(state, np.float64)
    )


def _known(
    asset: AssetModel,
    facts: Mapping[str, Series],
    binding: Binding,
    session: Series,
    from_ms: int,
    end_ms: int,
    horizon_ms: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Edges of the range where something may change, and whether the last state fact still holds after each."""
    times = np.concatenate([facts[role].time_ms for role in ("state", ALIVE) if role in facts])
    if binding.hold.polled:
        times = facts["state"].time_ms
        last = times + POLLS_HELD * binding.hold.period_ms
        edges = _edges(from_ms, end_ms, times, last)
        fact = np.searchsorted(times, edges[:-1], "right") - 1
        return edges, (fact >= 0) & (edges[:-1] < last[fact])
    if binding.hold.session < 0:
        edges = _edges(from_ms, end_ms, times)
        return edges, np.ones(len(edges) - 1, np.bool_)
    proofs = _proofs(asset, facts, binding.hold, session)
    downs = session.time_ms[session.usable & (session.value == 0)]
    begins = session.time_ms[session.usable & (session.value >= (RENEWED if binding.hold.source_time else RESUMED))]
    edges = _edges(from_ms, end_ms, times, proofs)
    return edges, _proven(edges[:-1], proofs, downs, begins, horizon_ms)


def _said_alive(alive: Series, at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the asset itself was said to be there: its last `alive` before each moment is usable and not 0."""
    if not len(alive):
        return np.zeros(len(at_ms), np.bool_)
    last = np.searchsorted(alive.time_ms, at_ms, "right") - 1
    said: NDArray[np.bool_] = (last >= 0) & alive.usable[last] & (alive.value[last] != 0)
    return said


def _edges(from_ms: int, end_ms: int, *times: NDArray[np.int64]) -> NDArray[np.int64]:
    every = np.concatenate([*times, np.array([from_ms, end_ms], np.int64)])
    return np.unique(every[(every >= from_ms) & (every <= end_ms)])


def _proofs(asset: AssetModel, facts: Mapping[str, Series], hold: Hold, session: Series) -> NDArray[np.int64]:
    """Times at which the source was certainly there: its session said `up`, or it delivered a usable fact."""
    sources = [session.time_ms[session.usable & (session.value != 0)]]
    for role, series in facts.items():
        binding = asset.bindings.get(role)
        if binding is not None and binding.hold == hold:
            sources.append(series.time_ms[series.usable])
    return np.unique(np.concatenate(sources))


def _proven(
    at_ms: NDArray[np.int64],
    proofs: NDArray[np.int64],
    downs: NDArray[np.int64],
    begins: NDArray[np.int64],
    horizon_ms: int,
) -> NDArray[np.bool_]:
    """Whether the time from each moment to the next proof is proven. The horizon counts as the last proof so far.

    begins  proofs that say nothing about the time before them
    """
    if not len(proofs):
        return np.zeros(len(at_ms), np.bool_)
    until = np.append(proofs[1:], max(horizon_ms, int(proofs[-1])))
    cut = np.searchsorted(downs, until, "right") > np.searchsorted(downs, proofs, "right")
    proven = (until - proofs <= PROOF_GAP_MS) & ~cut & ~np.isin(until, begins)
    proof = np.searchsorted(proofs, at_ms, "right") - 1
    return (proof >= 0) & proven[proof]


def _settled(
    asset: AssetModel,
    facts: Mapping[str, Series],
    binding: Binding,
    series: Series,
    sessions: Mapping[int, Series],
    horizon_ms: int,
) -> int:
    hold = binding.hold
    if hold.polled:
        last = int(series.time_ms[-1])
        return last if horizon_ms - last <= POLLS_HELD * hold.period_ms else horizon_ms
    if hold.session < 0:
        return horizon_ms
    session = sessions.get(hold.session, Series.empty())
    proofs = _proofs(asset, facts, hold, session)
    last = int(proofs[-1]) if len(proofs) else -FOREVER_MS
    down = bool(len(session)) and int(session.time_ms[-1]) > last
    return horizon_ms if down or horizon_ms - last > PROOF_GAP_MS else min(last, horizon_ms)


def _joined(edges: NDArray[np.int64], time_class: NDArray[np.int8], state: NDArray[np.float64]) -> Segments:
    """Neighbours of the same class and state become one segment."""
    same = (time_class[1:] == time_class[:-1]) & (
        (state[1:] == state[:-1]) | (np.isnan(state[1:]) & np.isnan(state[:-1]))
    )
    first = np.flatnonzero(np.append(True, ~same))
    starts = edges[:-1][first]
    return Segments(starts, np.append(starts[1:], edges[-1]), time_class[first], state[first])

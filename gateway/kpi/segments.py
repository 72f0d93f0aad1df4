"""Facts → segments: which class each moment of an asset's time belongs to. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import STOPS, AssetModel, TimeClass, state_roles
from gateway.kpi.facts import FOREVER_MS, Series, slice_with_neighbours
from gateway.kpi.holds import POLLS_HELD, PROOF_GAP_MS, RENEWED, RESUMED, UP, Evidence, proofs
from gateway.kpi.intervals import Interval, edges_of
from gateway.kpi.overlay import lay_over
from gateway.kpi.states import FROM_MAP, classify, growths

__all__ = ["POLLS_HELD", "PROOF_GAP_MS", "RENEWED", "RESUMED", "UP", "Segments", "reach_ms", "segments", "settled"]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """n stretches of time, in order, without gap or overlap.

    start_ms, end_ms  int64[n]    [start, end)
    time_class        int8[n]     TimeClass
    state             float64[n]  the state's value as in the fact; NaN where nothing was known or a rule names it
    rule              int16[n]    the rule that decided, an index into the model's; -1: the state map, or nothing
    reason            int32[n]    what people booked for it, an index into `reasons`
    before            int8[n]     class of the time before, also where that is outside the range; through unknown time:
                                  what the last usable facts meant; UNKNOWN: there were none
    reasons           reason codes; the first is "", for no reason
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    time_class: NDArray[np.int8]
    state: NDArray[np.float64]
    rule: NDArray[np.int16]
    reason: NDArray[np.int32]
    before: NDArray[np.int8]
    reasons: tuple[str, ...] = ("",)

    def __len__(self) -> int:
        return len(self.start_ms)


def reach_ms(asset: AssetModel) -> int:
    """How far beyond a range facts and intervals matter to it: proofs of life, the length of stops, idle counters,
    values that stand still.
    """
    return PROOF_GAP_MS + _own_reach(asset) + max((binding.flat_ms for binding in asset.bindings.values()), default=0)


def _own_reach(asset: AssetModel) -> int:
    return asset.minor_stop_ms + max((binding.moves_ms for binding in asset.bindings.values()), default=0) + 1


def segments(
    asset: AssetModel,
    facts: Mapping[str, Series],
    intervals: Sequence[Interval],
    sessions: Mapping[int, Series],
    from_ms: int,
    to_ms: int,
    horizon_ms: int,
) -> Segments:
    """What the asset did from `from_ms` to `to_ms`, never beyond `horizon_ms`.

    Args:
        asset: the model; what its map and rules do not know is unknown time.
        facts: role → facts, with the neighbours of the range and `reach_ms` around it (`slice_with_neighbours`).
        intervals: what people booked, at least all that touches the range and `reach_ms` around it.
        sessions: session tag → presence of that source: 0 down, UP (repeated), RESUMED or RENEWED; with neighbours.
            Unused where polled.
        from_ms, to_ms: the range, UTC ms, [from, to).
        horizon_ms: up to here time has passed for the journal.
    Returns: segments that cover [from_ms, min(to_ms, horizon_ms)) without gaps; neighbours that are alike are one.
        A stop that is shorter than the asset's threshold is MINOR_STOP, decided on its whole length.
    """
    end = min(to_ms, horizon_ms)
    if end <= from_ms:
        return _unknown(from_ms, from_ms)
    evidence = {role: Evidence.of(asset, role, facts, sessions, horizon_ms) for role in state_roles(asset)}
    if not any(len(one.facts) for one in evidence.values()) and not intervals:
        return _unknown(from_ms, end)
    reach = _own_reach(asset)
    low, high = from_ms - reach, min(to_ms + reach, horizon_ms)
    edges = _edges(low, high, evidence.values(), intervals)
    time_class, rule, state = _classes(
        asset, {role: one.at(edges[:-1]) for role, one in evidence.items()}, len(edges) - 1
    )
    laid = lay_over(asset, intervals, edges, time_class)
    time_class = _minor(laid.time_class, edges, asset.minor_stop_ms)
    whole = _joined(Segments(edges[:-1], edges[1:], time_class, state, rule, laid.reason, time_class, laid.reasons))
    return _clipped(_with_before(asset, whole, evidence), from_ms, end)


def settled(
    asset: AssetModel,
    facts: Mapping[str, Series],
    intervals: Sequence[Interval],
    sessions: Mapping[int, Series],
    horizon_ms: int,
) -> int:
    """Up to when results can no longer change merely because time goes on (late facts aside), UTC ms.

    Args:
        facts: role → its newest facts.
        intervals: what people booked.
        sessions: session tag → its newest facts.
        horizon_ms: up to here time has passed for the journal.
    """
    ends = [horizon_ms]
    for role, series in facts.items():
        if role in asset.bindings and len(series):
            ends.append(_settled(asset, facts, role, sessions, horizon_ms))
    if asset.minor_stop_ms and any(role in facts for role in state_roles(asset)):
        ends.append(_open_minor_stop(asset, facts, intervals, sessions, horizon_ms))
    return min(ends)


def _unknown(from_ms: int, end_ms: int) -> Segments:
    count = int(end_ms > from_ms)
    unknown = np.full(count, TimeClass.UNKNOWN, np.int8)
    return Segments(
        np.full(count, from_ms, np.int64),
        np.full(count, end_ms, np.int64),
        unknown,
        np.full(count, np.nan),
        np.full(count, FROM_MAP, np.int16),
        np.zeros(count, np.int32),
        unknown,
    )


def _edges(low_ms: int, high_ms: int, evidence: Iterable[Evidence], intervals: Sequence[Interval]) -> NDArray[np.int64]:
    """Moments of [low, high] at which something may change, both ends among them."""
    times = [change for one in evidence for change in one.changes]
    every = np.concatenate([*times, edges_of(intervals), np.array([low_ms, high_ms], np.int64)])
    return np.unique(every[(every >= low_ms) & (every <= high_ms)])


def _classes(
    asset: AssetModel, values: Mapping[str, NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.float64]]:
    if values:
        return classify(asset, values)
    return np.full(count, TimeClass.UNKNOWN, np.int8), np.full(count, FROM_MAP, np.int16), np.full(count, np.nan)


def _minor(time_class: NDArray[np.int8], edges: NDArray[np.int64], below_ms: int) -> NDArray[np.int8]:
    """Unbroken runs of stops that are shorter than the threshold become minor stops."""
    if not below_ms:
        return time_class
    stopped = np.concatenate([[False], np.isin(time_class, STOPS), [False]])
    first, last = np.flatnonzero(~stopped[:-1] & stopped[1:]), np.flatnonzero(stopped[:-1] & ~stopped[1:])
    short = edges[last] - edges[first] < below_ms
    steps = np.zeros(len(time_class) + 1, np.int8)
    steps[first[short]], steps[last[short]] = 1, -1
    return np.where(np.cumsum(steps[:-1]) == 1, np.int8(TimeClass.MINOR_STOP), time_class)


def _joined(every: Segments) -> Segments:
    """Neighbours that are alike become one segment."""
    a, b = slice(None, -1), slice(1, None)
    same_state = (every.state[b] == every.state[a]) | (np.isnan(every.state[b]) & np.isnan(every.state[a]))
    same = same_state & (every.time_class[b] == every.time_class[a])
    same &= (every.rule[b] == every.rule[a]) & (every.reason[b] == every.reason[a])
    first = np.flatnonzero(np.append(True, ~same))
    last = np.append(first[1:], len(every)) - 1
    return _rows(every, every.start_ms[first], every.end_ms[last], first, every.time_class[first])


def _with_before(asset: AssetModel, every: Segments, evidence: Mapping[str, Evidence]) -> Segments:
    """With the class before each segment; behind unknown time what the last usable facts meant."""
    before = np.append(np.int8(TimeClass.UNKNOWN), every.time_class[:-1])
    blind = np.flatnonzero(before == TimeClass.UNKNOWN)
    said = {role: one.last(every.start_ms[blind]) for role, one in evidence.items()}
    before[blind] = _classes(asset, said, len(blind))[0]
    return _rows(every, every.start_ms, every.end_ms, np.arange(len(every)), before)


def _clipped(every: Segments, from_ms: int, end_ms: int) -> Segments:
    inside = np.flatnonzero((every.end_ms > from_ms) & (every.start_ms < end_ms))
    before = every.before[inside]
    start, end = every.start_ms[inside], every.end_ms[inside]
    before = np.where(start < from_ms, every.time_class[inside], before)  # it goes on: nothing begins here
    return _rows(every, np.maximum(start, from_ms), np.minimum(end, end_ms), inside, before)


def _rows(
    every: Segments,
    start_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    rows: NDArray[np.intp],
    before: NDArray[np.int8],
) -> Segments:
    return Segments(
        start_ms,
        end_ms,
        every.time_class[rows],
        every.state[rows],
        every.rule[rows],
        every.reason[rows],
        before,
        every.reasons,
    )


def _settled(
    asset: AssetModel, facts: Mapping[str, Series], role: str, sessions: Mapping[int, Series], horizon_ms: int
) -> int:
    binding, series = asset.bindings[role], facts[role]
    hold = binding.hold
    grown = growths(series)[-1:].tolist() if binding.moves_ms else []
    until = grown[0] if grown and horizon_ms - grown[0] <= binding.moves_ms else horizon_ms
    if hold.polled:
        last = int(series.time_ms[-1])
        return min(until, last) if horizon_ms - last <= POLLS_HELD * hold.period_ms else until
    if hold.session < 0:
        return until
    session = sessions.get(hold.session, Series.empty())
    found = proofs(asset, facts, hold, session)
    last = int(found[-1]) if len(found) else -FOREVER_MS
    down = bool(len(session)) and int(session.time_ms[-1]) > last
    return until if down or horizon_ms - last > PROOF_GAP_MS else min(last, until)


def _open_minor_stop(
    asset: AssetModel,
    facts: Mapping[str, Series],
    intervals: Sequence[Interval],
    sessions: Mapping[int, Series],
    horizon_ms: int,
) -> int:
    """When the stop began that is minor only as long as it does not go on; the horizon where there is none."""
    from_ms = horizon_ms - asset.minor_stop_ms
    reach = reach_ms(asset)
    near = {role: slice_with_neighbours(one, from_ms - reach, horizon_ms + reach) for role, one in facts.items()}
    found = segments(asset, near, intervals, sessions, from_ms, horizon_ms, horizon_ms)
    if not len(found) or found.time_class[-1] != TimeClass.MINOR_STOP:
        return horizon_ms
    other = np.flatnonzero(found.time_class != TimeClass.MINOR_STOP)
    return int(found.start_ms[other[-1] + 1]) if len(other) else from_ms

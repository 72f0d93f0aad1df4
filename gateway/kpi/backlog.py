"""Minutes that an asset has to compute, cut into shares that one commit can carry. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.kpi.posting import Span, minute_of


@dataclass(frozen=True, slots=True)
class Share:
    """What one commit does of the minutes that are due.

    now        computed in this commit
    later      minutes that were stored before and are computed again by a later one
    closed_ms  up to here the minutes are closed then
    """

    now: tuple[Span, ...]
    later: tuple[Span, ...]
    closed_ms: int


def share(due: Sequence[Span], closed_ms: int, target_ms: int, limit_ms: int) -> Share:
    """The oldest minutes that are due, at most `limit_ms` of them.

    due                   [from, to) in order; new minutes from `closed_ms` to `target_ms` are among them
    closed_ms, target_ms  up to where minutes are closed, and up to where they can be
    """
    now: list[Span] = []
    rest: list[Span] = []
    left_ms = limit_ms
    for start, end in due:
        stop = min(end, minute_of(start) + left_ms)
        if stop > start:
            now.append((start, stop))
            left_ms -= stop - minute_of(start)
        if end > max(start, stop):
            rest.append((max(start, stop), end))
    reached_ms = max(closed_ms, min(rest[0][0], target_ms)) if rest else target_ms
    # what is left between the two is new: it is due again because it is not closed
    parts = [part for start, end in rest for part in ((start, min(end, reached_ms)), (max(start, target_ms), end))]
    return Share(tuple(now), tuple((start, end) for start, end in parts if start < end), reached_ms)

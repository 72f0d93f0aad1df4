"""Intervals: what people say of a stretch of time: the reason of a stop, a planned stop, an order, a product. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["stop", "planned", "order", "product"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of an asset's time, [from_ms, to_ms) UTC.

    id        names the interval through all its revisions
    value     stop: the reason's code; planned: why; order, product: its name
    revision  0 as booked; corrections count up
    usable    false: it was withdrawn
    """

    id: str
    kind: Kind
    from_ms: int
    to_ms: int
    value: str
    revision: int = 0
    usable: bool = True


def latest(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The newest revision of each interval, withdrawn ones too, in order of their ids.

    Commutative, associative and idempotent, like `facts.merge`: on equal revisions the greater content wins.
    """
    found: dict[str, Interval] = {}
    for one in intervals:
        known = found.get(one.id)
        if known is None or _rank(one) > _rank(known):
            found[one.id] = one
    return tuple(found[key] for key in sorted(found))


def _rank(interval: Interval) -> tuple[object, ...]:
    return (interval.revision, *astuple(interval))


def in_force(intervals: Iterable[Interval], kind: Kind, from_ms: int, to_ms: int) -> tuple[Interval, ...]:
    """The intervals of a kind that matter to a range; where some overlap, later ones win over earlier ones.

    The one that starts last wins; of two that start together the one with the greater id.
    """
    found = [one for one in latest(intervals) if one.usable and one.kind == kind]
    inside = [one for one in found if max(one.from_ms, from_ms) < min(one.to_ms, to_ms)]
    return tuple(sorted(inside, key=lambda one: (one.from_ms, one.id)))


def edges_of(intervals: Sequence[Interval]) -> NDArray[np.int64]:
    """int64[2n]: both ends of each interval."""
    return np.array([end for one in intervals for end in (one.from_ms, one.to_ms)], np.int64)


def cover(intervals: Sequence[Interval], start_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which interval covers each moment: int64[n] → index into the sequence, as `in_force` orders it; -1: none.

    Args:
        start_ms: ascending moments, UTC ms.
    """
    found = np.full(len(start_ms), -1, np.int64)
    for index, one in enumerate(intervals):
        low, high = np.searchsorted(start_ms, (one.from_ms, one.to_ms), "left")
        found[low:high] = index
    return found

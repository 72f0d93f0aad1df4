"""Where the demand of the running window will end if it goes on like the last five minutes. Pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.energy.profile import Profile, kw

LAST_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class Outlook:
    """A window of the clock while it runs; all power in kW.

    start_ms, end_ms  of the window
    so_far            mean power of its measured beginning
    expected          mean power of the whole window if it goes on like the last five minutes
    ceiling           what it should stay below, None where nothing is known
    allowed           mean power of its rest at which it just stays below the ceiling, None without one; never negative
    """

    start_ms: int
    end_ms: int
    so_far: float
    expected: float
    ceiling: float | None
    allowed: float | None

    @property
    def is_warning(self) -> bool:
        """Whether it will be above the ceiling."""
        return self.ceiling is not None and self.expected > self.ceiling


def outlook(recent: Profile, start_ms: int, length_ms: int, ceiling_kw: float | None) -> Outlook | None:
    """The outlook of a window. None: a part of its beginning was not measured, or nothing of it has passed.

    Args:
        recent: from some minutes before the window to now.
        start_ms, length_ms: the window.
        ceiling_kw: see `Outlook`.
    """
    now_ms = int(recent.edge_ms[-1])
    measured_ms = max([int(recent.edge_ms[0]), *(end for _, end in recent.unknown_runs())])
    if now_ms <= start_ms or measured_ms > start_ms:
        return None
    since_ms = max(now_ms - LAST_MS, measured_ms)
    last, begun = (_mean(recent, begin, now_ms) for begin in (since_ms, start_ms))
    past_ms, left_ms = now_ms - start_ms, start_ms + length_ms - now_ms
    allowed = None
    if ceiling_kw is not None and left_ms > 0:
        allowed = max(0.0, (ceiling_kw * length_ms - begun * past_ms) / left_ms)
    expected = (begun * past_ms + last * left_ms) / length_ms
    return Outlook(start_ms, start_ms + length_ms, begun, expected, ceiling_kw, allowed)


def _mean(profile: Profile, from_ms: int, to_ms: int) -> float:
    first, last = profile.at(np.array([from_ms, to_ms], np.int64)).tolist()
    return kw(last - first, to_ms - from_ms)

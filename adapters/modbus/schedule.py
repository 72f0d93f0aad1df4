"""When to read which poll group: fixed phase on the monotonic clock; what is missed is skipped, never made up. Pure."""

from collections.abc import Sequence
from math import ceil


class Schedule:
    """Slots of several groups: group i is due at start + k · period[i], k = 0, 1, 2, …

    A group whose slot comes while another is read runs late, once. Slots that come while the group itself is read (or
    its readings are not taken off) are skipped and counted, and the next one is met in phase.
    """

    def __init__(self, periods: Sequence[float], start: float) -> None:
        """periods: seconds, one per group; start: the first slot of all, in seconds of the monotonic clock."""
        self._periods = periods
        self._start = start
        self._slot = [0] * len(periods)

    def next(self) -> tuple[int, float]:
        """The group to read next and when it is due; of two the more frequent one."""
        group = min(range(len(self._periods)), key=lambda i: (self._due(i), self._periods[i]))
        return group, self._due(group)

    def done(self, group: int, now: float) -> int:
        """Notes that a group was read, and returns how many of its slots have passed unread by now."""
        behind = ceil((now - self._start) / self._periods[group] - 1e-9)
        following = self._slot[group] + 1
        self._slot[group] = max(following, behind)
        return self._slot[group] - following

    def _due(self, group: int) -> float:
        return self._start + self._slot[group] * self._periods[group]

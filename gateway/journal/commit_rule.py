"""When the journal commits: as seldom as the waiting producers allow, to spare the disk (pure)."""

import math
from dataclasses import dataclass, field

_WAIT_FOR_ACK_S = 0.2
_HALF_WINDOW = 0.5
_MAX_BYTES = 4 * 2**20


@dataclass(slots=True)
class CommitRule:
    """A commit is due when half of a producer's un-acknowledged window waits, 200 ms after the first waiting
    acknowledgement, after `every_s` for data that nobody waits for, or when 4 MiB wait.

    Cursor moves alone never make a commit due: they ride along.
    """

    every_s: float
    _due_at: float = math.inf
    _shares: dict[str, float] = field(default_factory=dict)
    _bytes: int = 0

    def note(self, now: float, producer: str, share: float, nbytes: int, *, awaited: bool) -> None:
        """A delivery waits since `now` (seconds, monotonic)."""
        self._due_at = min(self._due_at, now + (_WAIT_FOR_ACK_S if awaited else self.every_s))
        self._bytes += nbytes
        self._shares[producer] = self._shares.get(producer, 0.0) + share
        if self._shares[producer] >= _HALF_WINDOW or self._bytes >= _MAX_BYTES:
            self._due_at = -math.inf

    def wait_s(self, now: float) -> float:
        """Seconds until a commit is due: 0 now, inf while nothing asks for one."""
        return max(0.0, self._due_at - now)

    def committed(self) -> None:
        """Nothing waits any more."""
        self._due_at, self._bytes = math.inf, 0
        self._shares.clear()

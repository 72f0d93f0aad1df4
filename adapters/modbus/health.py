"""How well a Modbus source does, as numbers for its health tags."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters.modbus.frames import Answer, Failure
from gateway.model import Reason

_RING = 256


@dataclass(slots=True)
class Health:
    """Counts since the start; lateness of the last polls, in seconds behind their slots."""

    polls: int = 0
    overruns: int = 0
    timeouts: int = 0
    exceptions: int = 0
    bad_replies: int = 0
    quarantined: int = 0
    _lateness: deque[float] = field(default_factory=lambda: deque([0.0], _RING))

    @property
    def lateness_last_s(self) -> float:
        """Of the last poll."""
        return self._lateness[-1]

    @property
    def lateness_p99_s(self) -> float:
        """The 99th percentile of the last 256 polls."""
        ordered = sorted(self._lateness)
        return ordered[(99 * (len(ordered) - 1) + 50) // 100]

    def counters(self) -> dict[str, float]:
        """All of it, by name."""
        counts = ("polls", "overruns", "timeouts", "exceptions", "bad_replies", "quarantined")
        return {name: getattr(self, name) for name in counts} | {"lateness_p99_s": self.lateness_p99_s}

    def late(self, seconds: float) -> None:
        """Notes how far behind its slot a poll began."""
        self._lateness.append(max(0.0, seconds))

    def count(self, answers: Iterable[Answer]) -> None:
        """Counts the failures among answers."""
        for answer in answers:
            if isinstance(answer, Failure):
                self.timeouts += answer.reason is Reason.TIMEOUT
                self.exceptions += answer.reason is Reason.DEVICE_EXCEPTION
                self.bad_replies += answer.reason is Reason.BAD_REPLY

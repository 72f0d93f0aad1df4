"""How long to wait before trying again: exponential, with full jitter, so that nobody reconnects in step."""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Backoff:
    """Waiting times of up to `first_s`, doubling to `longest_s`.

    A connection that held for `stable_s` starts anew from `first_s`.
    """

    first_s: float = 0.5
    longest_s: float = 60.0
    stable_s: float = 10.0
    random: Random = field(default_factory=Random)
    _ceiling_s: float = 0.0

    def next_s(self) -> float:
        """Seconds to wait now: at random between half and all of a ceiling that doubles each time."""
        self._ceiling_s = min(self.longest_s, self._ceiling_s * 2 or self.first_s)
        return self._ceiling_s * (0.5 + self.random.random() / 2)

    def held(self, seconds: float) -> None:
        """The connection held this long."""
        if seconds >= self.stable_s:
            self._ceiling_s = 0.0

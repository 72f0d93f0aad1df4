"""What the devices of one endpoint bear, and when to leave a silent unit alone. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FIRST_S, _LONGEST_S = 2.0, 30.0
MISSES_IN_A_ROW: Final = 2  # unanswered reads after which a unit, or a lone connection, is taken for gone


@dataclass(frozen=True, slots=True)
class Manners:
    """How to treat an endpoint.

    depth             requests on their way at once
    pause_s           silence between an answer and the next request
    turnaround_s      silence on a bus when the next request is for another unit
    connect_delay_s   wait after connecting, before the first request
    close_after_poll  whether to hold the connection only while reading
    """

    depth: int = 1
    pause_s: float = 0.0
    turnaround_s: float = 0.0
    connect_delay_s: float = 0.0
    close_after_poll: bool = False

    @staticmethod
    def gentlest(all_of: Iterable["Manners"]) -> "Manners":
        """What none of those that share an endpoint finds too rough: the smallest depth, the longest waits."""
        each = list(all_of)
        if not each:
            return Manners()
        return Manners(
            min(m.depth for m in each),
            max(m.pause_s for m in each),
            max(m.turnaround_s for m in each),
            max(m.connect_delay_s for m in each),
            any(m.close_after_poll for m in each),
        )


@dataclass(slots=True)
class Breaker:
    """Of one unit: opens after two misses in a row, then lets one read through after 2, 4, 8, 16, 30, 30 … seconds."""

    _misses: int = 0
    _wait_s: float = 0.0
    _until: float = 0.0

    def closed_in(self, now: float) -> float:
        """Seconds until the unit may be asked again; 0: at once."""
        return max(0.0, self._until - now)

    @property
    def is_open(self) -> bool:
        """Whether the unit counts as dead: one read may try it when its time has come."""
        return self._wait_s > 0

    def heard(self) -> None:
        """The unit answered, whatever it said."""
        self._misses, self._wait_s, self._until = 0, 0.0, 0.0

    def missed(self, reads: int, now: float) -> None:
        """So many reads of the unit brought nothing, and none anything."""
        self._misses += reads
        if self._misses >= MISSES_IN_A_ROW:
            self._wait_s = min(_LONGEST_S, self._wait_s * 2 or _FIRST_S)
            self._until = now + self._wait_s


class Watch:
    """Tells a connection that is gone from a unit that is: silence counts in a row, over all units."""

    def __init__(self) -> None:
        self._misses = 0
        self._units: set[int] = set()

    @property
    def misses(self) -> int:
        """Reads without an answer in a row."""
        return self._misses

    def heard(self) -> None:
        """Somebody answered."""
        self._misses = 0
        self._units.clear()

    def missed(self, unit: int) -> None:
        """A unit did not."""
        self._misses += 1
        self._units.add(unit)

    def is_gone(self, units: int) -> bool:
        """Whether the other side counts as gone: with several units, one alone does not prove it."""
        return self._misses >= MISSES_IN_A_ROW and len(self._units) >= min(2, units)

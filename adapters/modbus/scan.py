"""What is there to be read: which units answer, which addresses a device has; with few and gentle reads. Pure."""

from collections.abc import Mapping
from typing import Final

from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Answer, Failure, Read, Reply
from adapters.modbus.point import Table

_NO_SUCH_TABLE: Final = 1
_SILENT: Final = 3  # reads in a row without an answer, after which a table is left alone
_CAPS: Final = {True: 2000, False: 125}


def is_there(answer: Answer) -> bool:
    """Whether a unit answered by itself, be it with a refusal."""
    return isinstance(answer, Reply) or (answer.exception > 0 and answer.exception not in GATEWAY_EXCEPTIONS)


def all_alike(answers: Mapping[int, Answer]) -> bool:
    """Whether each of several units said the same: then it is one device that does not look at unit ids."""
    said = {answer.data if isinstance(answer, Reply) else answer.exception for answer in answers.values()}
    return len(answers) > 2 and len(said) == 1


class Search:
    """Finds the addresses that a table has: `next` read, `take` its answer, until there is none.

    A range that is refused is halved, first where it touches what was found, then the largest; each range is asked
    once, and no more than `budget` reads are made.
    """

    def __init__(self, unit: int, table: Table, addresses: tuple[int, int], budget: int) -> None:
        """addresses: first and last."""
        self.table = table
        self.asked = 0
        self.why = ""  # why it ended early
        self._unit = unit
        self._budget = budget
        self._silent = 0
        self._found: set[tuple[int, int]] = set()  # first address, and the one behind the last
        first, stop, cap = addresses[0], addresses[1] + 1, _CAPS[table.is_bits]
        self._open = {(at, min(at + cap, stop)) for at in range(first, stop, cap)}
        self._now = (0, 0)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First and last address of what is there, in order, as far as it is known."""
        merged: list[tuple[int, int]] = []
        for first, stop in sorted(self._found):
            if merged and merged[-1][1] == first - 1:
                merged[-1] = (merged[-1][0], stop - 1)
            else:
                merged.append((first, stop - 1))
        return merged

    @property
    def unknown(self) -> int:
        """Addresses in ranges that were refused as a whole, or not asked for."""
        return sum(stop - first for first, stop in self._open)

    def next(self) -> Read | None:
        """The next read; None: it is over."""
        if self.why or not self._open:
            return None
        if self.asked >= self._budget:
            self.why = f"ended after {self.asked} reads"
            return None
        edges = {edge for span in self._found for edge in span}
        self._now = min(self._open, key=lambda span: (edges.isdisjoint(span), span[0] - span[1], span[0]))
        first, stop = self._now
        return Read(self._unit, self.table, first, stop - first)

    def take(self, answer: Answer) -> None:
        """The answer to the read that `next` gave."""
        self.asked += 1
        first, stop = self._now
        self._silent = 0 if is_there(answer) else self._silent + 1
        if self._silent >= _SILENT:
            self.why = f"ended: {answer.text}" if isinstance(answer, Failure) else ""
        elif isinstance(answer, Failure) and answer.exception == _NO_SUCH_TABLE:
            self._open.clear()
            self.why = "the device has no such table"
        else:
            self._open.remove(self._now)
            if isinstance(answer, Reply):
                self._found.add(self._now)
            elif stop - first > 1:
                middle = (first + stop) // 2
                self._open |= {(first, middle), (middle, stop)}

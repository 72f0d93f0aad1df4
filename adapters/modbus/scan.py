"""What is there to be read: which units answer, which addresses a device has; with few and gentle reads. Pure."""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from math import log2
from typing import Final

from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Answer, Failure, Read, Reply
from adapters.modbus.point import Table

_NO_SUCH_TABLE: Final = 1
_SILENT: Final = 3  # reads in a row without an answer, after which a table is left alone
_SPAN: Final = {True: 1000, False: 100}  # addresses in the first reads: round numbers, as maps have them


def is_there(answer: Answer) -> bool:
    """Whether a unit answered by itself, be it with a refusal."""
    return isinstance(answer, Reply) or (answer.exception > 0 and answer.exception not in GATEWAY_EXCEPTIONS)


def all_alike(answers: Mapping[int, Answer]) -> bool:
    """Whether each of several units said the same: then it is one device that does not look at unit ids."""
    said = {answer.data if isinstance(answer, Reply) else answer.exception for answer in answers.values()}
    return len(answers) > 2 and len(said) == 1


class Search:
    """Finds the addresses that a table has: `next` read, `take` its answer, until there is none.

    A range that is refused is halved, and the halves are asked: first those that touch what was found, then those of
    most promise. Each range is asked once, and no more than `budget` reads are made.
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
        first, stop, span = addresses[0], addresses[1] + 1, _SPAN[table.is_bits]
        self._open: set[tuple[int, int]] = set()
        self._queue: list[tuple[bool, float, tuple[int, int]]] = []
        self._edges: set[int] = set()  # of what was found
        self._rich: set[int] = set()  # the first reads' ranges in which something was found
        self._now = (0, 0)
        self._enter((at, min(at + span, stop)) for at in range(first, stop, span))

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
        while (span := heappop(self._queue)[2]) not in self._open:
            pass  # it was entered again when its neighbour was found
        self._now = first, stop = span
        return Read(self._unit, self.table, first, stop - first)

    def take(self, answer: Answer) -> None:
        """The answer to the read that `next` gave."""
        self.asked += 1
        first, stop = self._now
        self._silent = 0 if is_there(answer) else self._silent + 1
        if self._silent >= _SILENT:
            self.why = f"ended: {answer.text}" if isinstance(answer, Failure) else ""
        elif not is_there(answer):
            self._enter([self._now])  # once more
        elif isinstance(answer, Failure) and answer.exception == _NO_SUCH_TABLE:
            self._open.clear()
            self.why = "the device has no such table"
        else:
            self._open.remove(self._now)
            if isinstance(answer, Reply):
                self._found.add(self._now)
                self._edges |= {first, stop}
                self._rich |= {self._region(first), self._region(stop)}
                self._enter([span for span in self._open if stop in span or self._region(span[0]) in self._rich])
            elif stop - first > 1:
                middle = (first + stop) // 2
                self._enter([(first, middle), (middle, stop)])

    def _enter(self, spans: Iterable[tuple[int, int]]) -> None:
        """What touches something found goes first, then large ranges, and small ones where maps use to be."""
        for span in spans:
            self._open.add(span)
            heappush(self._queue, (self._edges.isdisjoint(span), -log2(span[1] - span[0]) - self._bonus(span[0]), span))

    def _bonus(self, first: int) -> float:
        """By how many halvings a range is asked for sooner than others: maps begin at round numbers, and cluster."""
        if first < 16:
            return 7.0
        if self._region(first) in self._rich:
            return 5.0
        return 4.0 if first % 1000 < 2 else 1.5 if first % 100 < 2 else 0.0

    def _region(self, address: int) -> int:
        return address // _SPAN[self.table.is_bits]

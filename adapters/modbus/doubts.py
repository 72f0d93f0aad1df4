"""Which replies may still be on their way on a line whose replies carry no number. Pure."""

from collections import deque
from itertools import chain
from typing import Final

from adapters.modbus.frames import Read

_FORGET_S: Final = 30.0  # what has not come by then never comes
_MOST: Final = 3  # replies of one kind that may be on their way at once


class Doubts:
    """Reads that got no reply, by unit and by what their reply would look like.

    A reply that comes late looks like the reply to any later read of the same unit, function and size. So before such a
    read one of another size is sent, a part of it or one that the unit has answered before: units answer in order, so
    its answer shows that nothing older is on its way any more. Where no other size is known, the same is read once more
    than replies are owed, and only the last reply counts; that shows less, so the doubt stays for half a minute, and
    anew whenever the replies differ. Outlives the connection, since a late reply does too.
    """

    def __init__(self) -> None:
        self._since: dict[int, dict[bytes, deque[float]]] = {}
        self._good: dict[int, dict[bytes, Read]] = {}

    def note(self, read: Read, now: float) -> None:
        """The read was sent, and its reply has not come (yet)."""
        shapes = self._since.setdefault(read.unit, {})
        shapes.setdefault(read.head, deque(maxlen=_MOST)).append(now)

    def answered(self, read: Read) -> None:
        """The newest read got a reply; where that can be no older one's, everything older is through."""
        self._good.setdefault(read.unit, {})[read.head] = read
        owed = self._since[read.unit][read.head]
        owed.pop()
        if not owed:
            self.clear(read.unit)

    def refused(self, read: Read) -> None:
        """The newest read got an exception, which says nothing about older ones, and may be theirs."""
        shapes = self._since[read.unit]
        if len(shapes) == 1 and len(shapes[read.head]) == 1:
            self.clear(read.unit)

    def renew(self, read: Read, now: float) -> None:
        """Replies to this read differ: it is as likely as ever that older ones are on their way."""
        owed = self._since.get(read.unit, {}).get(read.head, ())
        self._since.setdefault(read.unit, {})[read.head] = deque([now] * len(owed), _MOST)

    def clear(self, unit: int) -> None:
        """Nothing of this unit is on its way any more."""
        self._since.pop(unit, None)

    def before(self, read: Read, now: float) -> list[Read]:
        """What to read before this one, so that no late reply is taken for its own; mostly nothing."""
        shapes = self._since.get(read.unit)
        if shapes is None:
            return []
        fresh = {head: sum(now - since < _FORGET_S for since in times) for head, times in shapes.items()}
        owed = fresh.get(read.head, 0)
        if not owed:
            shapes.pop(read.head, None)
            return []
        others = chain(read.decoys(), self._good.get(read.unit, {}).values())
        decoy = next((other for other in others if not fresh.get(other.head)), None)
        return [decoy] if decoy is not None else [read] * owed

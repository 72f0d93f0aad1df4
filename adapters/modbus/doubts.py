"""Which replies may still be on their way on a line whose replies carry no number. Pure."""

from collections import deque
from typing import Final

from adapters.modbus.frames import Read

_FORGET_S: Final = 30.0  # what has not come by then never comes
_MOST: Final = 3  # replies of one kind that may be on their way at once


class Doubts:
    """Reads that got no reply, by unit and by what their reply would look like.

    A reply that comes late looks like the reply to any later read of the same unit, function and size. So before such a
    read a smaller one is sent from the same address: units answer in order, so its answer shows that nothing older is
    on its way any more. What cannot be smaller is read once more than replies are owed, and only the last reply
    counts. Outlives the connection, since a late reply does too.
    """

    def __init__(self) -> None:
        self._since: dict[int, dict[bytes, deque[float]]] = {}

    def note(self, read: Read, now: float) -> None:
        """The read was sent, and its reply has not come (yet)."""
        shapes = self._since.setdefault(read.unit, {})
        shapes.setdefault(read.head, deque(maxlen=_MOST)).append(now)

    def clear(self, unit: int) -> None:
        """The unit gave the reply to its newest read: every older one is through."""
        self._since.pop(unit, None)

    def forget(self, read: Read) -> None:
        """This newest read has been answered, which says nothing about older ones."""
        shapes = self._since[read.unit]
        shapes[read.head].pop()
        if not any(shapes.values()):
            self.clear(read.unit)

    def about(self, unit: int) -> bool:
        """Whether any reply of this unit may still be on its way."""
        return unit in self._since

    def before(self, read: Read, now: float) -> list[Read]:
        """What to read before this one, so that no late reply is taken for its own; mostly nothing."""
        shapes = self._since.get(read.unit)
        if shapes is None:
            return []
        fresh = {head: sum(now - since < _FORGET_S for since in times) for head, times in shapes.items()}
        owed = fresh.get(read.head, 0)
        if not owed:
            return []
        decoy = next((decoy for decoy in read.decoys() if not fresh.get(decoy.head)), None)
        return [decoy] if decoy is not None else [read] * owed

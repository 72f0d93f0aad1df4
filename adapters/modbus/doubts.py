"""Which replies may still be on their way on a line whose replies carry no number. Pure."""

from typing import Final

from adapters.modbus.frames import Read

_FORGET_S: Final = 30.0  # what has not come by then never comes


class Doubts:
    """Reads that got no reply, by unit and by what their reply would look like.

    A reply that comes late looks like the reply to any later read of the same unit, function and size. So before such a
    read another one is sent from the same address with another size: units answer in order, so its answer shows that
    nothing older is on its way any more. Outlives the connection, since a late reply does too.
    """

    def __init__(self) -> None:
        self._since: dict[int, dict[bytes, float]] = {}

    def note(self, read: Read, now: float) -> None:
        """The read was sent, and its reply has not come (yet)."""
        self._since.setdefault(read.unit, {})[read.head] = now

    def clear(self, unit: int) -> None:
        """The unit gave the reply to its newest read: every older one is through."""
        self._since.pop(unit, None)

    def forget(self, read: Read) -> None:
        """This one read has been answered, which says nothing about others."""
        shapes = self._since.get(read.unit, {})
        shapes.pop(read.head, None)
        if not shapes:
            self.clear(read.unit)

    def about(self, unit: int) -> bool:
        """Whether any reply of this unit may still be on its way."""
        return unit in self._since

    def decoy(self, read: Read, now: float) -> Read | None:
        """The read to send before this one, where a late reply could be taken for its own."""
        shapes = self._since.get(read.unit)
        if shapes is None:
            return None
        fresh = {head for head, since in shapes.items() if now - since < _FORGET_S}
        if read.head not in fresh:
            return None
        return next((decoy for decoy in read.decoys() if decoy.head not in fresh), None)

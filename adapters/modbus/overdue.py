"""Late replies that may still come on a stream, where they could fill up one that is cut short. Pure."""

from typing import Final

from adapters.modbus.frames import Read

_MOST: Final = 32  # a connection that misses more is closed or given up by then


class Overdue:
    """Missed reads of one connection whose replies have not come yet, by transaction.

    A reply that is cut short is filled up by what comes behind it. Where that is a late reply, its head stands in the
    middle of the frame, or begins at its end.
    """

    def __init__(self) -> None:
        self._heads: dict[int, tuple[bytes, bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._heads)

    def add(self, transaction: int, read: Read) -> None:
        """The read was given up."""
        self._heads[transaction] = read.heads(transaction)
        if len(self._heads) > _MOST:
            del self._heads[next(iter(self._heads))]

    def came(self, transaction: int) -> None:
        """A frame with this transaction has come, by itself."""
        self._heads.pop(transaction, None)

    def may_fill(self, frame: bytes, torn: bool) -> bool:
        """Whether a frame may have been cut short and filled up with a late reply.

        torn: it came in several pieces, or with something behind it that is no frame
        """
        heads = [head for pair in self._heads.values() for head in pair]
        if any(head in frame for head in heads):
            return True
        return torn and any(frame.endswith(head[:size]) for head in heads for size in range(1, len(head)))

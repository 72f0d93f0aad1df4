"""What readers and writers of recordings have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.model import Batch, Tag, TagType


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tag of a recording that somebody wants: the id that its readings get, and how its values are read."""

    tag: int
    type: TagType


class Reader(Protocol):
    """An open recording.

    tags     its dictionary, {} where it has none
    ignored  names of tags that were in it and that nobody wanted, so far
    """

    tags: dict[str, Tag]
    ignored: set[str]

    def pages(self, wanted: Mapping[str, Wanted]) -> Iterator[Batch]:
        """The wanted readings in the order of the file, in large batches. Unusable: says which line is wrong."""
        ...

    def survey(self) -> dict[str, Tag]:
        """Its tags with types guessed from their values: reads everything. Unusable: says which line is wrong."""
        ...

    @property
    def done(self) -> float:
        """How much of the file has been read, 0 to 1."""
        ...

    def close(self) -> None:
        """Releases the file."""
        ...


class Writer(Protocol):
    """A recording in the making; nothing is there under its name until `close`."""

    def write(self, batch: Batch, names: Mapping[int, str]) -> None:
        """Adds readings. names: the name of each tag id."""
        ...

    def close(self) -> None:
        """Finishes the file."""
        ...

    def discard(self) -> None:
        """Gives up; nothing stays."""
        ...

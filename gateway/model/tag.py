"""Tags: what is measured, under which id, and where it belongs in a store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class TagType(StrEnum):
    """How a reading's float64 `value` is to be read."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"  # the value is an index into the batch's `texts`


@dataclass(frozen=True, slots=True)
class Tag:
    """What is measured.

    name       `<owner>/<point>`: owner is an asset, `line/<line>`, `area/<area>`, `site/<site>`, `source/<source>`
               or `gateway`; derived tags are `<owner>/kpi/<window>[@<revision>]/<kpi>` and `<asset>/bucket/<quantity>`
    unit       as printed, "" where there is none
    modulus    a counter rolls over at this value (65536 for a uint16); 0: not a counter or it never rolls over
    counter    the value only grows, but for roll-over and reset
    period_ms  nominal time between two readings of a polled tag; 0: it reports on change
    source     the configured source that delivers it, "" for derived tags
    source_time  readings carry the time at which the source took them, not that of their arrival
    """

    name: str
    type: TagType = TagType.FLOAT
    unit: str = ""
    counter: bool = False
    modulus: int = 0
    period_ms: int = 0
    source: str = ""
    source_time: bool = False


def session(source: str) -> Tag:
    """The tag that proves a source's life: 1 while its session is up, 0 when it is lost."""
    return Tag(f"source/{source}/session", TagType.BOOL, source=source)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag's readings stand in a store; `owner` says whose labels they carry."""

    measurement: str  # telemetry | kpi | bucket | health
    owner: str
    field: str
    window: str = ""
    revision: int = 0


def place(name: str) -> Place:
    """The place of a tag in a store, from its name.

    >>> place("press-07/kpi/minute@2/oee")
    Place(measurement='kpi', owner='press-07', field='oee', window='minute', revision=2)
    """
    head, *rest = name.split("/")
    owner = head
    if head in {"line", "site", "source"} and rest:
        owner, rest = f"{head}/{rest[0]}", rest[1:]
    if head in {"source", "gateway"}:
        return Place("health", owner, "_".join(rest))
    if len(rest) == 3 and rest[0] == "kpi":
        window, _, revision = rest[1].partition("@")
        return Place("kpi", owner, rest[2], window, int(revision or 0))
    if len(rest) == 2 and rest[0] == "bucket":
        return Place("bucket", owner, rest[1])
    return Place("telemetry", owner, "_".join(rest))


class TagTable:
    """Ids of tags, as the journal assigned them. Grows only; an id never changes its meaning."""

    def __init__(self, known: Iterable[tuple[int, Tag]] = ()) -> None:
        self._tags: dict[int, Tag] = {}
        self._ids: dict[str, int] = {}
        self._is_text: NDArray[np.bool_] | None = None
        for tag_id, tag in known:
            self.add(tag_id, tag)

    def add(self, tag_id: int, tag: Tag) -> None:
        """Enters a tag; the newest definition of a name wins for `id_of`, older ids stay readable."""
        self._tags[tag_id] = tag
        self._ids[tag.name] = tag_id
        self._is_text = None

    def id_of(self, name: str) -> int:
        """The id of the tag of this name. KeyError where it is unknown."""
        return self._ids[name]

    def get(self, name: str) -> int | None:
        """The id of the tag of this name, or None."""
        return self._ids.get(name)

    def is_text(self) -> NDArray[np.bool_]:
        """True at the id of every text tag: bool[largest id + 1]."""
        if self._is_text is None:
            self._is_text = np.zeros(max(self._tags, default=0) + 1, np.bool_)
            self._is_text[[i for i, tag in self._tags.items() if tag.type is TagType.TEXT]] = True
        return self._is_text

    def __getitem__(self, tag_id: int) -> Tag:
        return self._tags[tag_id]

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def __iter__(self) -> Iterator[tuple[int, Tag]]:
        return iter(tuple(self._tags.items()))

    def __len__(self) -> int:
        return len(self._tags)

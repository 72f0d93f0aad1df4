"""Which tags are numbers, texts and KPIs: a lookup by tag id that grows with the TagTable."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.model import Place, Tag, TagTable, TagType, place

NUMBER: Final = 0
TEXT: Final = 1
KPI: Final = 2


class Roster:
    """The history's view of the TagTable; `refresh` after new tags may have come."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._seen = 0
        self._places: dict[int, Place] = {}
        self.kind: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.unlisted: list[tuple[int, Tag]] = []

    def refresh(self) -> None:
        """Takes in the tags that the table got since the last time; `unlisted` are those not yet in the file."""
        if len(self._tags) == self._seen:
            return
        fresh = list(self._tags)[self._seen :]
        top = max(tag_id for tag_id, _ in fresh)
        if top >= len(self.kind):
            self.kind = np.concatenate([self.kind, np.zeros(2 * (top + 1) - len(self.kind), np.uint8)])
        for tag_id, tag in fresh:
            self._enter(tag_id, tag)
        self._seen += len(fresh)

    def _enter(self, tag_id: int, tag: Tag) -> None:
        where = place(tag.name)
        if where.measurement == "kpi":
            self.kind[tag_id] = KPI
            self._places[tag_id] = where
        elif tag.type is TagType.TEXT:
            self.kind[tag_id] = TEXT
        if not where.revision:
            self.unlisted.append((tag_id, tag))

    @property
    def is_text(self) -> NDArray[np.bool_]:
        """True for text tags, by id."""
        is_text: NDArray[np.bool_] = self.kind == TEXT
        return is_text

    def place(self, tag_id: int) -> Place:
        """The place of a KPI tag."""
        return self._places[tag_id]

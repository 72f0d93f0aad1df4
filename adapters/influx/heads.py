"""What stands before each value of a line: measurement, labels and field, written once per tag."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.model import Place, Site, Tag, TagTable, TagType, place

BOOL: Final = 0
INT: Final = 1
WIDE: Final = 2  # written with every digit of a float64
SHORT: Final = 3  # may be written with the fewest digits that name its float32
TEXT: Final = 4

_KINDS: Final = {TagType.BOOL: BOOL, TagType.INT: INT, TagType.FLOAT: WIDE, TagType.TEXT: TEXT}
# Line protocol cannot hold a line break in a name, and stores disagree about a backslash before a separator.
_REPLACED: Final = str.maketrans({"\\": "/", "\n": " ", "\r": " "})
_MEASUREMENT: Final = str.maketrans({",": r"\,", " ": r"\ "})
_NAME: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})
_RESERVED: Final = frozenset({"time"})


def plain_name(name: str) -> str:
    """A name as a store keeps it: `\\` becomes `/`, a line break a space, an empty name `value`, `time` `time_`."""
    kept = name.translate(_REPLACED) or "value"
    return f"{kept}_" if kept in _RESERVED else kept


def _escape(name: str, table: dict[int, str] = _NAME) -> str:
    return plain_name(name).translate(table)


def labels(where: Place, site: Site) -> dict[str, str]:
    """The labels of a place: those of its owner, and `window` and `rev` of a KPI."""
    extra = {"window": where.window, "rev": str(where.revision) if where.revision else ""}
    return site.labels(where.owner) | {key: value for key, value in extra.items() if value}


def series_head(measurement: str, where: Place, site: Site) -> bytes:
    """Measurement and labels, escaped: everything before the first blank of a line."""
    pairs = sorted(labels(where, site).items())
    parts = [_escape(measurement, _MEASUREMENT), *(f"{_escape(key)}={_escape(value)}" for key, value in pairs)]
    return ",".join(parts).encode(errors="replace")


def kind_of(tag: Tag) -> int:
    """How the values of a tag are written.

    A gauge that a source delivers may come from a float32 register, whose 230.1 would read 230.10000610351562.
    Counters and computed values keep every digit: nobody's total is rounded.
    """
    if tag.type is TagType.FLOAT and tag.source and not tag.counter:
        return SHORT
    return _KINDS[tag.type]


@dataclass(slots=True)
class Heads:
    """Per tag id, as columns, what `encode` needs; grows with the tag table.

    kind    uint8[ids]   one of BOOL … TEXT
    series  int32[ids]   number of the series (measurement, owner, window, revision)
    fields  object[ids]  b"field="
    start   list by series number: b"telemetry,site=…,asset=… "
    trace   the same for the measurement `quality`
    """

    tags: TagTable
    site: Site
    kind: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    series: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    fields: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    start: list[bytes] = field(default_factory=list)
    trace: list[bytes] = field(default_factory=list)
    _known: int = 0
    _numbers: dict[tuple[str, str, str, int], int] = field(default_factory=dict)

    def refresh(self) -> None:
        """Takes in tags that joined the table since the last call."""
        if len(self.tags) == self._known:
            return
        entries = list(self.tags)
        size = max(tag_id for tag_id, _ in entries) + 1
        self.kind, self.series = np.zeros(size, np.uint8), np.zeros(size, np.int32)
        self.fields = np.empty(size, object)
        for tag_id, tag in entries:
            where = place(tag.name)
            self.kind[tag_id] = kind_of(tag)
            self.series[tag_id] = self._number(where)
            self.fields[tag_id] = f"{_escape(where.field)}=".encode(errors="replace")
        self._known = len(entries)

    def _number(self, where: Place) -> int:
        key = (where.measurement, where.owner, where.window, where.revision)
        number = self._numbers.setdefault(key, len(self.start))
        if number == len(self.start):
            self.start.append(series_head(where.measurement, where, self.site) + b" ")
            self.trace.append(series_head("quality", where, self.site) + b" ")
        return number

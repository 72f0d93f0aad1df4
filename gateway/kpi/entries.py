"""Entries: what people book and correct, as they stand in the journal. Pure.

An entry is a reading of the text tag `<asset>/entry`; its text is canonical JSON, so that one entry has one form.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from gateway.kpi import intervals
from gateway.kpi.facts import FOREVER_MS, text_code
from gateway.kpi.intervals import Interval, Kind
from gateway.kpi.parts import BOOKED
from gateway.model import Tag, TagType

POINT: Final = "entry"
COUNT: Final = "count"
READING: Final = "reading"
SPANS: Final[tuple[str, ...]] = intervals.KINDS
KINDS: Final[tuple[str, ...]] = (COUNT, READING, *SPANS)
_SEQ_BITS: Final = 53


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision of something that a person booked for an asset.

    kind      count: parts that no counter saw; reading: the right value of a reading; the others: see `Interval`
    from_ms   the moment of a count or reading; where the others begin
    to_ms     where it ends; that of a count or reading is its moment, `FOREVER_MS`: goes on
    role      of a count or reading
    value     parts (signed), the reading, or the reason, order or product by name
    seq       of a reading: which of those within one millisecond, 0 for levels and counters
    usable    False: withdrawn
    by        who booked it, and booked_ms when
    """

    id: str
    kind: str
    from_ms: int
    to_ms: int
    value: float | str
    role: str = ""
    seq: int = 0
    revision: int = 0
    usable: bool = True
    by: str = ""
    booked_ms: int = 0
    note: str = ""

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says, without who said it when and how often."""
        return self.kind, self.from_ms, self.to_ms, self.value, self.role, self.seq, self.usable, self.note

    def revised(self, **changes: Any) -> "Entry":
        """The next revision."""
        return replace(self, revision=self.revision + 1, **changes)


@dataclass(frozen=True, slots=True)
class Fact:
    """What an entry says about a role at one moment, see `Series`. text: what the value stands for."""

    role: str
    time_ms: int
    seq: int
    value: float
    usable: bool
    revision: int
    text: str | None = None


def entry_tag(asset: str) -> Tag:
    """The tag that an asset's entries are readings of."""
    return Tag(f"{asset}/{POINT}", TagType.TEXT)


def dump(entry: Entry) -> str:
    """Canonical JSON; what has its default is left out."""
    found: dict[str, object] = {"id": entry.id, "kind": entry.kind, "from": entry.from_ms, "value": entry.value}
    ends = entry.to_ms not in (entry.from_ms, FOREVER_MS)
    optional = {
        "to": entry.to_ms if ends else None,
        "role": entry.role,
        "seq": entry.seq,
        "revision": entry.revision,
        "withdrawn": not entry.usable,
        "by": entry.by,
        "at": entry.booked_ms,
        "note": entry.note,
    }
    found |= {key: value for key, value in optional.items() if value}
    return json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Entry:
    """The entry that `dump` wrote. ValueError: it is none, or of a kind that is not known."""
    try:
        found = json.loads(text)
        from_ms, kind, value = int(found["from"]), found["kind"], found["value"]
        if kind not in KINDS:
            raise ValueError(f"an entry of kind {kind!r}: written by a newer Lineside")
        return Entry(
            id=str(found["id"]),
            kind=kind,
            from_ms=from_ms,
            to_ms=int(found.get("to", FOREVER_MS if kind in SPANS else from_ms)),
            value=value if isinstance(value, str) else float(value),
            role=str(found.get("role", "")),
            seq=int(found.get("seq", 0)),
            revision=int(found.get("revision", 0)),
            usable=not found.get("withdrawn", False),
            by=str(found.get("by", "")),
            booked_ms=int(found.get("at", 0)),
            note=str(found.get("note", "")),
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as exc:
        raise ValueError(f"no entry: {text[:80]!r}") from exc


def fact_of(entry: Entry) -> Fact | None:
    """The fact that a count or reading becomes; None for the others.

    A count stands beside the role's own facts, under a key of its own. A reading takes the place of the recorded one:
    the same key, a higher revision; withdrawn, it says that there was no usable reading.
    """
    if entry.kind == COUNT:
        value = float(entry.value)
        return Fact(entry.role + BOOKED, entry.from_ms, seq_of(entry.id), value, entry.usable, entry.revision)
    if entry.kind != READING:
        return None
    is_text = isinstance(entry.value, str)
    value = text_code(str(entry.value)) if is_text else float(entry.value)
    usable = entry.usable and math.isfinite(value)
    text = str(entry.value) if is_text else None
    return Fact(entry.role, entry.from_ms, entry.seq, value, usable, entry.revision + 1, text)


def interval_of(entry: Entry) -> Interval | None:
    """The interval that an entry becomes; None for counts and readings."""
    if entry.kind not in SPANS:
        return None
    kind = cast("Kind", entry.kind)
    return Interval(entry.id, kind, entry.from_ms, entry.to_ms, str(entry.value), entry.revision, entry.usable)


def seq_of(entry_id: str) -> int:
    """The place of a booked count among those of one millisecond: 53 bits of its id's hash."""
    return int.from_bytes(hashlib.blake2b(entry_id.encode(), digest_size=8).digest()) >> (64 - _SEQ_BITS)


def stamp_ns(entry: Entry) -> int:
    """The time of the journalled reading: the entry's own, with a fraction of a ms that keeps entries apart."""
    digest = hashlib.blake2b(f"{entry.id}\n{entry.revision}".encode(), digest_size=4).digest()
    return entry.from_ms * 1_000_000 + int.from_bytes(digest) % 1_000_000


def id_of_row(asset: str, entry: Entry, nth: int) -> str:
    """The id of an entry from a file that gives none: a hash of what it says; nth: of the file's rows that say it."""
    said = json.dumps([asset, entry.kind, entry.from_ms, entry.to_ms, entry.value, entry.role, entry.note, nth])
    return "row-" + hashlib.blake2b(said.encode(), digest_size=9).hexdigest()

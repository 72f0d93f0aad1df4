"""Replay: stored minutes once more from the stored facts, compared bit by bit. Reads kpi.db and changes nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import apsw

from gateway.kpi.book import Derived, derive
from gateway.kpi.buckets import MINUTE_MS, quantities
from gateway.kpi.past import Past
from gateway.kpi.posting import Span, minute_of
from gateway.kpi.split import Split, Splits, by_minute
from gateway.kpi.store import COLUMNS, Progress, Row

_PIECE_MS: Final = 6 * 3_600_000
_MISSING: Final = "minute"


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that is not what the facts say. product, order: of a slice; None: it is the minute's own.

    quantity  `minute`: it stands on one side only, and 1 says on which
    """

    asset: str
    minute: int
    quantity: str
    stored: int
    computed: int
    product: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What was compared of one asset: minutes, or why a stretch was left out."""

    asset: str
    from_ms: int
    to_ms: int
    minutes: int
    differences: tuple[Difference, ...] = ()
    left_out: str = ""


def assets_of(db: apsw.Connection) -> list[str]:
    """The assets that have minutes."""
    return [str(name) for (name,) in db.execute("SELECT DISTINCT asset FROM model ORDER BY asset")]


def replay(db: apsw.Connection, asset: str, from_ms: int, to_ms: int) -> Iterator[Piece]:
    """Compares an asset's stored minutes of a range with what its facts give, a few hours at a time.

    Each piece is one short look at the file, so that the gateway beside it is not held up.
    """
    start_ms, end_ms = minute_of(from_ms), minute_of(to_ms + MINUTE_MS - 1)
    while start_ms < end_ms:
        stop_ms = min(end_ms, start_ms + _PIECE_MS)
        db.execute("BEGIN")
        try:
            yield from _Look(db, asset).pieces(start_ms, stop_ms)
        finally:
            db.execute("ROLLBACK")
        start_ms = stop_ms


class _Look:
    """One consistent look at an asset."""

    def __init__(self, db: apsw.Connection, asset: str) -> None:
        self._db, self._asset = db, asset
        self._texts = {float(code): str(text) for code, text in _rows(db, "SELECT id, text FROM text")}

    def pieces(self, from_ms: int, to_ms: int) -> list[Piece]:
        progress = Past(self._db, self._asset).progress()
        if progress is None:
            return [Piece(self._asset, from_ms, to_ms, 0, left_out="has no facts")]
        kept_ms, closed_ms = minute_of(max(progress.sealed_ms, progress.first_ms)), progress.closed_ms
        start, end = max(from_ms, kept_ms), min(to_ms, closed_ms)
        waiting = [(max(a, start), min(b, end)) for a, b in self._waiting()]
        parts = [
            self._left_out(from_ms, min(to_ms, kept_ms), "lies before the facts that are kept"),
            *(self._left_out(*span, "waits to be computed again") for span in waiting),
            self._left_out(max(from_ms, closed_ms), to_ms, "is not closed yet"),
        ]
        compared = [self._compared(progress, *part) for part in _without(waiting, start, end)]
        return [*(part for part in parts if part is not None), *compared]

    def _left_out(self, from_ms: int, to_ms: int, why: str) -> Piece | None:
        return Piece(self._asset, from_ms, to_ms, 0, left_out=why) if from_ms < to_ms else None

    def _waiting(self) -> list[Span]:
        """Minutes that the engine is still to compute again."""
        found = _rows(self._db, "SELECT value FROM meta WHERE key = 'later'")
        return [(a, b) for a, b in json.loads(found[0][0]).get(self._asset, ())] if found else []

    def _compared(self, progress: Progress, from_ms: int, to_ms: int) -> Piece:
        first, last = from_ms // MINUTE_MS, to_ms // MINUTE_MS - 1
        sql = f"SELECT minute, model, {COLUMNS} FROM minute WHERE asset = ? AND minute BETWEEN ? AND ? ORDER BY minute"
        stored: dict[int, tuple[str, Row]] = {
            minute: (model, tuple(row)) for minute, model, *row in _rows(self._db, sql, self._asset, first, last)
        }
        splits = Splits(self._db).of(self._asset, first, last)
        computed: dict[int, Row] = {}
        sliced: dict[int, Split] = {}
        for digest, minutes in groupby(stored, lambda minute: stored[minute][0]):
            for start, end in _spans(list(minutes)):
                found = self._derived(digest, (max(start, progress.first_ms), end), progress.horizon_ms).buckets
                rows = zip(found.minute.tolist(), found.values.T.tolist(), strict=True)
                computed |= {minute: tuple(row) for minute, row in rows}
                sliced |= by_minute(found.slices)
        known = {minute: row for minute, (_, row) in stored.items()}
        differences = [
            *(Difference(self._asset, n, _MISSING, 0, 1) for n in range(first, last + 1) if n not in known),
            *self._minutes(known, computed),
            *self._slices(splits, sliced, known),
        ]
        return Piece(self._asset, from_ms, to_ms, len(known), tuple(differences))

    def _minutes(self, known: Mapping[int, Row], computed: Mapping[int, Row]) -> Iterator[Difference]:
        for minute, row in known.items():
            other = computed[minute]
            if row != other:
                for quantity, stored, found in zip(quantities, row, other, strict=True):
                    if stored != found:
                        yield Difference(self._asset, minute, quantity, stored, found)

    def _slices(
        self, splits: Mapping[int, Split], sliced: Mapping[int, Split], known: Mapping[int, Row]
    ) -> Iterator[Difference]:
        for minute in known:
            before = {(product, order): row for product, order, row in splits.get(minute, ())}
            after = {(product, order): row for product, order, row in sliced.get(minute, ())}
            for label in sorted(before.keys() | after.keys()):
                if label not in before or label not in after:
                    yield Difference(self._asset, minute, _MISSING, label in before, label in after, *label)
                    continue
                for quantity, stored, found in zip(quantities, before[label], after[label], strict=True):
                    if stored != found:
                        yield Difference(self._asset, minute, quantity, stored, found, *label)

    def _derived(self, digest: str, span: Span, horizon_ms: int) -> Derived:
        found = Past(self._db, self._asset).inputs(digest, *span)
        return derive(found.model, found.facts, found.sessions, span, horizon_ms, found.intervals, self._texts)


def _without(spans: Sequence[Span], from_ms: int, to_ms: int) -> list[Span]:
    """A range without some parts of it."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if from_ms < min(start, to_ms):
            found.append((from_ms, min(start, to_ms)))
        from_ms = max(from_ms, end)
    return [*found, (from_ms, to_ms)] if from_ms < to_ms else found


def _spans(minutes: Sequence[int]) -> Iterator[Span]:
    """The unbroken runs of ascending minutes, in ms."""
    start = previous = minutes[0]
    for minute in (*minutes[1:], None):
        if minute is None or minute != previous + 1:
            yield start * MINUTE_MS, (previous + 1) * MINUTE_MS
            start = minute or 0
        previous = minute or 0


def _rows(db: apsw.Connection, sql: str, *bindings: str | int) -> list[Any]:
    """All rows of a statement. Columns are as the schema says, which type checkers cannot know."""
    return db.execute(sql, bindings).fetchall()

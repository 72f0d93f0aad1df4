"""Load profiles out of kpi.db: minutes where they are kept, quarters of an hour before."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.energy.measured import holes, unchecked_ms
from gateway.energy.profile import Profile, overlaid

_MINUTE_MS: Final = 60_000
_QUARTER_MS: Final = 900_000
_HAS_METER: Final = "SELECT 1 FROM model WHERE asset = ? AND json_extract(json, '$.roles.energy') IS NOT NULL LIMIT 1"
Span = tuple[int, int]
Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of an owner's energy over a range.

    unseen_ms  before this readings are no longer kept: holes in them would not be seen
    end_ms     up to here numbers are stored
    """

    owner: str
    span: Span
    profile: Profile
    unseen_ms: int
    end_ms: int

    @property
    def holes(self) -> list[Span]:
        """What was not measured of the time that is stored."""
        runs = self.profile.unknown_runs()
        return [(start, min(end, self.end_ms)) for start, end in runs if start < self.end_ms]


def stored(db: apsw.Connection, owner: str, span: Span, max_gap_ms: int, quantity: str = "energy") -> Stored:
    """An owner's energy over a range of whole minutes, UTC ms.

    What kpi.db does not hold yet, or any more, is not known; nor is when energy was used that fell into a hole of the
    readings of one of the owner's meters.
    """
    begin, closed = _row(db, "SELECT first_ms, closed_ms FROM progress WHERE owner = ?", owner) or (span[1], span[0])
    start_ms, end_ms, mwh = _intervals(db, owner, span, quantity)
    assets = meters(db, owner)
    unsure = [hole for meter in assets for hole in holes(db, meter, *span, max_gap_ms)]
    known = (start_ms >= begin) & ~overlaid(unsure, start_ms, end_ms) & bool(assets)
    own = Profile.of(start_ms, end_ms, mwh, known, span)
    return Stored(owner, span, own, unchecked_ms(db, assets), min(closed, span[1]))


def meters(db: apsw.Connection, owner: str) -> list[str]:
    """The assets whose electricity an owner's is: itself, or those of a line, area or site that have a meter."""
    (text,) = _row(db, "SELECT value FROM meta WHERE key = ?", "groups") or ("{}",)
    return [asset for asset in dict.fromkeys(_leaves(json.loads(text), owner)) if _row(db, _HAS_METER, asset)]


def parts(db: apsw.Connection, owner: str) -> list[str]:
    """What a group's peak is compared with: the assets in it that have a meter; none of an asset."""
    found = meters(db, owner)
    return [] if found == [owner] else found


def _leaves(groups: dict[str, Any], owner: str) -> Iterable[str]:
    if owner not in groups:
        return [owner]
    return [leaf for member in groups[owner]["members"] for leaf in _leaves(groups, member)]


def _intervals(db: apsw.Connection, owner: str, span: Span, quantity: str) -> tuple[Column, Column, Column]:
    """Start, end and energy of the stored intervals of a range: minutes, and quarters before the first minute."""
    (first,) = _row(db, "SELECT min(minute) FROM minute WHERE asset = ?", owner)
    cut_ms = span[1] if first is None else -(-first * _MINUTE_MS // _QUARTER_MS) * _QUARTER_MS
    cut_ms = min(max(cut_ms, span[0]), span[1])
    rows = _tier(db, "quarter", _QUARTER_MS, quantity, owner, (span[0], cut_ms))
    rows += _tier(db, "minute", _MINUTE_MS, quantity, owner, (cut_ms, span[1]))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _tier(db: apsw.Connection, tier: str, step_ms: int, quantity: str, owner: str, span: Span) -> list[Any]:
    sql = f"SELECT {tier} * {step_ms}, ({tier} + 1) * {step_ms}, {quantity} FROM {tier}"
    sql += f" WHERE asset = ? AND {tier} >= ? AND {tier} < ? ORDER BY {tier}"
    return db.execute(sql, (owner, -(-span[0] // step_ms), span[1] // step_ms)).fetchall()


def _row(db: apsw.Connection, sql: str, binding: str) -> Any:
    return db.execute(sql, (binding,)).fetchone()

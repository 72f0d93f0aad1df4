"""Load profiles out of kpi.db: minutes where they are kept, quarters of an hour before."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.energy.profile import Profile, among
from gateway.kpi.facts import FOREVER_MS

_MINUTE_MS: Final = 60_000
_QUARTER_MS: Final = 900_000
_HAS_METER: Final = "SELECT 1 FROM model WHERE asset = ? AND json_extract(json, '$.roles.energy') IS NOT NULL LIMIT 1"
Span = tuple[int, int]
Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of an owner's energy over a range. end_ms: up to here."""

    owner: str
    span: Span
    profile: Profile
    end_ms: int

    @property
    def holes(self) -> list[Span]:
        """What was not measured of the time that is stored."""
        runs = self.profile.unknown_runs()
        return [(start, min(end, self.end_ms)) for start, end in runs if start < self.end_ms]


@dataclass(frozen=True, slots=True)
class Meters:
    """The assets whose meters an owner's electricity comes from.

    whole   those that measure all of it together: the uppermost of the meter tree
    leaves  those that no other one stands below
    """

    whole: tuple[str, ...]
    leaves: tuple[str, ...]


def stored(db: apsw.Connection, owner: str, span: Span, quantity: str = "energy") -> Stored:
    """An owner's energy over a range of whole minutes, UTC ms.

    What kpi.db does not hold yet, or any more, is not known; nor is when energy was used while one of the meters that
    measure the owner's electricity was not read.
    """
    start_ms, end_ms, mwh = _intervals(db, owner, span, quantity)
    known = np.ones(len(start_ms), np.bool_)
    meters = meters_of(db, owner).whole
    for meter in meters:
        begin, end, metered_us = _intervals(db, meter, span, "metered")
        complete = begin[metered_us == (end - begin) * 1000]
        known &= among(start_ms, complete)
    own = Profile.of(start_ms, end_ms, mwh, known & bool(meters), span)
    return Stored(owner, span, own, max(span[0], min(stored_to_ms(db, owner), span[1])))


def stored_to_ms(db: apsw.Connection, owner: str) -> int:
    """Up to when an owner's minutes are stored; 0: there are none."""
    (closed,) = _row(db, "SELECT closed_ms FROM progress WHERE owner = ?", owner) or (0,)
    return int(closed)


def meters_of(db: apsw.Connection, owner: str) -> Meters:
    """The meters of an asset, a line, an area or the site; none where it has no electricity."""
    (text,) = _row(db, "SELECT value FROM meta WHERE key = ?", "groups") or ("{}",)
    groups: dict[str, Any] = json.loads(text)
    found = [asset for asset in dict.fromkeys(_assets(groups, owner)) if _row(db, _HAS_METER, asset)]
    below: dict[str, list[str]] = groups.get(owner, {}).get("below", {})
    inner = {name for children in below.values() for name in children}
    return Meters(tuple(a for a in found if a not in inner), tuple(a for a in found if a not in below))


def _assets(groups: dict[str, Any], owner: str) -> Iterable[str]:
    if owner not in groups:
        return [owner]
    return [asset for member in groups[owner]["members"] for asset in _assets(groups, member)]


def _intervals(db: apsw.Connection, owner: str, span: Span, quantity: str) -> tuple[Column, Column, Column]:
    """Start, end and amount of the stored intervals of a range: minutes, and quarters before the first minute."""
    cut_ms = min(max(_minutes_from_ms(db, owner), span[0]), span[1])
    rows = _tier(db, "quarter", _QUARTER_MS, quantity, owner, (span[0], cut_ms))
    rows += _tier(db, "minute", _MINUTE_MS, quantity, owner, (cut_ms, span[1]))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _minutes_from_ms(db: apsw.Connection, owner: str) -> int:
    """From when on an owner's minutes are kept, at the beginning of a quarter where older ones were forgotten."""
    sql = "SELECT min(minute), (SELECT first_ms FROM progress WHERE owner = ?1) FROM minute WHERE asset = ?1"
    first, begin_ms = _row(db, sql, owner)
    if first is None:
        return FOREVER_MS
    first_ms: int = first * _MINUTE_MS
    return first_ms if first_ms <= begin_ms else -(-first_ms // _QUARTER_MS) * _QUARTER_MS


def _tier(db: apsw.Connection, tier: str, step_ms: int, quantity: str, owner: str, span: Span) -> list[Any]:
    sql = f"SELECT {tier} * {step_ms}, ({tier} + 1) * {step_ms}, {quantity} FROM {tier}"
    sql += f" WHERE asset = ? AND {tier} >= ? AND {tier} < ? ORDER BY {tier}"
    return db.execute(sql, (owner, -(-span[0] // step_ms), span[1] // step_ms)).fetchall()


def _row(db: apsw.Connection, sql: str, binding: str) -> Any:
    return db.execute(sql, (binding,)).fetchone()

"""Load profiles out of kpi.db: minutes where they are kept, quarters of an hour before."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.energy.measured import holes
from gateway.energy.profile import Profile, overlaid
from gateway.kpi.buckets import quantities

_MINUTE_MS: Final = 60_000
_QUARTER_MS: Final = 900_000


def profile(
    db: apsw.Connection, owner: str, from_ms: int, to_ms: int, max_gap_ms: int, quantity: str = "energy"
) -> Profile:
    """An owner's energy over a range, UTC ms; whole minutes.

    What kpi.db does not hold yet, or any more, is not known; nor is what fell into a hole of the readings of one of
    the owner's meters, whose energy is known only for the hole as a whole.
    """
    if quantity not in quantities:
        raise ValueError(f"no quantity {quantity!r}")
    first = _value(db, "SELECT min(minute) FROM minute WHERE asset = ?", owner)
    begin = _value(db, "SELECT first_ms FROM progress WHERE owner = ?", owner)
    if begin is None:
        return Profile.of(*_columns([]), np.zeros(0, np.bool_), (from_ms, to_ms))
    cut_ms = to_ms if first is None else -(-first * _MINUTE_MS // _QUARTER_MS) * _QUARTER_MS
    cut_ms = min(max(cut_ms, from_ms), to_ms)
    rows = _rows(db, "quarter", _QUARTER_MS, quantity, owner, from_ms, cut_ms)
    rows += _rows(db, "minute", _MINUTE_MS, quantity, owner, cut_ms, to_ms)
    start_ms, end_ms, mwh = _columns(rows)
    unsure = [span for meter in meters(db, owner) for span in holes(db, meter, from_ms, to_ms, max_gap_ms)]
    known = (start_ms >= begin) & ~overlaid(unsure, start_ms, end_ms)
    return Profile.of(start_ms, end_ms, mwh, known, (from_ms, to_ms))


def meters(db: apsw.Connection, owner: str) -> list[str]:
    """The assets whose electricity an owner's is: itself, or those of a line, area or site that have a meter."""
    groups: dict[str, Any] = json.loads(_value(db, "SELECT value FROM meta WHERE key = ?", "groups") or "{}")
    found = dict.fromkeys(_leaves(groups, owner))
    return [asset for asset in found if _value(db, _HAS_METER, asset) is not None]


def parts(db: apsw.Connection, owner: str) -> list[str]:
    """What a group's peak is compared with: the assets in it that have a meter; none of an asset."""
    found = meters(db, owner)
    return [] if found == [owner] else found


def stored_to_ms(db: apsw.Connection, owner: str) -> int:
    """Up to when an owner's minutes are stored."""
    return int(_value(db, "SELECT closed_ms FROM progress WHERE owner = ?", owner) or 0)


_HAS_METER: Final = (
    """SELECT 1 FROM model WHERE asset = ? AND json_extract(json, '$.roles.energy') IS NOT NULL LIMIT 1"""
)


def _leaves(groups: dict[str, Any], owner: str) -> Iterable[str]:
    if owner not in groups:
        return [owner]
    return [leaf for member in groups[owner]["members"] for leaf in _leaves(groups, member)]


def _rows(
    db: apsw.Connection, tier: str, step_ms: int, quantity: str, owner: str, from_ms: int, to_ms: int
) -> list[tuple[int, int, int]]:
    sql = f"SELECT {tier} * {step_ms}, ({tier} + 1) * {step_ms}, {quantity} FROM {tier}"
    sql += f" WHERE asset = ? AND {tier} >= ? AND {tier} < ? ORDER BY {tier}"
    found: list[Any] = db.execute(sql, (owner, -(-from_ms // step_ms), to_ms // step_ms)).fetchall()
    return found


def _columns(rows: Sequence[tuple[int, int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _value(db: apsw.Connection, sql: str, binding: str) -> Any:
    found = db.execute(sql, (binding,)).fetchone()
    return found[0] if found else None

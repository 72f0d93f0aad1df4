"""Where an asset's electricity was measured: between two good readings of its register that are near each other."""

from collections.abc import Sequence
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.kpi.chunks import Chunks

_DAY_MS: Final = 86_400_000
Span = tuple[int, int]


def holes(db: apsw.Connection, asset: str, from_ms: int, to_ms: int, max_gap_ms: int) -> list[Span]:
    """Stretches of a range, in order, in which nobody knows when an asset's energy was used.

    Readings that are further apart than the largest gap know how much was used between them, but not when. Facts
    older than those that are kept are no evidence either way: there is no hole before them.
    """
    kept_ms = _kept_ms(db, asset)
    found: list[Span] = []
    for start in range(max(from_ms, kept_ms), to_ms, _DAY_MS):
        end = min(start + _DAY_MS, to_ms)
        series = Chunks(db).window(asset, "energy", start, end - 1)
        found += _gaps(series.time_ms[series.usable], start, end, max_gap_ms)
    return found


def unchecked_ms(db: apsw.Connection, assets: Sequence[str]) -> int:
    """Before this, readings of one of the assets are no longer kept, and `holes` sees none; 0: all are kept."""
    return max((_kept_ms(db, asset) for asset in assets), default=0)


def _kept_ms(db: apsw.Connection, asset: str) -> int:
    """From when on an asset's readings are kept, where it has had older ones; else 0."""
    sql = "SELECT sealed_ms FROM progress WHERE owner = ? AND sealed_ms > first_ms"
    found = db.execute(sql, (asset,)).fetchone()
    return int(found[0]) if found else 0


def _gaps(times: NDArray[np.int64], from_ms: int, to_ms: int, max_gap_ms: int) -> list[Span]:
    """The parts of a range that lie between two times further apart than the largest gap, or beyond all of them."""
    inside = times[np.searchsorted(times, from_ms, "right") - 1 if len(times) and times[0] <= from_ms else 0 :]
    edges = np.concatenate([[from_ms - max_gap_ms - 1], inside, [to_ms + max_gap_ms + 1]])
    wide = np.flatnonzero(np.diff(edges) > max_gap_ms)
    spans = zip(edges[wide].tolist(), edges[wide + 1].tolist(), strict=True)
    clipped = ((max(start, from_ms), min(end, to_ms)) for start, end in spans)
    return [(start, end) for start, end in clipped if start < end]

"""The data-quality scores of single tags over any range, counted again from the facts in kpi.db."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import MEASURE, Binding
from gateway.kpi.catalogue import scores
from gateway.kpi.facts import FOREVER_MS
from gateway.kpi.past import Past
from gateway.kpi.scores import COUNTED, by_role

_PIECE_MS: Final = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class TagScores:
    """How good the readings of one role were; "": all roles of the asset together.

    period_ms  between two polls; 0: reported on change, or nobody watches the source
    counts     `dq_<name>` → count, see `gateway.kpi.scores.scores`
    """

    asset: str
    role: str
    tag: str
    period_ms: int
    counts: dict[str, int]

    @property
    def scores(self) -> dict[str, float]:
        """KPI → value of the scores that were counted."""
        return scores(self.counts)

    @property
    def unchecked(self) -> float | None:
        """Share of the readings that no rule says anything about; None: there are none."""
        read = self.counts["dq_in"]
        return 1 - self.counts["dq_checked"] / read if read else None


def tag_scores(db: apsw.Connection, assets: Sequence[str], from_ms: int, to_ms: int) -> list[TagScores]:
    """Every role of some assets, then each asset as a whole, over a range as far as its facts are kept."""
    return [one for asset in assets for one in _of_asset(db, asset, from_ms, to_ms)]


def together(found: Sequence[TagScores], owner: str) -> TagScores:
    """The sums over some tags."""
    sums = {name: sum(one.counts[name] for one in found) for name in _names()}
    return TagScores(owner, "", "", 0, sums)


def _of_asset(db: apsw.Connection, asset: str, from_ms: int, to_ms: int) -> Iterator[TagScores]:
    past = Past(db, asset)
    progress = past.progress()
    if progress is None:
        return
    low, high = max(from_ms, progress.first_ms, progress.sealed_ms), min(to_ms, progress.horizon_ms)
    sums: dict[str, NDArray[np.int64]] = {}
    bindings: dict[str, Binding] = {}
    for digest, start, end in _pieces(db, asset, low, high):
        found = past.inputs(digest, start, end)
        bindings |= found.model.bindings
        for role, counts in by_role(
            found.model, found.facts, found.sessions, (start, end), progress.horizon_ms
        ).items():
            sums[role] = sums.get(role, np.zeros(len(COUNTED), np.int64)) + counts
    every = [_scored(asset, bindings[role], counts) for role, counts in sums.items()]
    yield from every
    if every:
        yield together(every, asset)


def _scored(asset: str, binding: Binding, counts: NDArray[np.int64]) -> TagScores:
    period_ms = binding.hold.period_ms if binding.hold.polled else 0
    role = binding.role.removeprefix(MEASURE)
    return TagScores(asset, role, binding.tag_name, period_ms, dict(zip(_names(), counts.tolist(), strict=True)))


def _names() -> list[str]:
    return [f"dq_{name}" for name in COUNTED]


def _pieces(db: apsw.Connection, asset: str, from_ms: int, to_ms: int) -> Iterator[tuple[str, int, int]]:
    """A range a few hours at a time, each with the hash of the model that was valid."""
    sql = "SELECT valid_from_ms, hash FROM model WHERE asset = ? ORDER BY valid_from_ms"
    models: list[Any] = db.execute(sql, (asset,)).fetchall()
    ends = [*(start for start, _ in models[1:]), FOREVER_MS]
    for (_, digest), end in zip(models, ends, strict=True):
        while from_ms < min(end, to_ms):
            until = min(end, to_ms, from_ms + _PIECE_MS)
            yield digest, from_ms, until
            from_ms = until

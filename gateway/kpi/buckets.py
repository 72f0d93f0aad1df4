"""Segments and facts → minute buckets: int64 quantities that add up under any partition of time. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.facts import Series
from gateway.kpi.roles import AssetModel
from gateway.kpi.segments import Segments

MINUTE_MS: Final = 60_000
_IN_PLANNED: Final = ("producing", "setup", "idle", "fault", "blocked", "starved", "unknown")
quantities: Final[tuple[str, ...]] = (
    "planned",
    *(f"time_{name}" for name in (*_IN_PLANNED, "planned_stop", "unplanned")),
    *("ideal_total", "ideal_good", "total", "good", "scrap", "stops"),
    *(f"energy_{name}" for name in (*_IN_PLANNED, "planned_stop", "unplanned")),
    *("energy", "facts", "facts_bad"),
)
"""Names of the additive quantities, in their stored order: times in µs, energies in mWh, the others counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """One row per minute of a range, ascending and without gaps.

    minute  int64[m]                     minutes since 1970, UTC
    values  int64[len(quantities), m]    one row of the array per quantity, in the order of `quantities`
    """

    minute: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.minute)

    def __getitem__(self, quantity: str) -> NDArray[np.int64]:
        """int64[m] of one quantity."""
        row: NDArray[np.int64] = self.values[quantities.index(quantity)]
        return row

    def total(self) -> dict[str, int]:
        """Each quantity summed over the range."""
        return dict(zip(quantities, self.values.sum(axis=1).tolist(), strict=True))


def buckets(asset: AssetModel, segs: Segments, facts: Mapping[str, Series], from_ms: int, to_ms: int) -> Buckets:
    """All minutes of a range at once; minutes that the range covers in part hold that part only.

    Args:
        asset: the model.
        segs: `segments(...)` of the same range.
        facts: role → facts, with the neighbours of the range (`slice_with_neighbours`).
        from_ms, to_ms: the range, UTC ms, [from, to).
    """
    raise NotImplementedError

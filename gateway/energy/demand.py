"""Demand: the highest mean power over 15 or 30 minutes, by the clock's blocks and sliding; load factor. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.energy.localtime import Offsets
from gateway.energy.profile import Profile, among, kw


@dataclass(frozen=True, slots=True)
class Peak:
    """The window with the highest demand; the first of several that are equal."""

    kw: float
    start_ms: int
    end_ms: int
    mwh: int


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """k windows of one length.

    start_ms  int64[k]
    mwh       int64[k]
    valid     bool[k]   all of it was measured, and it begins and ends where intervals of the profile do
    """

    length_ms: int
    start_ms: NDArray[np.int64]
    mwh: NDArray[np.int64]
    valid: NDArray[np.bool_]

    @property
    def peak(self) -> Peak | None:
        """None: not a single window is valid."""
        if not self.valid.any():
            return None
        row = int(np.argmax(np.where(self.valid, self.mwh, -1)))
        start, mwh = int(self.start_ms[row]), int(self.mwh[row])
        return Peak(kw(mwh, self.length_ms), start, start + self.length_ms, mwh)

    def invalid_runs(self) -> list[tuple[int, int]]:
        """Stretches (start, end) of windows that are not valid."""
        step = np.diff(np.concatenate([[0], (~self.valid).astype(np.int8), [0]]))
        first, last = np.flatnonzero(step == 1), np.flatnonzero(step == -1) - 1
        ends = (self.start_ms[last] + self.length_ms).tolist()
        return list(zip(self.start_ms[first].tolist(), ends, strict=True))


@dataclass(frozen=True, slots=True)
class Demand:
    """What a profile asked of its supply.

    block        by the windows of the clock, which a supplier bills
    sliding      by any window of the length; never below `block`
    load_factor  mean of what was measured over the block peak, None without one
    blocks       every window of the clock
    reason       why there is no peak, "" where there is one
    """

    block: Peak | None
    sliding: Peak | None
    load_factor: float | None
    blocks: Windows
    reason: str


def demand(profile: Profile, length_ms: int, zone: ZoneInfo) -> Demand:
    """Demand over windows of a length.

    A window in which any part was not measured has no demand, nor has one whose ends lie inside an interval of the
    profile: nothing is interpolated. A profile of hours therefore has no demand over 15 minutes.

    Args:
        profile: of the owner, or `summed` over its parts: a plant's peak is never the sum of its machines' peaks.
        length_ms: 15 or 30 minutes.
        zone: of the site; blocks begin at whole multiples of the length after its midnight.
    """
    blocks = block_windows(profile, length_ms, zone)
    block, sliding = blocks.peak, sliding_windows(profile, length_ms).peak
    factor = None
    if block is not None and block.kw > 0:
        factor = kw(int(profile.mwh[profile.known].sum()), profile.known_ms) / block.kw
    return Demand(block, sliding, factor, blocks, "" if block else _reason(profile, length_ms))


def block_windows(profile: Profile, length_ms: int, zone: ZoneInfo) -> Windows:
    """Every window of the clock that lies whole in the profile."""
    from_ms, to_ms = int(profile.edge_ms[0]), int(profile.edge_ms[-1])
    edges = Offsets.of(zone, from_ms, to_ms).blocks(length_ms, from_ms, to_ms)
    whole = np.flatnonzero(np.diff(edges) == length_ms)  # a clock that is put on or back may cut one short
    return _windows(profile, edges[whole], length_ms)


def sliding_windows(profile: Profile, length_ms: int) -> Windows:
    """Every window that begins and ends at edges of the profile."""
    starts = profile.edge_ms[profile.edge_ms + length_ms <= profile.edge_ms[-1]]
    return _windows(profile, starts[among(starts + length_ms, profile.edge_ms)], length_ms)


def coincidence(plant: Peak | None, parts: Sequence[Peak | None]) -> float | None:
    """Peak of the sum over the sum of peaks: 1 where all peak at once. None: a part has no peak."""
    if plant is None or not parts or any(part is None for part in parts):
        return None
    together = sum(part.kw for part in parts if part is not None)
    return plant.kw / together if together > 0 else None


def _windows(profile: Profile, start_ms: NDArray[np.int64], length_ms: int) -> Windows:
    ends = start_ms + length_ms
    measured = profile.unknown_at(ends) == profile.unknown_at(start_ms)
    cut = among(start_ms, profile.edge_ms) & among(ends, profile.edge_ms)
    return Windows(length_ms, start_ms, profile.at(ends) - profile.at(start_ms), measured & cut)


def _reason(profile: Profile, length_ms: int) -> str:
    if not profile.known.any():
        return "no energy was measured"
    if int(np.diff(profile.edge_ms)[profile.known].min()) > length_ms:
        return f"energy is known for longer intervals than {length_ms // 60_000} min only"
    return f"no window of {length_ms // 60_000} min was measured without a hole"

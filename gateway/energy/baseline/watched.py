"""Which periods Lineside did not see whole, so that their energy or their parts are not all there."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.energy.baseline.drivers import Asked
from gateway.kpi.windows import Sums

_WATCHED: Final = 0.99
_METERED: Final = 0.5
"""A register knows what was used over a gap; of a period that is mostly gap, it does not know how much fell into it."""
_TIMES: Final = ("planned", "time_planned_stop", "time_maintenance", "time_unplanned")


class Watcher(Asked, Protocol):
    """What is asked of kpi.db."""

    def reach(self, owner: str) -> tuple[int, int] | None:
        """See `KpiReader`."""
        ...


@dataclass(frozen=True, slots=True)
class _Life:
    """An asset between its first and newest fact.

    is_timed     it says what it does, rather than being a meter alone
    is_metering  its electricity counts for the owner, rather than being part of a meter above it
    """

    name: str
    first_ms: int
    newest_ms: int
    rows: Mapping[int, Sums]
    is_timed: bool
    is_metering: bool

    def lacks(self, start_ms: int, end_ms: int) -> str:
        """What of a period is not there; "" where all is, or where the asset was not there yet or no longer."""
        if self.first_ms >= end_ms or self.newest_ms < start_ms:
            return ""
        seen = (end_ms - max(start_ms, self.first_ms)) / (end_ms - start_ms)
        row = self.rows.get(start_ms)
        if row is None or not row.sums["facts"]:
            return f"nothing came from {self.name}"
        if seen < _WATCHED:
            return f"Lineside saw {seen:.0%} of it at {self.name}"
        seen = _time(row) / 1000 / (end_ms - start_ms)
        if self.is_timed and seen < _WATCHED:
            return f"Lineside saw {seen:.0%} of it at {self.name}"
        metered = row.sums["metered"] / 1000 / (end_ms - start_ms)
        if self.is_metering and metered < _METERED:
            return f"the electricity of {self.name} was measured in {metered:.0%} of it"
        return ""


def unwatched(
    reader: Watcher, owner: str, groups: Mapping[str, Mapping[str, Any]], rows: Sequence[Sums], period: str
) -> dict[int, str]:
    """Start of a period → why it was not seen whole.

    A period counts as seen when of each asset that was there 99 % of the time was classified, and each meter that
    counts for the owner was read in half of it.
    """
    if not rows:
        return {}
    below = groups.get(owner, {}).get("below", {})
    inner = {child for children in below.values() for child in children}
    lives = _lives(reader, leaves(owner, groups), inner, period, (rows[0].start_ms, rows[-1].end_ms))
    lacks = ((row.start_ms, (life.lacks(row.start_ms, row.end_ms) for life in lives)) for row in rows)
    return {start_ms: why for start_ms, whys in lacks if (why := next(filter(None, whys), ""))}


def leaves(owner: str, groups: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The assets behind an owner; an asset is itself."""
    members = groups.get(owner, {}).get("members")
    return (owner,) if members is None else tuple(leaf for member in members for leaf in leaves(member, groups))


def there(reader: Watcher, assets: Sequence[str], span: tuple[int, int]) -> tuple[str, ...]:
    """Those of some assets that were there in a range."""
    reaches = {asset: reader.reach(asset) for asset in assets}
    return tuple(name for name, found in reaches.items() if found and found[0] < span[1] and found[1] >= span[0])


def _lives(
    reader: Watcher, assets: Sequence[str], inner: Container[str], period: str, span: tuple[int, int]
) -> list[_Life]:
    found = []
    for asset in assets:
        if reach := reader.reach(asset):
            rows = {row.start_ms: row for row in reader.sums(asset, period, *span)}
            has_meter = any(row.sums["metered"] for row in rows.values())
            found.append(_Life(asset, *reach, rows, any(map(_time, rows.values())), has_meter and asset not in inner))
    return found


def _time(row: Sums) -> int:
    return sum(row.sums[name] for name in _TIMES)

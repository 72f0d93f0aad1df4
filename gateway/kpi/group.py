"""Lines and the site: their minutes are sums of their members' minutes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.kpi.asset import AssetModel
from gateway.kpi.buckets import MINUTE_MS, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import combine
from gateway.kpi.posting import Post, runs
from gateway.kpi.store import Progress, Row, Store
from gateway.model import Site

_ENERGY = np.array([name.startswith("energy") for name in quantities])


@dataclass(frozen=True, slots=True)
class Group:
    """A line or the site.

    members     the owners whose rows add up: assets; lines and assets without a line for the site
    constraint  the asset that limits a serial line, "" where there is none: time and counts are its own
    """

    owner: str
    members: tuple[str, ...]
    calendar: Calendar
    constraint: str = ""


def groups(models: Mapping[str, AssetModel], site: Site, constraints: Mapping[str, str]) -> list[Group]:
    """The lines of these assets, then the site."""
    lines: dict[str, list[AssetModel]] = {}
    for model in models.values():
        lines.setdefault(model.line, []).append(model)
    alone = [model.name for model in lines.pop("", [])]
    found = [
        Group(f"line/{line}", tuple(m.name for m in members), _shared(members, site), constraints.get(line, ""))
        for line, members in lines.items()
    ]
    every = (*(group.owner for group in found), *alone)
    return [*found, Group(f"site/{site.name}", every, _shared(models.values(), site))] if every else []


def _shared(models: Iterable[AssetModel], site: Site) -> Calendar:
    """The calendar that all assets have; days from midnight to midnight where they differ."""
    calendars = {model.calendar for model in models}
    return calendars.pop() if len(calendars) == 1 else Calendar.always(site.timezone)


def regroup(
    store: Store, group: Group, progress: Mapping[str, Progress], changed: Mapping[str, Sequence[int]]
) -> Post | None:
    """The group's new numbers after its members changed. None: no member has a fact yet."""
    members = [progress[name] for name in group.members if name in progress]
    if not members:
        return None
    before = progress.get(group.owner)
    closed_ms = min(member.closed_ms for member in members)
    first_ms = min(member.first_ms for member in members)
    final_ms = min(member.final_ms for member in members)
    # only a clock that was put back takes closed minutes back, and that from all members at once
    if before and max(member.horizon_ms for member in members) >= before.horizon_ms:
        closed_ms, final_ms = max(closed_ms, before.closed_ms), max(final_ms, before.final_ms)
    minutes = {minute for name in group.members for minute in changed.get(name, ())}
    rows: dict[int, tuple[Row, str]] = {}
    for first, last in runs(sorted(minutes)):
        ahead = store.minutes(group.owner, first, last) if last * MINUTE_MS >= closed_ms else {}
        found = _sums(store, group, first, last)
        rows |= {n: (row, "") for n, row in found.items() if n * MINUTE_MS < closed_ms or n in ahead}
    after = Progress(
        first_ms,
        max(member.newest_ms for member in members),
        min(member.horizon_ms for member in members),
        closed_ms,
        final_ms,
        0,
    )
    return Post(group.owner, group.calendar, rows, after)


def combined(group: Group, parts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The group's sums from those of its members."""
    return combine(list(parts.values()), parts.get(group.constraint, {}) if group.constraint else None)


def _sums(store: Store, group: Group, first: int, last: int) -> dict[int, Row]:
    table = store.summed(group.members, first, last)
    if group.constraint:
        limiting = {row[0]: row[1:] for row in store.summed([group.constraint], first, last)}
        nothing = np.zeros(len(quantities), np.int64)
        for row in table:
            row[1:] = np.where(_ENERGY, row[1:], limiting.get(row[0], nothing))
    return {int(minute): tuple(row) for minute, *row in table.tolist()}

"""Lines, areas and the site: their minutes are sums of their members' minutes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from gateway.kpi.asset import AssetModel
from gateway.kpi.buckets import MINUTE_MS, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import EVERYBODYS, combine
from gateway.kpi.posting import Post, runs
from gateway.kpi.store import Progress, Row, Store
from gateway.model import Site

_EVERYBODYS: Final = np.array([name in EVERYBODYS for name in quantities])
_OUTPUT: Final = quantities.index("output")


@dataclass(frozen=True, slots=True)
class Group:
    """A line, an area or the site.

    members     the owners whose rows add up: assets; lines of an area; of the site also what belongs to none
    constraint  the asset that limits a serial line, "" where there is none: time and counts are its own
    last        the asset whose parts leave a serial line
    """

    owner: str
    members: tuple[str, ...]
    calendar: Calendar
    constraint: str = ""
    last: str = ""


def groups(
    models: Mapping[str, AssetModel],
    site: Site,
    constraints: Mapping[str, str],
    lasts: Mapping[str, str] = MappingProxyType({}),
) -> list[Group]:
    """The lines of these assets, then the areas of these lines, then the site.

    constraints, lasts  serial line → the asset that limits it, and its last one: by default the last in the config
    """
    lines: dict[str, list[AssetModel]] = {}
    for model in models.values():
        lines.setdefault(model.line, []).append(model)
    alone = [model.name for model in lines.pop("", [])]
    areas: dict[str, list[str]] = {}
    found: list[Group] = []
    for line, members in lines.items():
        areas.setdefault(site.areas.get(line, ""), []).append(line)
        limit = constraints.get(line, "")
        last = lasts.get(line, members[-1].name) if limit else ""
        found.append(Group(f"line/{line}", tuple(m.name for m in members), _shared(members, site), limit, last))
    outside = [f"line/{line}" for line in areas.pop("", [])]
    for area, some in areas.items():
        shared = _shared([model for line in some for model in lines[line]], site)
        found.append(Group(f"area/{area}", tuple(f"line/{line}" for line in some), shared))
    every = (*(f"area/{area}" for area in areas), *outside, *alone)
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
    return Post(group.owner, group.calendar, rows, after, before.final_ms if before else 0)


def combined(group: Group, parts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The group's sums from those of its members."""
    if not group.constraint:
        return combine(list(parts.values()))
    return combine(list(parts.values()), parts.get(group.constraint, {}), parts.get(group.last, {}))


def _sums(store: Store, group: Group, first: int, last: int) -> dict[int, Row]:
    table = store.summed(group.members, first, last)
    if group.constraint:
        limiting, ending = (
            {row[0]: row[1:] for row in store.summed([name], first, last)} for name in (group.constraint, group.last)
        )
        nothing = np.zeros(len(quantities), np.int64)
        for row in table:
            row[1:] = np.where(_EVERYBODYS, row[1:], limiting.get(row[0], nothing))
            row[1 + _OUTPUT] = ending.get(row[0], nothing)[_OUTPUT]
    return {int(minute): tuple(row) for minute, *row in table.tolist()}

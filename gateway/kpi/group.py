"""Lines, areas and the site: their minutes are sums of their members' minutes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.kpi.asset import AssetModel, is_timed
from gateway.kpi.buckets import MINUTE_MS, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.catalogue import EVERYBODYS, combine
from gateway.kpi.metering import MeterTree, metered
from gateway.kpi.posting import Post, runs
from gateway.kpi.store import Progress, Row, Store
from gateway.model import Site

_EVERYBODYS: Final = np.array([name in EVERYBODYS for name in quantities])
_OUTPUT: Final = quantities.index("output")
_ENERGIES: Final = tuple(name for name in quantities if name == "energy" or name.startswith("energy_"))
_ENERGY_AT: Final = np.array([quantities.index(name) for name in _ENERGIES])
_NOTHING: Final = np.zeros(len(quantities), np.int64)


@dataclass(frozen=True, slots=True)
class Group:
    """A line, an area or the site.

    members     the owners whose rows add up: assets; lines of an area; of the site also what belongs to none
    assets      every asset in it
    utilities   members that give it energy only: assets outside the lines of a site that has lines
    constraint  the asset that limits a serial line, "" where there is none: time and counts are its own
    last        the asset whose parts leave a serial line
    tree        the meters of its assets that stand above others of them
    """

    owner: str
    members: tuple[str, ...]
    calendar: Calendar
    assets: tuple[str, ...] = ()
    utilities: tuple[str, ...] = ()
    constraint: str = ""
    last: str = ""
    tree: MeterTree = MeterTree()  # noqa: RUF009  # frozen


def groups(
    models: Mapping[str, AssetModel],
    site: Site,
    constraints: Mapping[str, str],
    lasts: Mapping[str, str] = MappingProxyType({}),
    tree: MeterTree = MeterTree(),  # noqa: B008  # frozen
) -> list[Group]:
    """The lines of these assets, then the areas of these lines, then the site.

    constraints, lasts  serial line → the asset that limits it, and its last one: by default the last in the config
    """
    lines: dict[str, list[AssetModel]] = {}
    for model in models.values():
        lines.setdefault(model.line, []).append(model)
    alone = tuple(model.name for model in lines.pop("", []))
    areas: dict[str, list[str]] = {}
    found: list[Group] = []
    for line, members in lines.items():
        areas.setdefault(site.areas.get(line, ""), []).append(line)
        limit = constraints.get(line, "")
        last = lasts.get(line, [model.name for model in members if is_timed(model)][-1]) if limit else ""
        names = tuple(model.name for model in members)
        calendar = _shared(members, site)
        found.append(Group(f"line/{line}", names, calendar, names, (), limit, last, tree.within(names)))
    outside = [f"line/{line}" for line in areas.pop("", [])]
    for area, some in areas.items():
        inside = [model for line in some for model in lines[line]]
        names = tuple(model.name for model in inside)
        members_of = tuple(f"line/{line}" for line in some)
        found.append(Group(f"area/{area}", members_of, _shared(inside, site), names, tree=tree.within(names)))
    every = (*(f"area/{area}" for area in areas), *outside, *alone)
    calendar = _shared(models.values(), site)
    utilities = alone if lines else ()
    return [*found, Group(f"site/{site.name}", every, calendar, tuple(models), utilities, tree=tree)] if every else []


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


def combined(line: Group, parts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """A line's sums from those of its assets."""
    sums = combine(list(parts.values()))
    if line.constraint:
        sums = combine(list(parts.values()), parts.get(line.constraint, {}), parts.get(line.last, {}))
    return metered(sums, parts, line.tree) if line.tree.below else sums


def _sums(store: Store, group: Group, first: int, last: int) -> dict[int, Row]:
    found = _by_minute(store, group.members, first, last)
    if group.constraint:
        limiting, ending = (_by_minute(store, [name], first, last) for name in (group.constraint, group.last))
        for minute, row in found.items():
            row[:] = np.where(_EVERYBODYS, row, limiting.get(minute, _NOTHING))
            row[_OUTPUT] = ending.get(minute, _NOTHING)[_OUTPUT]
    if group.utilities:
        at_work = _by_minute(store, [name for name in group.members if name not in group.utilities], first, last)
        for minute, row in found.items():
            row[:] = np.where(_EVERYBODYS, row, at_work.get(minute, _NOTHING))
    if group.tree.below:
        _put_meters(store, group, first, last, found)
    return {minute: tuple(row.tolist()) for minute, row in found.items()}


def _by_minute(store: Store, owners: Sequence[str], first: int, last: int) -> dict[int, NDArray[np.int64]]:
    return {int(row[0]): row[1:] for row in store.summed(owners, first, last)} if owners else {}


def _put_meters(store: Store, group: Group, first: int, last: int, rows: Mapping[int, NDArray[np.int64]]) -> None:
    """Energies by the meter tree, in place."""
    by_asset = {name: _by_minute(store, [name], first, last) for name in group.assets}
    for minute, row in rows.items():
        parts = {
            name: dict(zip(_ENERGIES, found[minute][_ENERGY_AT].tolist(), strict=True))
            for name, found in by_asset.items()
            if minute in found
        }
        row[_ENERGY_AT] = list(metered(dict.fromkeys(_ENERGIES, 0), parts, group.tree).values())

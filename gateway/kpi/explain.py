"""One number taken apart: formula, sums, buckets, facts and records behind a KPI of one window."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gateway.kpi.asset import COUNTS, MORE_COUNTS
from gateway.kpi.catalogue import Formula, Result, Row, inputs_of, spell
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.parts import BOOKED
from gateway.kpi.query import KpiReader, MinuteRow, ModelRecord
from gateway.kpi.runs import RUNS
from gateway.kpi.straddling import ACROSS_CHANGE, straddles
from gateway.kpi.windows import CALENDAR, Context, Sums

_MINUTE_MS: Final = 60_000
_HOUR_US: Final = 3_600_000_000
_REACH_MS: Final = {"week": 8 * 86_400_000, "month": 32 * 86_400_000, "hour": 3_600_000, "minute": _MINUTE_MS}
_DAYS_MS: Final = 2 * 86_400_000


class NotExplained(Exception):  # noqa: N818  # an answer, not a fault
    """There is nothing to explain; the text says why and what to ask instead."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which number: a KPI of an owner over the window that a moment lies in, or that has a name, or any range.

    window  one of `windows.WINDOWS`, or "range": whole minutes from `from_ms` to `to_ms`
    name    of the product or order
    """

    owner: str
    kpi: str
    window: str
    from_ms: int
    to_ms: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one role of an asset in the window.

    source  of the readings; "": unknown
    first, last  (time in ms, value) of usable facts in the window; before: the newest one ahead of it, which holds on
    corrected    how many are corrections
    """

    asset: str
    role: str
    tag: str
    source: str
    facts: int
    unusable: int
    corrected: int
    before: tuple[int, float | str] | None
    first: tuple[int, float | str] | None
    last: tuple[int, float | str] | None


@dataclass(frozen=True, slots=True)
class Laid:
    """Something that people or order systems said about a stretch of the window."""

    asset: str
    id: str
    kind: str
    from_ms: int
    to_ms: int
    value: str
    revision: int


@dataclass(frozen=True, slots=True)
class Model:
    """A record that minutes of the window were computed with; the first of an asset is valid for all time before.

    times_us  µs per part that the formula's quantities take, by what they are of; by product of ideal times
    """

    asset: str
    hash: str
    valid_from_ms: int
    minutes: int
    times_us: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Buckets:
    """The stored minutes of the window.

    minutes   those with anything in them, of how many
    final     how many of them are final
    revision  the highest
    adds_up   whether their sums are the window's: false says that some are no longer kept
    rows      start of the minute → the quantities of the formula
    """

    minutes: int
    of_minutes: int
    final: int
    revision: int
    adds_up: bool
    rows: Mapping[int, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything behind one number.

    formula      as the standard has it; `resolved`: over bucket quantities, with the site's time elements
    numerator    what stands above the line and below it, in the quantities' own units
    factor       the grid factor that the ratio is multiplied by, in kg/kWh; 1: none
    sums         the quantities in the formula
    members      of a line, area or site: member → its quantities in the formula
    """

    row: Row
    owner: str
    window: str
    name: str
    start_ms: int
    end_ms: int
    final: bool
    revision: int | None
    result: Result
    resolved: str
    numerator: float
    denominator: float
    factor: float
    sums: Mapping[str, int]
    members: Mapping[str, Mapping[str, int]]
    constraint: str
    buckets: Buckets
    evidence: Sequence[Evidence]
    laid: Sequence[Laid]
    models: Sequence[Model]


def explain(reader: KpiReader, asked: Question) -> Explanation:
    """Takes a number apart. NotExplained: no such KPI or owner, or no such window. NoKpis: kpi.db cannot be read."""
    context = reader.context(asked.owner)
    row = context.rules.catalogue.row(asked.kpi)
    if row is None:
        raise NotExplained(f"no KPI {asked.kpi!r}: see lineside kpi list")
    window = _window(reader, context, asked)
    names = row.formula.names
    assets = list(_assets(context, asked.owner))
    minutes = reader.minutes(asked.owner, window.start_ms, window.end_ms)
    above, below = row.formula.fraction(window.sums)
    return Explanation(
        row=row,
        owner=asked.owner,
        window=asked.window,
        name=window.name,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        final=window.end_ms <= context.final_ms,
        revision=window.revision,
        result=_flagged(reader, _result(reader, context, asked, window), asked, window, names),
        resolved=_resolved(row),
        numerator=above,
        denominator=below,
        factor=_factor(context, row, window),
        sums={name: window.sums.get(name, 0) for name in names},
        members=_members(reader, context, asked, window, names),
        constraint=str(context.groups.get(asked.owner, {}).get("constraint", "")),
        buckets=_buckets(minutes, window, names, whole=asked.window not in RUNS),
        evidence=[one for asset in assets for one in _evidence(reader, asset, names, window)],
        laid=[one for asset in assets for one in _laid(reader, asset, window)],
        models=[one for asset in assets for one in _models(reader, asset, names, window)],
    )


def _window(reader: KpiReader, context: Context, asked: Question) -> Sums:
    if asked.owner not in reader.owners():
        raise NotExplained(
            f"{asked.owner!r} has no numbers yet; those that have: {', '.join(reader.owners()) or 'none'}"
        )
    if asked.window == "range":
        return _range(reader, asked)
    reach_ms = _REACH_MS.get(asked.window, _DAYS_MS)
    from_ms = asked.from_ms - (reach_ms if asked.window in CALENDAR else 0)
    rows = reader.sums(asked.owner, asked.window, from_ms, asked.to_ms)
    found = [row for row in rows if row.end_ms > asked.from_ms and asked.name in ("", row.name)]
    if not found:
        raise NotExplained(f"{asked.owner} has no numbers for this {asked.window}: see lineside kpi show")
    if len(found) > 1 and asked.window in RUNS:
        raise NotExplained(f"which {asked.window}? Add --name: {', '.join(row.name for row in found)}")
    return found[-1]


def _range(reader: KpiReader, asked: Question) -> Sums:
    minutes = reader.minutes(asked.owner, asked.from_ms, asked.to_ms)
    if not minutes:
        raise NotExplained(f"{asked.owner} has no minutes in this range")
    sums = {name: sum(minute.sums[name] for minute in minutes) for name in minutes[0].sums}
    start_ms, end_ms = asked.from_ms // _MINUTE_MS * _MINUTE_MS, -(-asked.to_ms // _MINUTE_MS) * _MINUTE_MS
    return Sums(start_ms, end_ms, "", None, sums)


def _result(reader: KpiReader, context: Context, asked: Question, window: Sums) -> Result:
    group = context.groups.get(asked.owner, {})
    steps: list[Mapping[str, int]] = []
    if group.get("constraint") and asked.window in CALENDAR:
        rows = (reader.sums(one, asked.window, window.start_ms, window.start_ms + 1) for one in group["members"])
        steps = [found[0].sums for found in rows if found]
    day = context.day_of(window.start_ms)
    return context.rules.results(asked.owner, window.sums, day, steps=steps)[asked.kpi]


def _flagged(reader: KpiReader, result: Result, asked: Question, window: Sums, names: Sequence[str]) -> Result:
    """With the flag of parts across a change, where it matters whose they are."""
    if asked.window not in RUNS and not any(name.startswith("ideal_") for name in names):
        return result
    for asset in _assets(reader.context(asked.owner), asked.owner):
        bound = _bound(reader, asset)
        counts = {role: bound[role] for role in _roles(names, bound) if role in (*COUNTS, *MORE_COUNTS)}
        if counts and straddles(reader, asset, counts, window.start_ms, window.end_ms):
            return result._replace(flags=(*result.flags, ACROSS_CHANGE))
    return result


def _bound(reader: KpiReader, asset: str) -> dict[str, Any]:
    """The roles of an asset by its newest record."""
    records = reader.models(asset)
    found: dict[str, Any] = json.loads(records[-1].json)["roles"] if records else {}
    return found


def _factor(context: Context, row: Row, window: Sums) -> float:
    grid = context.rules.factors.grid(context.day_of(window.start_ms)) if row.kpi.grid else None
    return grid.kg_per_kwh if grid else 1.0


def _resolved(row: Row) -> str:
    formula = row.formula
    if not isinstance(formula, Formula):
        return formula.text
    above, below = (
        " × ".join(_bracketed(terms) for terms in side) for side in (formula.numerators, formula.denominators)
    )
    return f"{above} ÷ {below}" if below else above


def _bracketed(terms: Sequence[tuple[int, str]]) -> str:
    return f"({spell(tuple(terms))})" if len(terms) > 1 else spell(tuple(terms))


def _members(
    reader: KpiReader, context: Context, asked: Question, window: Sums, names: Sequence[str]
) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for member in context.groups.get(asked.owner, {}).get("members", ()):
        if asked.window in RUNS:
            rows = reader.sums(member, asked.window, window.start_ms, window.end_ms)
            sums = next((row.sums for row in rows if row.name == window.name), {})
        else:
            minutes = reader.minutes(member, window.start_ms, window.end_ms)
            sums = {name: sum(minute.sums[name] for minute in minutes) for name in names}
        found[member] = {name: sums.get(name, 0) for name in names}
    return found


def _assets(context: Context, owner: str) -> Iterator[str]:
    if owner not in context.groups:
        yield owner
        return
    for member in context.groups[owner]["members"]:
        yield from _assets(context, member)


def _buckets(minutes: Sequence[MinuteRow], window: Sums, names: Sequence[str], *, whole: bool) -> Buckets:
    sums = {name: sum(minute.sums[name] for minute in minutes) for name in names}
    return Buckets(
        minutes=len(minutes),
        of_minutes=-(-(window.end_ms - window.start_ms) // _MINUTE_MS),
        final=sum(minute.final for minute in minutes),
        revision=max((minute.revision for minute in minutes), default=0),
        adds_up=not whole or all(window.sums.get(name, 0) == total for name, total in sums.items()),
        rows={minute.start_ms: {name: minute.sums[name] for name in names} for minute in minutes},
    )


def _evidence(reader: KpiReader, asset: str, names: Sequence[str], window: Sums) -> Iterator[Evidence]:
    bound = _bound(reader, asset)
    wanted = _roles(names, bound)
    for role in (*wanted, *(f"{role}{BOOKED}" for role in wanted)):
        series = reader.facts(asset, role, window.start_ms, window.end_ms)
        found = bound.get(role, {})
        if found or len(series):
            session = str(found.get("session", ""))
            source = session.removeprefix("source/").removesuffix("/session")
            yield _seen(
                reader, asset, role, series, window, (str(found.get("tag", "")), source), is_text=_is_text(found)
            )


def _is_text(binding: Mapping[str, Any]) -> bool:
    return bool(binding.get("text"))


def _roles(names: Sequence[str], bound: Mapping[str, Any]) -> list[str]:
    """The roles that some quantities come from."""
    needed = {*inputs_of(names), *(("state",) if any(name.startswith("time_") for name in names) else ())}
    if needed & {"ideal", "order"}:
        needed |= {"product", "order"}
    counted = needed & set(COUNTS)
    wanted = needed | set(COUNTS if counted else ()) | ({"alive"} if "state" in needed else set())
    return [role for role in bound if role.partition(".")[0] in wanted]


def _seen(
    reader: KpiReader, asset: str, role: str, series: Series, window: Sums, where: tuple[str, str], *, is_text: bool
) -> Evidence:
    inside = (series.time_ms >= window.start_ms) & (series.time_ms < window.end_ms)
    known = np.flatnonzero(inside & series.usable)
    earlier = np.flatnonzero(series.usable & (series.time_ms < window.start_ms))

    def at(row: int) -> tuple[int, float | str]:
        value = float(series.value[row])
        shown: float | str = reader.texts([int(value)]).get(int(value), "?") if is_text else value
        return int(series.time_ms[row]), shown

    return Evidence(
        asset=asset,
        role=role,
        tag=where[0],
        source=where[1],
        facts=int(inside.sum()),
        unusable=int((inside & ~series.usable).sum()),
        corrected=int((inside & (series.revision > 0)).sum()),
        before=at(int(earlier[-1])) if len(earlier) else None,
        first=at(int(known[0])) if len(known) else None,
        last=at(int(known[-1])) if len(known) else None,
    )


def _laid(reader: KpiReader, asset: str, window: Sums) -> Iterator[Laid]:
    for one in reader.intervals(asset, window.start_ms, window.end_ms):
        if one.usable:
            end_ms = min(one.to_ms, FOREVER_MS)
            yield Laid(asset, one.id, one.kind, one.from_ms, end_ms, one.value, one.revision)


def _models(reader: KpiReader, asset: str, names: Sequence[str], window: Sums) -> Iterator[Model]:
    used: dict[str, int] = {}
    for minute in reader.minutes(asset, window.start_ms, window.end_ms):
        used[minute.model] = used.get(minute.model, 0) + 1
    records = reader.models(asset)
    for digest, minutes in used.items():
        text = next((one.json for one in records if one.hash == digest), "{}")
        times_us = _times_us(json.loads(text), names)
        yield Model(asset, digest, _valid_from(records, digest, window.end_ms), minutes, times_us)


def _times_us(model: Mapping[str, Any], names: Sequence[str]) -> dict[str, int]:
    """The times per part behind some quantities: without them nobody can compute these from the facts."""
    found: dict[str, int | None] = {}
    if any(name.startswith("ideal_") for name in names):
        found |= {"ideal": model.get("ideal_cycle_us")}
        found |= {f"ideal of {product}": time_us for product, time_us in model.get("ideal_by_product", {}).items()}
    if "rated_total" in names and model.get("rated_per_h"):
        found |= {"rated": round(_HOUR_US / model["rated_per_h"])}
    if "takt_total" in names:
        found |= {"takt": model.get("takt_us")}
    return {what: time_us for what, time_us in found.items() if time_us}


def _valid_from(records: Sequence[ModelRecord], digest: str, before_ms: int) -> int:
    """When the newest record of this hash began that was valid in the window."""
    return max(
        (one.valid_from_ms for one in records if one.hash == digest and one.valid_from_ms < before_ms), default=0
    )

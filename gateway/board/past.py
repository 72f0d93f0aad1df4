"""The API's past: states, KPIs, energy and readings from kpi.db and history.db."""

import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Query

from gateway.board.answers import (
    AreaKpisAnswer,
    AssetNow,
    ComparisonAnswer,
    EnergyAnswer,
    EnergyHour,
    Figure,
    HistoryAnswer,
    KpiRow,
    KpisAnswer,
    LineKpisAnswer,
    Problem,
    Segment,
    SiteKpisAnswer,
    StatesAnswer,
    TagsAnswer,
    TimelineAnswer,
    TimelineRow,
)
from gateway.board.api import AreaDep, AssetDep, BoardDep, LineDep, SnapshotDep
from gateway.board.figures import HOUR_MS, add_hours, add_metered, energy_figure, undivided
from gateway.board.palette import Theme
from gateway.board.readers import Board, KpiSource
from gateway.board.timeline import Span, row

DAY_MS: Final = 24 * HOUR_MS
MAX_DAYS: Final = {"minute": 7, "hour": 92} | dict.fromkeys(("shift", "day", "product", "order"), 732)
_LONG_DAYS: Final = 3660
_COMPARED_DAYS: Final = {"minute": 1, "hour": 31, "shift": 92}
_ROW_PIXELS: Final = 1200

Window = Literal["minute", "hour", "shift", "day", "week", "month", "product", "order"]
CalendarWindow = Literal["minute", "hour", "shift", "day", "week", "month"]
When = Annotated[datetime | None, Query(description="ISO 8601 (without an offset: the site's time) or ms since 1970")]


@dataclass(frozen=True, slots=True)
class Range:
    """From (included) to (excluded), UTC ms."""

    from_ms: int
    to_ms: int

    def at_most(self, days: int, what: str) -> "Range":
        """Itself, or 422 where it is longer."""
        if self.to_ms - self.from_ms > days * DAY_MS:
            asked = (self.to_ms - self.from_ms) / DAY_MS
            raise HTTPException(422, f"{what}: at most {days} days in one request, asked for {asked:.0f}")
        return self


def range_of(board: BoardDep, from_: Annotated[When, Query(alias="from")] = None, to: When = None) -> Range:
    """The range that a request asks for; by default the 24 hours before now."""
    to_ms = _ms(to, board) if to else _now_ms(board)
    from_ms = _ms(from_, board) if from_ else to_ms - DAY_MS
    if from_ms >= to_ms:
        raise HTTPException(422, "from: must be before `to`")
    return Range(from_ms, to_ms)


def _ms(moment: datetime, board: Board) -> int:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=board.timezone)
    return round(zoned.timestamp() * 1000)


def _now_ms(board: Board) -> int:
    return board.hub.latest.time_ms if board.hub.latest else time.time_ns() // 1_000_000


RangeDep = Annotated[Range, Depends(range_of)]
router = APIRouter(
    prefix="/api/v1",
    responses={code: {"model": Problem} for code in (404, 422, 503)},
)


@router.get("/assets/{asset}/kpis")
def kpis(asset: AssetDep, span: RangeDep, board: BoardDep, window: Window = "hour") -> KpisAnswer:
    """An asset's KPIs of every window in the range."""
    return KpisAnswer(asset=asset.asset, window=window, rows=_kpis(board, asset.asset, window, span))


@router.get("/lines/{line}/kpis")
def line_kpis(line: LineDep, span: RangeDep, board: BoardDep, window: Window = "hour") -> LineKpisAnswer:
    """A line's KPIs of every window in the range."""
    return LineKpisAnswer(line=line.line, window=window, rows=_kpis(board, f"line/{line.line}", window, span))


@router.get("/areas/{area}/kpis")
def area_kpis(area: AreaDep, span: RangeDep, board: BoardDep, window: Window = "hour") -> AreaKpisAnswer:
    """An area's KPIs of every window in the range."""
    return AreaKpisAnswer(area=area, window=window, rows=_kpis(board, f"area/{area}", window, span))


@router.get("/site/kpis")
def site_kpis(span: RangeDep, board: BoardDep, window: Window = "hour") -> SiteKpisAnswer:
    """The whole site's KPIs of every window in the range."""
    return SiteKpisAnswer(site=board.title, window=window, rows=_kpis(board, f"site/{board.title}", window, span))


@router.get("/kpis")
def compare_kpis(
    span: RangeDep,
    board: BoardDep,
    kpi: Annotated[list[str], Query(description="KPI ids, at most 10", min_length=1, max_length=10)],
    window: CalendarWindow = "day",
    owner: Annotated[list[str] | None, Query(description="of these only; left out: of all")] = None,
) -> ComparisonAnswer:
    """Some KPIs of all assets, lines, areas and the site at once, as columns."""
    span.at_most(_COMPARED_DAYS.get(window, 732), f"KPIs per {window}")
    try:
        return board.kpi.compare(owner or board.kpi.owners(), window, span.from_ms, span.to_ms, kpi)
    except ValueError as exc:
        raise HTTPException(422, str(exc)) from exc


def _kpis(board: Board, owner: str, window: Window, span: Range) -> list[KpiRow]:
    span.at_most(MAX_DAYS.get(window, _LONG_DAYS), f"KPIs per {window}")
    return list(board.kpi.kpis(owner, window, span.from_ms, span.to_ms))


@router.get("/assets/{asset}/states")
def states(asset: AssetDep, span: RangeDep, board: BoardDep) -> StatesAnswer:
    """States in the range; where the newest are not stored yet, from the newest snapshot."""
    span.at_most(31, "states")
    stored = board.kpi.segments(asset.asset, span.from_ms, span.to_ms)
    edge = asset.segments[0][0] if asset.segments else span.to_ms
    recent = [Segment(from_ms=a, to_ms=b, time_class=name) for a, b, name in asset.segments]
    both = [s for s in stored if s.from_ms < edge] + [s for s in recent if s.from_ms < span.to_ms]
    cut = [s.model_copy(update={"to_ms": min(s.to_ms, after.from_ms)}) for s, after in pairwise(both)]
    return StatesAnswer(asset=asset.asset, segments=[*cut, *both[-1:]])


@router.get("/assets/{asset}/energy")
def energy(asset: AssetDep, span: RangeDep, board: BoardDep) -> EnergyAnswer:
    """Electricity per hour, split by time class."""
    span.at_most(MAX_DAYS["hour"], "energy per hour")
    found = _energy(board.kpi, asset, span.from_ms, span.to_ms)
    return EnergyAnswer(asset=asset.asset, hours=[EnergyHour(hour_ms=hour, kwh=kwh) for hour, kwh in found.items()])


def _energy(kpi: KpiSource, asset: AssetNow, from_ms: int, to_ms: int) -> dict[int, dict[str, float]]:
    """The stored hours, and what the snapshot adds to them."""
    found = [{hour.hour_ms: hour.kwh for hour in kpi.energy_per_hour(asset.asset, from_ms, to_ms)}]
    # a snapshot that is older than the stored minutes would count them twice
    if asset.open and kpi.closed_ms(asset.asset) <= asset.open.from_ms:
        found.append({hour.hour_ms: hour.kwh for hour in asset.open.energy if from_ms <= hour.hour_ms < to_ms})
    return add_hours(found)


@router.get("/figures/energy")
def energy_of_hours(
    snapshot: SnapshotDep,
    board: BoardDep,
    hours: Annotated[int, Query(ge=1, le=168)] = 12,
    asset: str | None = None,
    theme: Theme = "light",
) -> Figure:
    """Energy of the last hours, stacked by time class: of one asset, or of all."""
    shown = [one for one in snapshot.assets if asset in {None, one.asset}]
    if asset is not None and not shown:
        raise HTTPException(404, f"no asset {asset!r}")
    to_ms = snapshot.time_ms
    from_ms = to_ms - to_ms % HOUR_MS - (hours - 1) * HOUR_MS
    found = {
        one.asset: kwh if "state" in one.shows else undivided(kwh)
        for one in shown
        if (kwh := _energy(board.kpi, one, from_ms, to_ms))
    }
    together = add_metered(found, board.kpi.meter_tree().within(found))
    return Figure.model_validate(energy_figure(together, from_ms, to_ms, board.timezone, theme))


@router.get("/figures/timeline")
def timeline(snapshot: SnapshotDep, board: BoardDep) -> TimelineAnswer:
    """States of all machines that have one, since the window (shift or day) or the first known state in it."""
    to_ms = snapshot.time_ms
    assets = [a for a in snapshot.assets if "state" in a.shows]
    starts = [a.window_from_ms for a in assets if a.window_from_ms is not None]
    from_ms = min(starts, default=to_ms - HOUR_MS)
    stored = {a.asset: _spans(board.kpi, a.asset, from_ms, to_ms) for a in assets}
    from_ms = _first(assets, stored, from_ms, to_ms)
    step_ms = (to_ms - from_ms) // _ROW_PIXELS
    rows = [
        TimelineRow(asset=a.asset, segments=row(stored[a.asset], a.segments, from_ms, to_ms, step_ms)) for a in assets
    ]
    return TimelineAnswer(from_ms=from_ms, to_ms=to_ms, rows=rows)


def _spans(kpi: KpiSource, asset: str, from_ms: int, to_ms: int) -> list[Span]:
    return [(s.from_ms, s.to_ms, s.time_class) for s in kpi.segments(asset, from_ms, to_ms)]


def _first(assets: list[AssetNow], stored: dict[str, list[Span]], from_ms: int, to_ms: int) -> int:
    """Where the timeline begins: a gateway that was started a minute ago does not show an empty day."""
    begins = [spans[0][0] for a in assets for spans in (stored[a.asset], a.segments) if spans]
    first = max(from_ms, min(begins, default=to_ms))
    return max(from_ms, first - first % 10_000)


@router.get("/tags")
def tags(board: BoardDep) -> TagsAnswer:
    """All tags that the history holds."""
    return TagsAnswer(tags=list(board.history.tags()))


@router.get("/history")
def history(
    tag: str, span: RangeDep, board: BoardDep, points: Annotated[int, Query(ge=10, le=5000)] = 500
) -> HistoryAnswer:
    """A tag's readings, thinned to min, mean and max per step where there are more than `points`."""
    known = {item.name: item for item in board.history.tags()}.get(tag)
    if known is None:
        raise HTTPException(404, f"no tag {tag!r} in the history: see /api/v1/tags")
    if known.type == "text":
        raise HTTPException(422, f"tag: {tag!r} holds texts, which have no minimum and mean")
    return HistoryAnswer(
        tag=tag, unit=known.unit, points=list(board.history.series(tag, span.from_ms, span.to_ms, points))
    )

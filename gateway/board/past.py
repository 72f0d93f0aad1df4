"""The API's past: states, KPIs, energy and readings from kpi.db and history.db."""

import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Query

from gateway.board.answers import (
    AssetNow,
    EnergyAnswer,
    Figure,
    HistoryAnswer,
    KpisAnswer,
    Problem,
    Segment,
    StatesAnswer,
    TagsAnswer,
    TimelineAnswer,
    TimelineRow,
)
from gateway.board.api import AssetDep, BoardDep, SnapshotDep
from gateway.board.figures import HOUR_MS, add_hours, energy_figure
from gateway.board.palette import Theme
from gateway.board.readers import Board, KpiSource
from gateway.board.timeline import Span, row

DAY_MS: Final = 24 * HOUR_MS
MAX_DAYS: Final = {"minute": 7, "hour": 92, "shift": 732, "day": 732}
_ROW_PIXELS: Final = 1200

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
def kpis(
    asset: AssetDep, span: RangeDep, board: BoardDep, window: Literal["minute", "hour", "shift", "day"] = "hour"
) -> KpisAnswer:
    """KPIs of every window in the range."""
    span.at_most(MAX_DAYS[window], f"KPIs per {window}")
    rows = board.kpi.kpis(asset.asset, window, span.from_ms, span.to_ms)
    return KpisAnswer(asset=asset.asset, window=window, rows=list(rows))


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
    hours = board.kpi.energy_per_hour(asset.asset, span.from_ms, span.to_ms)
    return EnergyAnswer(asset=asset.asset, hours=list(hours))


@router.get("/figures/energy")
def energy_of_hours(
    snapshot: SnapshotDep,
    board: BoardDep,
    hours: Annotated[int, Query(ge=1, le=168)] = 12,
    asset: str | None = None,
    theme: Theme = "light",
) -> Figure:
    """Energy of the last hours, stacked by time class: of one asset, or of all."""
    names = [a.asset for a in snapshot.assets if asset in {None, a.asset}]
    if asset is not None and not names:
        raise HTTPException(404, f"no asset {asset!r}")
    to_ms = snapshot.time_ms
    from_ms = to_ms - to_ms % HOUR_MS - (hours - 1) * HOUR_MS
    per_asset = [{h.hour_ms: h.kwh for h in board.kpi.energy_per_hour(name, from_ms, to_ms)} for name in names]
    return Figure.model_validate(energy_figure(add_hours(per_asset), from_ms, to_ms, board.timezone, theme))


@router.get("/figures/timeline")
def timeline(snapshot: SnapshotDep, board: BoardDep) -> TimelineAnswer:
    """States of all machines since the window (shift or day) began, or since the first known state in it."""
    to_ms = snapshot.time_ms
    starts = [a.window_from_ms for a in snapshot.assets if a.window_from_ms is not None]
    from_ms = min(starts, default=to_ms - HOUR_MS)
    stored = {a.asset: _spans(board.kpi, a.asset, from_ms, to_ms) for a in snapshot.assets}
    from_ms = _first(snapshot.assets, stored, from_ms, to_ms)
    step_ms = (to_ms - from_ms) // _ROW_PIXELS
    rows = [
        TimelineRow(asset=a.asset, segments=row(stored[a.asset], a.segments, from_ms, to_ms, step_ms))
        for a in snapshot.assets
    ]
    return TimelineAnswer(from_ms=from_ms, to_ms=to_ms, rows=rows)


def _spans(kpi: KpiSource, asset: str, from_ms: int, to_ms: int) -> list[Span]:
    return [(s.from_ms, s.to_ms, s.time_class) for s in kpi.segments(asset, from_ms, to_ms)]


def _first(assets: list[AssetNow], stored: dict[str, list[Span]], from_ms: int, to_ms: int) -> int:
    """Where the timeline begins: a gateway that was started a minute ago does not show an empty day."""
    begins = [spans[0][0] for a in assets for spans in (stored[a.asset], a.segments) if spans]
    first = max(from_ms, min(begins, default=from_ms))
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

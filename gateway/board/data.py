"""The API's word on its data: how good they are by tag, and what is measured of the parts."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Query

from gateway.board.answers import Problem
from gateway.board.api import BoardDep
from gateway.board.data_answers import CapabilityAnswer, QualityAnswer
from gateway.board.past import RangeDep
from gateway.board.readers import Board

MOST_DAYS: Final = {"hour": 31, "shift": 92, "": 732}
Owner = Annotated[str, Query(description="an asset, `line/<line>`, `area/<area>` or `site/<site>`")]
router = APIRouter(prefix="/api/v1", responses={code: {"model": Problem} for code in (404, 422, 503)})


@router.get("/quality")
def quality(owner: Owner, span: RangeDep, board: BoardDep) -> QualityAnswer:
    """Data-quality scores of every tag behind an owner's KPIs, counted from the facts."""
    span.at_most(7 if "/" not in owner else 1, "quality by tag")
    _must_be_known(board, owner)
    return board.kpi.quality(owner, span.from_ms, span.to_ms)


@router.get("/capability")
def capability(
    owner: Owner, span: RangeDep, board: BoardDep, window: Literal["", "hour", "shift", "day", "week", "month"] = ""
) -> CapabilityAnswer:
    """Cp, Cpk, Cm and Cmk of what is measured; without a window over the range as one."""
    span.at_most(MOST_DAYS.get(window, 3660), "capability")
    _must_be_known(board, owner)
    return board.kpi.capability(owner, window, span.from_ms, span.to_ms)


def _must_be_known(board: Board, owner: str) -> None:
    known = board.kpi.owners()
    if owner not in known:
        raise HTTPException(404, f"no owner {owner!r}; known: {', '.join(known) or 'none'}")

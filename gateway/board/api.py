"""The API's present: live stream, snapshot, machines, health. Its past is in `past.py`."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse

from gateway.board.answers import Alive, AssetAnswer, AssetNow, HealthAnswer, LineNow, Problem, SiteAnswer, Snapshot
from gateway.board.hub import MAX_VIEWERS
from gateway.board.palette import LOOKS
from gateway.board.readers import Board

SILENT_S = 10.0


def board_of(request: Request) -> Board:
    """The board that the application was made for."""
    board: Board = request.app.state.board
    return board


BoardDep = Annotated[Board, Depends(board_of)]


def snapshot_of(board: BoardDep) -> Snapshot:
    """The newest snapshot, or 503 while there is none."""
    if board.hub.latest is None:
        raise HTTPException(503, "no numbers yet: the gateway has not spoken to this board")
    return board.hub.latest


def asset_of(asset: str, snapshot: Annotated[Snapshot, Depends(snapshot_of)]) -> AssetNow:
    """The machine that the path names, or 404 with the names that exist."""
    for known in snapshot.assets:
        if known.asset == asset:
            return known
    names = ", ".join(item.asset for item in snapshot.assets) or "none"
    raise HTTPException(404, f"no asset {asset!r}; known: {names}")


def line_of(line: str, snapshot: Annotated[Snapshot, Depends(snapshot_of)]) -> LineNow:
    """The line that the path names, or 404 with the names that exist."""
    for known in snapshot.lines:
        if known.line == line:
            return known
    names = ", ".join(item.line for item in snapshot.lines) or "none"
    raise HTTPException(404, f"no line {line!r}; known: {names}")


def area_of(area: str, snapshot: Annotated[Snapshot, Depends(snapshot_of)]) -> str:
    """The area that the path names, or 404 with the names that exist."""
    known = sorted({item.area for item in snapshot.assets if item.area})
    if area not in known:
        raise HTTPException(404, f"no area {area!r}; known: {', '.join(known) or 'none'}")
    return area


SnapshotDep = Annotated[Snapshot, Depends(snapshot_of)]
AssetDep = Annotated[AssetNow, Depends(asset_of)]
LineDep = Annotated[LineNow, Depends(line_of)]
AreaDep = Annotated[str, Depends(area_of)]

router = APIRouter(prefix="/api/v1", responses={503: {"model": Problem, "description": "No numbers yet"}})


@router.get("/site", responses={503: {"model": None}})
async def site(board: BoardDep) -> SiteAnswer:
    """The site's name and zone, and the words for the time classes."""
    return SiteAnswer(
        site=board.title,
        timezone=board.timezone.key,
        version=board.version,
        standalone=board.standalone,
        words={name: look.word for name, look in LOOKS.items()},
    )


@router.get(
    "/live",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events `snapshot`, each a Snapshot as JSON"}
    },
)
async def live(board: BoardDep) -> StreamingResponse:
    """Server-sent events: the newest snapshot at once, then each newer one; a slow reader skips some."""
    if board.hub.viewers >= MAX_VIEWERS:
        raise HTTPException(503, f"{MAX_VIEWERS} boards are open already: close one")
    return StreamingResponse(board.hub.frames(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/snapshot")
async def snapshot(newest: SnapshotDep) -> Snapshot:
    """The newest snapshot."""
    return newest


@router.get("/assets")
async def assets(newest: SnapshotDep) -> list[AssetAnswer]:
    """All machines and their places in the plant."""
    return [AssetAnswer(asset=a.asset, line=a.line, area=a.area) for a in newest.assets]


@router.get("/health")
async def health(board: BoardDep, newest: SnapshotDep) -> HealthAnswer:
    """Journal, sources and sinks, as the gateway reported them last."""
    return HealthAnswer(**newest.health.model_dump(), age_s=round(board.hub.age_s, 3))


@router.get("/healthz")
async def healthz(board: BoardDep, _: SnapshotDep) -> Alive:
    """200 while the gateway feeds this board, 503 with the reason otherwise."""
    if board.hub.age_s > SILENT_S:
        raise HTTPException(503, f"no word from the gateway for {board.hub.age_s:.0f} s")
    return Alive()

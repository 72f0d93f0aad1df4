"""The page and its parts: our own static files, the palette as CSS, plotly.js from its package."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header
from fastapi.responses import FileResponse, Response
from isal import igzip

from gateway.board.palette import stylesheet

STATIC: Final = Path(__file__).with_name("static")
router = APIRouter(include_in_schema=False)


@router.get("/")
def page() -> FileResponse:
    """The page."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/static/palette.css")
def palette() -> Response:
    """The colours of the time classes."""
    return Response(stylesheet(), media_type="text/css", headers={"Cache-Control": "no-cache"})


@router.get("/static/plotly.js")
def plotly(if_none_match: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = "") -> Response:
    """plotly.js as the Python package ships it: 4.8 MB, 1.5 MB on the wire, fetched once by a browser."""
    path = _plotly_path()
    etag = f'"{hashlib.sha256(f"{path}{path.stat().st_mtime_ns}".encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "max-age=604800", "Vary": "Accept-Encoding"}
    if if_none_match == etag:
        return Response(status_code=304, headers=headers)
    if "gzip" not in accept_encoding:
        return FileResponse(path, media_type="text/javascript", headers=headers)
    return Response(_packed(path), media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})


def _plotly_path() -> Path:
    """The file that `plotly.offline.get_plotlyjs()` reads; asking for it there would load all of plotly."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: pip install 'plotly>=6,<7'")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


@cache
def _packed(path: Path) -> bytes:
    return igzip.compress(path.read_bytes(), compresslevel=3)

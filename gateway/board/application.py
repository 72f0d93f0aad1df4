"""The web application: routes, guard, and errors in one shape."""

from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from gateway.board import api, data, pages, past
from gateway.board.guard import Guard
from gateway.board.readers import Board, NotStored


def create_app(board: Board, hosts: Iterable[str] = ()) -> FastAPI:
    """The board's application. hosts: the names that it answers under; empty: any."""
    app = FastAPI(
        title="Lineside",
        summary="Machines, KPIs, energy and readings of one site",
        version=board.version or "0",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's documentation pages load scripts from the internet
        redoc_url=None,
    )
    app.state.board = board
    for router in (api.router, past.router, data.router, pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotStored, _not_stored)
    app.add_middleware(Guard, hosts=tuple(hosts))
    return app


async def _invalid(_: Request, exc: Exception) -> JSONResponse:
    errors = exc.errors() if isinstance(exc, RequestValidationError) else ()
    text = "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in errors)
    return JSONResponse({"detail": text}, status_code=422)


async def _not_stored(_: Request, exc: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(exc)}, status_code=503)

"""The truth over HTTP, for tests and boards of other programs: /truth, /ledger/<table>.csv, /faults, /plant."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from aiohttp import web

from simulators.endpoints import Tcp
from simulators.export import TABLES, rows
from simulators.live import Live
from simulators.truth import truth


@asynccontextmanager
async def serve_truth(live: Live, listen: Tcp | None) -> AsyncIterator[str | None]:
    """Answer HTTP while the context is open; yields the address. OSError: it cannot be listened on."""
    if listen is None:
        yield None
        return
    runner = web.AppRunner(_app(live), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, listen.host, listen.port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _app(live: Live) -> web.Application:
    asked = _Asked(live)
    app = web.Application()
    app.add_routes(
        [
            web.get("/plant", asked.plant),
            web.get("/truth", asked.true_kpis),
            web.get("/ledger/{table}.csv", asked.table),
            web.get("/faults", asked.faults),
        ]
    )
    return app


class _Asked:
    """The answers; each is of the moment in which it is asked for."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def plant(self, _: web.Request) -> web.Response:
        now_ms, ledger = self._live.look(), self._live.plant.ledger
        return web.json_response(
            {
                "now_ms": now_ms,
                "start_ms": ledger.start_ms,
                "frozen": ledger.frozen,
                "machines": {name: panel.state.name for name, panel in self._live.panels.items()},
                "meters": list(ledger.meters),
                "tables": list(TABLES),
            }
        )

    async def true_kpis(self, request: web.Request) -> web.Response:
        now_ms, ledger = self._live.look(), self._live.plant.ledger
        from_ms = _moment(request, "from", ledger.start_ms)
        to_ms = _moment(request, "to", now_ms)
        machine = request.query.get("machine")
        if machine is not None and machine not in ledger.machines:
            raise web.HTTPNotFound(text=f"no machine {machine!r}; there are {', '.join(ledger.machines)}\n")
        wanted = [machine] if machine else list(ledger.machines)
        try:
            return web.json_response({name: truth(ledger, name, from_ms, to_ms) for name in wanted})
        except ValueError as exc:
            raise web.HTTPBadRequest(text=f"{exc}\n") from exc

    async def table(self, request: web.Request) -> web.Response:
        self._live.look()
        name = request.match_info["table"]
        if name not in TABLES:
            raise web.HTTPNotFound(text=f"no table {name!r}; there are {', '.join(TABLES)}\n")
        header, body = rows(self._live.plant.ledger, name)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(header)
        writer.writerows(body)
        return web.Response(text=text.getvalue(), content_type="text/csv")

    async def faults(self, _: web.Request) -> web.Response:
        self._live.look()
        return web.json_response([asdict(row) for row in self._live.plant.ledger.faults])


def _moment(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name, str(otherwise))
    if not text.isdigit():
        raise web.HTTPBadRequest(text=f"{name}={text!r} is no moment: write epoch ms\n")
    return int(text)

"""The API and the page over real HTTP, with a plant in memory behind it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import aiohttp
import orjson
import pytest
import uvicorn

from gateway.board.application import create_app
from gateway.board.hub import Hub
from gateway.board.listen import Listen
from gateway.board.pages import STATIC
from gateway.board.readers import Board, NotStored
from tests.browser.demo_data import NOW_MS, SHIFT_MS, MemoryHistory, MemoryKpi, board, snapshot


@dataclass
class Served:
    """A board at its own port, and a client for it."""

    board: Board
    client: aiohttp.ClientSession
    now_s: list[float]

    @property
    def kpi(self) -> MemoryKpi:
        assert isinstance(self.board.kpi, MemoryKpi)
        return self.board.kpi

    async def get(self, path: str, status: int = 200) -> Any:
        async with self.client.get(path) as answer:
            body = orjson.loads(await answer.read())
            assert answer.status == status, body
            return body

    async def problem(self, path: str, status: int) -> str:
        detail = (await self.get(path, status))["detail"]
        assert isinstance(detail, str)
        return detail


class NoHistoryYet(MemoryHistory):
    """A history whose file is not there."""

    def tags(self) -> Any:
        raise NotStored("no history yet at /var/lib/lineside/history.db: start `lineside run`")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    now_s = [0.0]
    shown = replace(board(6), hub=Hub(monotonic=lambda: now_s[0]))
    listen = Listen("127.0.0.1", 0)
    sock = listen.bind()
    config = uvicorn.Config(
        create_app(shown, listen.hosts), log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    async with aiohttp.ClientSession(listen.url(sock.getsockname()[1])) as client:
        yield Served(shown, client, now_s)
    shown.hub.close()
    server.should_exit = True
    await serving
    sock.close()


@pytest.fixture
def fed(served: Served) -> Served:
    served.board.hub.publish(orjson.dumps(snapshot(6)))
    return served


async def test_before_the_first_snapshot_every_answer_says_what_it_waits_for(served: Served) -> None:
    for path in ("snapshot", "assets", "health", "healthz", "figures/timeline", "assets/press-01/states"):
        assert "no numbers yet" in await served.problem(f"/api/v1/{path}", 503)


async def test_the_site_says_its_zone_and_the_words_of_the_states(served: Served) -> None:
    site = await served.get("/api/v1/site")
    assert (site["site"], site["timezone"]) == ("bac-ninh-1", "Asia/Ho_Chi_Minh")
    assert site["words"]["planned_stop"] == "Planned stop"


async def test_the_snapshot_comes_as_the_gateway_sent_it(fed: Served) -> None:
    sent, got = snapshot(6), await fed.get("/api/v1/snapshot")
    for mine, theirs in zip(sent["assets"], got["assets"], strict=True):
        assert theirs == theirs | mine


async def test_the_live_stream_sends_snapshots_as_events(fed: Served) -> None:
    async with fed.client.get("/api/v1/live") as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        event = await answer.content.readuntil(b"\n\n")
    assert b'"site":"bac-ninh-1"' in event


async def test_assets_are_listed_with_their_places(fed: Served) -> None:
    assets = await fed.get("/api/v1/assets")
    assert len(assets) == 6
    assert assets[0] == {"asset": "press-01", "line": "stamping", "area": "press-shop"}


async def test_an_unknown_asset_is_answered_with_the_known_names(fed: Served) -> None:
    for what in ("kpis", "states", "energy"):
        text = await fed.problem(f"/api/v1/assets/press-99/{what}", 404)
        assert text.startswith("no asset 'press-99'; known: press-01, press-02")
    assert "press-99" in await fed.problem("/api/v1/figures/energy?asset=press-99", 404)


async def test_kpis_come_with_reasons_for_missing_values(fed: Served) -> None:
    answer = await fed.get("/api/v1/assets/press-01/kpis?window=shift")
    assert answer["window"] == "shift"
    assert answer["rows"][0]["values"] == {"oee": 0.5, "sec": None}
    assert answer["rows"][0]["reasons"] == {"sec": "no good part"}


async def test_lines_and_the_site_have_kpis_of_their_own(fed: Served) -> None:
    query = f"window=shift&from={SHIFT_MS}&to={NOW_MS}"
    line = await fed.get(f"/api/v1/lines/stamping/kpis?{query}")
    assert (line["line"], line["window"]) == ("stamping", "shift")
    assert line["rows"][0]["values"] == {"oee": 0.5, "sec": None}
    site = await fed.get(f"/api/v1/site/kpis?{query}")
    assert site == {"site": "bac-ninh-1", "window": "shift", "rows": line["rows"]}
    area = await fed.get(f"/api/v1/areas/press-shop/kpis?{query}")
    assert area == {"area": "press-shop", "window": "shift", "rows": line["rows"]}
    assert fed.kpi.asked == ["line/stamping", "site/bac-ninh-1", "area/press-shop"]
    assert (await fed.problem("/api/v1/areas/paint/kpis", 404)).startswith("no area 'paint'; known: ")
    text = await fed.problem("/api/v1/lines/paint/kpis", 404)
    assert text == "no line 'paint'; known: stamping, machining"
    assert "at most 7 days" in await fed.problem("/api/v1/site/kpis?window=minute&from=2026-01-01&to=2026-06-01", 422)


async def test_quality_and_capability_are_asked_of_any_owner_over_a_range(fed: Served) -> None:
    span = f"from={NOW_MS - 3_600_000}&to={NOW_MS}"
    for path in ("quality", "capability"):
        found = await fed.get(f"/api/v1/{path}?owner=press-01&{span}")
        assert (found["owner"], found["rows"]) == ("press-01", [])
        assert "no owner 'press-99'; known: press-01" in await fed.problem(f"/api/v1/{path}?owner=press-99&{span}", 404)
    assert fed.kpi.asked[-2:] == ["press-01", "press-01"]
    long = f"from={NOW_MS - 8 * 86_400_000}&to={NOW_MS}"
    assert "at most 7 days" in await fed.problem(f"/api/v1/quality?owner=press-01&{long}", 422)
    assert "window" in await fed.problem(f"/api/v1/capability?owner=press-01&window=order&{span}", 422)


async def test_many_owners_are_compared_at_once(fed: Served) -> None:
    query = f"from={SHIFT_MS}&to={NOW_MS}"
    found = await fed.get(f"/api/v1/kpis?window=hour&kpi=oee&kpi=sec&owner=press-01&owner=line/stamping&{query}")
    assert found["owners"] == ["press-01", "line/stamping"]
    assert found["values"] == {"oee": [None, None], "sec": [None, None]}
    assert "site/bac-ninh-1" in (await fed.get(f"/api/v1/kpis?kpi=oee&{query}"))["owners"]
    assert await fed.problem(f"/api/v1/kpis?kpi=oe&{query}", 422) == "no KPI 'oe'"
    assert "at most 31 days" in await fed.problem("/api/v1/kpis?kpi=oee&window=hour&from=2026-01-01&to=2026-06-01", 422)
    assert "kpi: Field required" in await fed.problem("/api/v1/kpis", 422)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "window=year",
            "window: Input should be 'minute', 'hour', 'shift', 'day', 'week', 'month', 'product' or 'order'",
        ),
        ("from=yesterday", "from: Input should be a valid datetime"),
        ("from=2026-06-03T12:00&to=2026-06-03T11:00", "from: must be before `to`"),
        (
            "window=minute&from=2026-01-01&to=2026-06-01",
            "KPIs per minute: at most 7 days in one request, asked for 151",
        ),
    ],
)
async def test_a_wrong_question_is_answered_with_what_is_wrong(fed: Served, query: str, says: str) -> None:
    assert says in await fed.problem(f"/api/v1/assets/press-01/kpis?{query}", 422)


async def test_states_are_stored_ones_followed_by_those_of_the_snapshot_without_overlap(fed: Served) -> None:
    segments = (await fed.get(f"/api/v1/assets/press-03/states?from={SHIFT_MS}&to={NOW_MS}"))["segments"]
    assert segments[-1]["class"] == "fault"
    assert segments[-1]["to_ms"] == NOW_MS
    assert all(one["to_ms"] == two["from_ms"] for one, two in pairwise(segments))


async def test_times_without_an_offset_are_the_sites(fed: Served) -> None:
    local = await fed.get("/api/v1/assets/press-01/energy?from=2026-06-03T06:00&to=2026-06-03T08:00")
    zulu = await fed.get("/api/v1/assets/press-01/energy?from=2026-06-02T23:00Z&to=2026-06-03T01:00Z")
    assert local == zulu
    assert [hour["hour_ms"] for hour in local["hours"]] == [SHIFT_MS, SHIFT_MS + 3_600_000]


async def test_the_timeline_starts_with_the_shift_and_ends_with_the_newest_states(fed: Served) -> None:
    answer = await fed.get("/api/v1/figures/timeline")
    assert (answer["from_ms"], answer["to_ms"]) == (SHIFT_MS, NOW_MS)
    assert [row["asset"] for row in answer["rows"]] == [asset["asset"] for asset in snapshot(6)["assets"]]
    for row in answer["rows"]:
        spans = row["segments"]
        assert (spans[0][0], spans[-1][1]) == (SHIFT_MS, NOW_MS)
    assert answer["rows"][5]["segments"][-1][2] == "unknown"


async def test_a_gateway_that_just_started_gets_a_timeline_from_its_first_state_on(served: Served) -> None:
    new, started_ms = snapshot(1), NOW_MS - NOW_MS % 10_000 - 30_000
    new["assets"][0] |= {"asset": "new-press", "segments": [[started_ms, NOW_MS, "idle"]]}
    served.board.hub.publish(orjson.dumps(new))
    answer = await served.get("/api/v1/figures/timeline")
    assert (answer["from_ms"], answer["to_ms"]) == (started_ms, NOW_MS)
    assert answer["rows"][0]["segments"] == [[started_ms, NOW_MS, "idle"]]


async def test_before_any_state_is_known_the_timeline_is_that_of_the_last_seconds(served: Served) -> None:
    new = snapshot(2)
    for index, asset in enumerate(new["assets"]):
        asset |= {"asset": f"new-{index}", "segments": []}
    del new["assets"][0]["window_from_ms"]
    served.board.hub.publish(orjson.dumps(new))
    answer = await served.get("/api/v1/figures/timeline")
    assert NOW_MS - 10_000 < answer["from_ms"] <= answer["to_ms"] == NOW_MS
    assert [row["segments"] for row in answer["rows"]] == [[], []]


async def test_energy_is_the_stored_and_what_the_snapshot_adds_each_minute_once(served: Served) -> None:
    hour_ms, question = NOW_MS - NOW_MS % 3_600_000, f"/api/v1/assets/press-01/energy?from={SHIFT_MS}&to={NOW_MS}"
    plant = snapshot(1)
    served.board.hub.publish(orjson.dumps(plant))
    stored = (await served.get(question))["hours"][-1]["kwh"]
    opened = [
        {"hour_ms": hour_ms, "kwh": {"producing": 0.25, "setup": 0.5}},
        {"hour_ms": hour_ms + 3_600_000, "kwh": {}},
    ]
    plant["assets"][0]["open"] = {"from_ms": served.kpi.closed_ms("press-01"), "energy": opened}
    served.board.hub.publish(orjson.dumps(plant))
    last = (await served.get(question))["hours"][-1]
    assert last["hour_ms"] == hour_ms
    assert last["kwh"] == pytest.approx(stored | {"producing": stored["producing"] + 0.25, "setup": 0.5})
    plant["assets"][0]["open"]["from_ms"] -= 60_000  # that minute is stored by now
    served.board.hub.publish(orjson.dumps(plant))
    assert (await served.get(question))["hours"][-1]["kwh"] == stored


async def test_an_energy_meter_has_no_row_of_states_and_electricity_of_one_kind(served: Served) -> None:
    plant = snapshot(2)
    plant["assets"][0]["reasons"] = {"availability": "needs `state`"}
    served.board.hub.publish(orjson.dumps(plant))
    answer = await served.get("/api/v1/figures/timeline")
    assert [row["asset"] for row in answer["rows"]] == ["press-02"]
    figure = await served.get("/api/v1/figures/energy?asset=press-01")
    assert [trace["name"] for trace in figure["data"]] == ["Electricity"]


async def test_the_energy_figure_of_all_machines_is_the_sum_of_theirs(fed: Served) -> None:
    def producing(figure: Any) -> float:
        return float(sum(next(trace["y"] for trace in figure["data"] if trace["name"] == "Producing")))

    names = [asset["asset"] for asset in snapshot(6)["assets"]]
    single = [producing(await fed.get(f"/api/v1/figures/energy?asset={name}")) for name in names]
    assert producing(await fed.get("/api/v1/figures/energy")) == pytest.approx(sum(single), abs=1e-4)


async def test_history_and_its_tags_are_served(fed: Served) -> None:
    assert (await fed.get("/api/v1/tags"))["tags"][0]["name"] == "press-01/active_power"
    answer = await fed.get("/api/v1/history?tag=press-01/active_power")
    assert answer["unit"] == "kW"
    assert answer["points"][0] | {"time_ms": 0} == {"time_ms": 0, "min": 1.0, "mean": 2.0, "max": 3.0}


async def test_a_question_for_an_unknown_tag_points_to_the_list(fed: Served) -> None:
    assert await fed.problem("/api/v1/history?tag=a/b", 404) == "no tag 'a/b' in the history: see /api/v1/tags"
    assert await fed.problem("/api/v1/history", 422) == "tag: Field required"


async def test_a_missing_history_file_is_said_in_words(served: Served) -> None:
    object.__setattr__(served.board, "history", NoHistoryYet())
    assert "start `lineside run`" in await served.problem("/api/v1/tags", 503)


async def test_healthz_fails_when_the_gateway_is_silent(fed: Served) -> None:
    assert await fed.get("/api/v1/healthz") == {"status": "ok"}
    fed.now_s[0] = 11.0
    assert await fed.problem("/api/v1/healthz", 503) == "no word from the gateway for 11 s"
    assert (await fed.get("/api/v1/health"))["age_s"] == 11.0


async def test_other_host_names_are_refused(fed: Served) -> None:
    for host in ("plant.attacker.example", "", "127.0.0.1.nip.io"):
        async with fed.client.get("/api/v1/snapshot", headers={"Host": host}) as answer:
            assert answer.status == 421
    async with fed.client.get("/api/v1/snapshot", headers={"Host": "LOCALHOST:99"}) as answer:
        assert answer.status == 200


async def test_every_answer_carries_the_security_headers(fed: Served) -> None:
    for path in ("/", "/static/board.js", "/api/v1/snapshot", "/nothing"):
        async with fed.client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert "script-src" not in policy  # scripts stay with default-src: no inline, no eval
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_plotly_is_sent_once_and_then_known(served: Served) -> None:
    async with served.client.get("/static/plotly.js") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"plotly.js" in (await answer.read())[:200]
        etag = answer.headers["ETag"]
    async with served.client.get("/static/plotly.js", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with served.client.get("/static/plotly.js", headers={"Accept-Encoding": "identity"}) as answer:
        assert int(answer.headers["Content-Length"]) > 4_000_000


async def test_the_page_has_no_inline_script_and_nothing_from_elsewhere(served: Served) -> None:
    async with served.client.get("/") as answer:
        page = await answer.text()
    assert re.findall(r"<script[^>]*>(.+?)</script>", page) == []
    assert re.findall(r"\son\w+=", page) == []
    for path in STATIC.rglob("*"):
        addresses = set(re.findall(r"https?://[^\"' )]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path


async def test_openapi_describes_every_route_with_its_problems(served: Served) -> None:
    api = await served.get("/api/v1/openapi.json")
    assert {path for path in api["paths"] if path.startswith("/api/v1/")} == set(api["paths"])
    assert len(api["paths"]) == 19
    for path, methods in api["paths"].items():
        assert methods["get"]["description"], path
    problem = api["paths"]["/api/v1/history"]["get"]["responses"]["404"]["content"]["application/json"]
    assert problem["schema"]["$ref"].endswith("/Problem")

"""Every answer that a store can give, from a scripted HTTP server on loopback.

No InfluxDB 2 can be installed from Debian's packages, so its set-up is tested here against the answers that its API
documentation describes; the write path is the one that the tests against real servers take.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from adapters.influx.config import InfluxConfig, VictoriaConfig
from gateway.model import GOOD, Tag
from gateway.ports import NotConnected, Rejected
from tests.clock import VirtualClock, settle
from tests.integration.influx_rig import batch, poll, recent_ns, sink, table
from tests.servers import certificates
from tests.unit.adapters.influx.lines import parse

PLANT = tuple(Tag(f"press-07/point_{n}", source="meter") for n in range(1, 501))
ORG = {"orgs": [{"id": "0123456789abcdef", "name": "plant"}]}
BUCKET = {"id": "fedcba9876543210", "name": "ot", "orgID": "0123456789abcdef", "retentionRules": []}


def stored(_body: bytes) -> web.Response:
    return web.Response(status=204)


@dataclass
class Store:
    """Answers writes by `judge`, other paths from `answers`; remembers what it accepted and what it was asked."""

    judge: Callable[[bytes], web.Response] = stored
    answers: Mapping[str, tuple[int, object]] = field(default_factory=dict)
    version: str = "v2.7.12"
    fields: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    url: str = ""
    hang: asyncio.Event | None = None  # set by the test when writes may be answered

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.logins.append(request.headers.get("Authorization", ""))
        if request.path in {"/ping", "/health"}:
            version = {"X-Influxdb-Version": self.version} if self.version else {}
            return web.Response(status=200, headers=version)
        if request.path in {"/write", "/api/v2/write"}:
            return await self.write(await request.read())
        status, body = self.answers.get(f"{request.method} {request.path}", (404, None))
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    async def write(self, body: bytes) -> web.Response:
        if self.hang is not None:
            await self.hang.wait()
        answer = self.judge(body)
        if answer.status == 204:
            self.fields += [name for line in parse(body) for name, _ in line.fields]
        return answer

    @property
    def writes(self) -> int:
        return sum(asked.endswith("write") for asked in self.asked)


@asynccontextmanager
async def serving(store: Store, context: ssl.SSLContext | None = None) -> AsyncIterator[Store]:
    application = web.Application(client_max_size=2**26)
    application.router.add_route("*", "/{path:.*}", store.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    host, port = runner.addresses[0][:2]
    store.url = f"{'https' if context else 'http'}://{host}:{port}"
    try:
        yield store
    finally:
        if store.hang is not None:
            store.hang.set()
        await runner.cleanup()


def victoria(store: Store, **more: object) -> VictoriaConfig:
    return VictoriaConfig.model_validate({"kind": "victoriametrics", "url": store.url} | more)


def influx2(store: Store, **more: object) -> InfluxConfig:
    keys = {"kind": "influxdb", "url": store.url, "org": "plant", "bucket": "ot", "token": "s3cret"}
    return InfluxConfig.model_validate(keys | more)


def always(status: int, headers: dict[str, str] | None = None, text: str = "") -> Callable[[bytes], web.Response]:
    return lambda _body: web.Response(status=status, headers=headers, text=text)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (200, "answered 200"),
        (401, "the login is not accepted: check the token"),
        (403, "give it the permission"),
        (404, "no such database, bucket or path"),
        (429, "it asks for fewer writes"),
        (500, "answered 500"),
        (503, "answered 503"),
    ],
)
async def test_an_answer_that_is_not_stored_keeps_every_row(status: int, advice: str) -> None:
    async with serving(Store(always(status))) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(NotConnected, match=advice):
            await line_sink.write(poll(10, recent_ns()))
    assert store.writes == 1


async def test_a_redirect_is_reported_and_not_followed() -> None:
    elsewhere = Store(always(307, {"Location": "https://elsewhere.example/write"}))
    async with serving(elsewhere) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(NotConnected, match="redirected to https://elsewhere"):
            await line_sink.write(poll(10, recent_ns()))
    assert store.writes == 1


async def test_a_store_that_refuses_large_writes_gets_smaller_ones_from_then_on() -> None:
    def at_most_100(body: bytes) -> web.Response:
        return web.Response(status=413 if sum(len(line.fields) for line in parse(body)) > 100 else 204)

    async with serving(Store(at_most_100)) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        await line_sink.write(poll(500, recent_ns()))
        assert sorted(store.fields) == sorted(f"point_{n}" for n in range(1, 501))
        before = store.writes
        await line_sink.write(poll(500, recent_ns()))
        assert store.writes - before <= 9
        assert len(store.fields) == 1000


async def test_one_row_that_is_too_large_is_rejected() -> None:
    async with serving(Store(always(413))) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(Rejected) as refused:
            await line_sink.write(poll(1, recent_ns()))
    assert (list(refused.value.rows), refused.value.reason) == ([0], "answered 413")


def no_poison(body: bytes) -> web.Response:
    """InfluxDB 2: the first point that it refuses rejects the whole write."""
    poison = {f"point_{n}" for n in (3, 77, 300)}
    if any(name in poison for line in parse(body) for name, _ in line.fields):
        return web.json_response({"code": "unprocessable entity", "message": "field type conflict"}, status=422)
    return web.Response(status=204)


async def test_poison_rows_are_found_where_a_write_is_refused_whole() -> None:
    async with serving(Store(no_poison)) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(Rejected, match="field type conflict") as refused:
            await line_sink.write(poll(500, recent_ns()))
        assert list(refused.value.rows) == [2, 76, 299]
        assert len(store.fields) == 497
        assert store.writes < 60


async def test_tags_that_were_refused_before_do_not_cost_a_search_again() -> None:
    async with serving(Store(no_poison)) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(Rejected):
            await line_sink.write(poll(500, recent_ns()))
        before = store.writes
        with pytest.raises(Rejected) as refused:
            await line_sink.write(poll(500, recent_ns()))
        assert list(refused.value.rows) == [2, 76, 299]
        assert store.writes - before <= 7


async def test_a_store_that_refuses_everything_does_not_take_a_request_per_row() -> None:
    async with serving(Store(always(400, text="no"))) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(Rejected) as refused:
            await line_sink.write(poll(500, recent_ns()))
    assert store.writes <= 120
    assert 0 < len(refused.value.rows) < 500


async def test_a_partial_write_that_names_every_line_ends_the_search_at_once() -> None:
    told = always(422, text="partial write: field type conflict dropped=50")
    rows = [(1, recent_ns() + n * 10**9, 1.0, GOOD) for n in range(50)]
    async with serving(Store(told)) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        with pytest.raises(Rejected) as refused:
            await line_sink.write(batch(rows))
    assert list(refused.value.rows) == list(range(50))
    assert store.writes == 1


async def test_the_pause_that_a_store_asks_for_is_kept() -> None:
    clock = VirtualClock()
    now = clock.wall_ns()
    busy = Store(always(503, {"Retry-After": "20"}))
    async with serving(busy) as store, sink(victoria(store), table(*PLANT), clock) as line_sink:
        with pytest.raises(NotConnected):
            await line_sink.write(poll(10, now))
        store.judge = stored
        again = asyncio.create_task(line_sink.write(poll(10, now)))
        await clock.advance(19)
        assert (again.done(), store.writes) == (False, 1)
        await clock.advance(2)
        await again
    assert store.writes == 2


async def test_a_long_pause_is_reported_and_kept_over_reconnects() -> None:
    clock = VirtualClock()
    busy = Store(always(429, {"Retry-After": "300"}))
    async with serving(busy) as store, sink(victoria(store), table(*PLANT), clock) as line_sink:
        with pytest.raises(NotConnected, match="it asks for fewer writes"):
            await line_sink.write(poll(10, clock.wall_ns()))
        store.asked.clear()
        with pytest.raises(NotConnected, match="asked for a pause of 300 s more"):
            await line_sink.connect()
        assert store.asked == []
        await clock.advance(301)
        await line_sink.connect()


class HurryingClock(VirtualClock):
    """Two seconds pass whenever somebody looks."""

    def monotonic(self) -> float:
        self._monotonic += 2
        return super().monotonic()


async def test_a_search_for_poison_ends_before_the_caller_loses_patience() -> None:
    clock = HurryingClock()
    async with serving(Store(always(400))) as store, sink(victoria(store), table(*PLANT), clock) as line_sink:
        with pytest.raises(Rejected) as refused:
            await line_sink.write(poll(500, recent_ns()))
    assert store.writes < 15
    assert len(refused.value.rows) >= 1


async def test_a_store_that_hangs_times_out() -> None:
    hanging = Store(hang=asyncio.Event())
    async with serving(hanging) as store, sink(victoria(store, timeout="100ms"), table(*PLANT)) as line_sink:
        with pytest.raises(NotConnected, match=r"did not answer within 0\.1 s"):
            await line_sink.write(poll(10, recent_ns()))


async def test_a_store_that_hangs_does_not_hang_the_close() -> None:
    hanging = Store(hang=asyncio.Event())
    async with serving(hanging) as store, sink(victoria(store), table(*PLANT)) as line_sink:
        write = asyncio.create_task(line_sink.write(poll(10, recent_ns())))
        while not store.writes:
            await settle()
        async with asyncio.timeout(1):
            await line_sink.close()
        with pytest.raises(NotConnected):
            await write


async def test_a_write_without_a_connection_says_so() -> None:
    async with sink(victoria(Store(url="http://127.0.0.1:9")), table(*PLANT), connected=False) as line_sink:
        with pytest.raises(NotConnected, match="not connected"):
            await line_sink.write(poll(10, recent_ns()))


async def test_a_name_and_password_log_in() -> None:
    login = {"username": "lïne", "password": "sïde"}
    async with serving(Store()) as store, sink(victoria(store, **login), table(*PLANT)) as line_sink:
        await line_sink.write(poll(1, recent_ns()))
    scheme, _, secret = store.logins[-1].partition(" ")
    assert (scheme, base64.b64decode(secret).decode()) == ("Basic", "lïne:sïde")


async def test_a_token_file_is_read_at_every_connect(tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with serving(Store()) as store:
        config = victoria(store, token_file=str(token))
        async with sink(config, table(*PLANT), connected=False) as line_sink:
            with pytest.raises(NotConnected, match=f"cannot use {token}"):
                await line_sink.connect()
            token.write_text("first\n")
            await line_sink.connect()
            token.write_text("second\n")
            await line_sink.connect()
            await line_sink.write(poll(1, recent_ns()))
    assert store.logins[0] == "Bearer first"
    assert store.logins[-1] == "Bearer second"


async def test_a_server_with_a_certificate_of_our_own_authority_is_believed_and_no_other(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert, made.key)
    async with serving(Store(), context) as store:
        async with sink(victoria(store, ca_file=str(made.ca)), table(*PLANT)) as line_sink:
            await line_sink.write(poll(5, recent_ns()))
        async with sink(victoria(store), table(*PLANT), connected=False) as line_sink:
            with pytest.raises(NotConnected, match="certificate"):
                await line_sink.connect()
    assert len(store.fields) == 5


async def test_influxdb_2_is_recognised_its_bucket_found_and_written_to() -> None:
    answers = {"GET /api/v2/buckets": (200, {"buckets": [BUCKET]})}
    async with serving(Store(answers=answers)) as store, sink(influx2(store), table(*PLANT)) as line_sink:
        await line_sink.write(poll(5, recent_ns()))
    assert store.asked == ["GET /ping", "GET /api/v2/buckets", "POST /api/v2/write"]
    assert set(store.logins) == {"Token s3cret"}


async def test_the_set_up_of_influxdb_2_believes_our_own_authority_too(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert, made.key)
    answers = {"GET /api/v2/buckets": (200, {"buckets": [BUCKET]})}
    async with (
        serving(Store(answers=answers), context) as store,
        sink(influx2(store, ca_file=str(made.ca)), table(*PLANT)) as line_sink,
    ):
        await line_sink.write(poll(5, recent_ns()))
    assert len(store.fields) == 5


@pytest.mark.parametrize("missing", [(200, {"buckets": []}), (404, {"code": "not found", "message": "bucket"})])
async def test_a_missing_bucket_is_created(missing: tuple[int, object]) -> None:
    answers = {
        "GET /api/v2/buckets": missing,
        "GET /api/v2/orgs": (200, ORG),
        "POST /api/v2/buckets": (201, BUCKET),
    }
    async with serving(Store(answers=answers)) as store, sink(influx2(store), table(*PLANT)):
        pass
    assert store.asked[-1] == "POST /api/v2/buckets"


@pytest.mark.parametrize(
    ("organisations", "creation"),
    [
        ((200, ORG), (403, {"code": "forbidden", "message": "insufficient permissions"})),
        ((200, {"orgs": []}), (500, None)),
        ((404, {"code": "not found", "message": "organization name plant not found"}), (500, None)),
    ],
)
async def test_a_token_that_may_only_write_is_enough(
    organisations: tuple[int, object], creation: tuple[int, object], caplog: pytest.LogCaptureFixture
) -> None:
    answers = {
        "GET /api/v2/buckets": (200, {"buckets": []}),
        "GET /api/v2/orgs": organisations,
        "POST /api/v2/buckets": creation,
    }
    async with serving(Store(answers=answers)) as store, sink(influx2(store), table(*PLANT)) as line_sink:
        await line_sink.write(poll(5, recent_ns()))
    assert len(store.fields) == 5
    assert "can be neither found nor created" in caplog.text


async def test_a_server_that_is_no_influxdb_is_told_apart() -> None:
    async with serving(Store(version="")) as store, sink(influx2(store), table(*PLANT), connected=False) as made:
        with pytest.raises(NotConnected, match="not as InfluxDB does: check `url`"):
            await made.connect()


async def test_a_wrong_token_is_no_connection() -> None:
    answers = {"GET /api/v2/buckets": (401, {"code": "unauthorized", "message": "unauthorized access"})}
    async with serving(Store(answers=answers)) as store, sink(influx2(store), table(*PLANT), connected=False) as made:
        with pytest.raises(NotConnected, match="401") as lost:
            await made.connect()
    assert "s3cret" not in str(lost.value) + repr(influx2(store))


async def test_the_keys_of_influxdb_1_are_explained_to_someone_who_has_influxdb_2() -> None:
    async with serving(Store()) as store:
        config = InfluxConfig(kind="influxdb", url=store.url, database="plant")
        async with sink(config, table(*PLANT), connected=False) as made:
            with pytest.raises(NotConnected, match="needs `org` and `bucket`"):
                await made.connect()

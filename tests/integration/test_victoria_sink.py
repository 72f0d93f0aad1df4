"""The sink against a real VictoriaMetrics: values, resends, what it would lose without a word, lost servers."""

import logging
from pathlib import Path

import orjson
import pytest

from adapters.influx.config import VictoriaConfig
from gateway.model import BAD, GOOD, Reason, Tag, TagType, bad, uncertain
from gateway.ports import NotConnected
from tests.integration.influx_rig import HOUR_NS, batch, fetch, poll, recent_ns, sink, table
from tests.servers import Server, running, victoria_metrics

pytestmark = pytest.mark.server

DAY_NS = 24 * HOUR_NS
Series = dict[str, list[tuple[int, float]]]


def config(server: Server) -> VictoriaConfig:
    return VictoriaConfig(kind="victoriametrics", url=server.url)


def plant(asset: str, points: int = 500) -> tuple[Tag, ...]:
    return tuple(Tag(f"{asset}/point_{n}", source="meter") for n in range(points))


async def stored(server: Server, asset: str, raw: str = "1") -> Series:
    """Every sample of an asset by metric name, as (ms, value); raw "0": as queries see them."""
    await fetch(f"{server.url}/internal/force_flush")
    body = await fetch(f"{server.url}/api/v1/export", **{"match[]": f'{{asset="{asset}"}}', "reduce_mem_usage": raw})
    found: Series = {}
    for line in body.splitlines():
        row = orjson.loads(line)
        samples = list(zip(row["timestamps"], row["values"], strict=True))
        found.setdefault(row["metric"]["__name__"], []).extend(samples)
    return found


async def test_values_come_back_under_their_names_and_milliseconds(victoria_server: Server) -> None:
    tags = table(
        Tag("lathe-1/active_power", source="m"),
        Tag("lathe-1/total_count", TagType.INT),
        Tag("lathe-1/door_open", TagType.BOOL),
        Tag("lathe-1/state", TagType.TEXT),
        Tag("lathe-1/bucket/time_producing", TagType.INT),
    )
    time_ns = recent_ns() + 123_000_000
    rows = [
        (1, time_ns, 230.1, GOOD),
        (2, time_ns, 2.0**53, uncertain(Reason.STALE)),
        (3, time_ns, 1.0, GOOD),
        (4, time_ns, 0.0, GOOD),
        (4, time_ns, 0.0, BAD),
        (5, time_ns, -17.0, GOOD),
        (1, time_ns + 10**9, 0.0, bad(Reason.TIMEOUT)),
    ]
    async with sink(config(victoria_server), tags) as store:
        assert await store.write(batch(rows, ["EXECUTE"])) == {"text": 1}
    ms = time_ns // 10**6
    assert await stored(victoria_server, "lathe-1") == {
        "telemetry_active_power": [(ms, 230.1)],
        "telemetry_total_count": [(ms, 2.0**53)],
        "telemetry_door_open": [(ms, 1.0)],
        "bucket_time_producing": [(ms, -17.0)],
        "quality_total_count": [(ms, float(uncertain(Reason.STALE)))],
        "quality_state": [(ms, float(BAD))],
        "quality_active_power": [(ms + 1000, float(bad(Reason.TIMEOUT)))],
    }


async def test_a_batch_sent_twice_counts_once(victoria_server: Server) -> None:
    readings = poll(500, recent_ns())
    async with sink(config(victoria_server), table(*plant("twice"))) as store:
        await store.write(readings)
        await store.write(readings)
    found = await stored(victoria_server, "twice", raw="0")
    assert sum(map(len, found.values())) == 500


async def test_a_large_batch_goes_out_in_pieces_and_arrives_whole(victoria_server: Server) -> None:
    small = config(victoria_server).model_copy(update={"batch_rows": 700})
    now = recent_ns()
    rows = [(tag, now + ms * 10**6, tag / 8, GOOD) for ms in range(10) for tag in range(1, 501)]
    async with sink(small, table(*plant("pieces"))) as store:
        assert await store.write(batch(rows)) == {}
    found = await stored(victoria_server, "pieces")
    assert sum(map(len, found.values())) == 5000


async def test_what_the_server_would_lose_without_a_word_is_counted(tmp_path: Path) -> None:
    now = recent_ns()
    rows = [(1, now, 1.0, GOOD), (1, now - 40 * DAY_NS, 2.0, GOOD), (1, now + 3 * DAY_NS, 3.0, GOOD)]
    with running(victoria_metrics(tmp_path, "-retentionPeriod=30d")) as server:
        async with sink(config(server), table(*plant("old"))) as store:
            dropped = await store.write(batch(rows))
        assert await stored(server, "old") == {"telemetry_point_0": [(now // 10**6, 1.0)]}
    assert dropped == {"older than the store keeps": 1, "too far in the future": 1}


async def test_a_server_that_does_not_deduplicate_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(victoria_metrics(tmp_path, "-dedup.minScrapeInterval=1s")) as server:
        async with sink(config(server), table(*plant("any"))):
            pass
    assert "start it with 1ms" in caplog.text


async def test_a_server_that_keeps_every_millisecond_is_not_warned_about(
    victoria_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with sink(config(victoria_server), table(*plant("any"))):
            pass
    assert caplog.text == ""


async def test_a_server_killed_in_the_middle_gets_everything_in_the_end(tmp_path: Path) -> None:
    time_ns = recent_ns()
    with running(victoria_metrics(tmp_path)) as server:
        async with sink(config(server), table(*plant("killed"))) as store:
            await store.write(poll(500, time_ns))
            await fetch(f"{server.url}/internal/force_flush")
            await fetch(f"{server.url}/snapshot/create")  # on disk: a kill loses what VictoriaMetrics has in memory
            server.kill()
            with pytest.raises(NotConnected, match="cannot be reached"):
                await store.write(poll(500, time_ns + 10**6))
            with pytest.raises(NotConnected):
                await store.connect()
            await server.restart()
            await store.connect()
            await store.write(poll(500, time_ns + 10**6))
        found = await stored(server, "killed")
    assert sum(map(len, found.values())) == 1000

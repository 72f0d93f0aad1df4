"""The newest snapshot and its viewers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson
import pytest

from gateway.board.hub import Hub
from tests.browser.demo_data import snapshot


def line(time_ms: int = 1) -> bytes:
    return orjson.dumps({"time_ms": time_ms, "site": "bac-ninh-1"})


async def next_time(frames: AsyncIterator[bytes]) -> int:
    async with asyncio.timeout(5):
        frame = await anext(frames)
    assert frame.startswith(b"event: snapshot\n")
    assert frame.endswith(b"\n\n")
    time_ms = json.loads(frame.split(b"data: ")[1])["time_ms"]
    assert isinstance(time_ms, int)
    return time_ms


async def test_a_new_viewer_gets_the_newest_snapshot_at_once_and_then_each_newer_one() -> None:
    hub = Hub()
    hub.publish(line(1))
    async with aclosing(hub.frames()) as frames:
        assert await anext(frames) == b"retry: 1000\n\n"
        assert await next_time(frames) == 1
        waiting = asyncio.create_task(next_time(frames))
        await asyncio.sleep(0)
        hub.publish(line(2))
        assert await waiting == 2


async def test_a_slow_viewer_skips_to_the_newest() -> None:
    hub = Hub()
    async with aclosing(hub.frames()) as frames:
        await anext(frames)
        for time_ms in range(1, 100):
            hub.publish(line(time_ms))
        assert await next_time(frames) == 99


async def test_closing_the_hub_ends_every_stream() -> None:
    hub = Hub()
    hub.publish(line())
    hub.close()
    async with aclosing(hub.frames()) as frames:
        assert [frame async for frame in frames] == [b"retry: 1000\n\n"]
    assert hub.viewers == 0


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"site": 1}', b'{"time_ms": "soon"}', b"\xff\xfe"])
def test_a_line_that_is_no_snapshot_is_refused_and_the_last_one_stays(bad: bytes) -> None:
    hub = Hub()
    hub.publish(line(7))
    hub.publish(bad)
    assert hub.latest is not None
    assert hub.latest.time_ms == 7


def test_refused_lines_are_logged_once_until_a_good_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    with caplog.at_level(logging.WARNING, "lineside.board"):
        for text in (b"{}", b"{}", line(), b"{}"):
            hub.publish(text)
    assert len(caplog.records) == 2
    assert "time_ms: Field required" in caplog.text


def test_keys_that_are_newer_than_this_board_are_left_out() -> None:
    hub = Hub()
    hub.publish(orjson.dumps(snapshot() | {"weather": "fine"}))
    assert hub.latest is not None
    assert not hasattr(hub.latest, "weather")


def test_age_grows_from_the_last_snapshot() -> None:
    now = [100.0]
    hub = Hub(monotonic=lambda: now[0])
    assert hub.age_s == float("inf")
    hub.publish(line())
    now[0] = 107.5
    assert hub.age_s == 7.5

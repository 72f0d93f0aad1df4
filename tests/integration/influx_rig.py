"""What the tests of both stores share: a small plant, its batches, a sink with a beginning and an end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import numpy as np

from adapters.influx.config import InfluxConfig, VictoriaConfig
from adapters.influx.sink import LineSink, build
from gateway.clock import SystemClock
from gateway.model import GOOD, Batch, Site, Tag, TagTable
from gateway.ports import Clock

SITE = Site("bac-ninh-1", lines={"press-07": "stamping"}, areas={"stamping": "press-shop"})
HOUR_NS = 3600 * 10**9

Row = tuple[int, int, float, int]


def table(*tags: Tag) -> TagTable:
    """The tags with ids from 1."""
    return TagTable(enumerate(tags, 1))


def batch(rows: Sequence[Row], texts: Sequence[str] = ()) -> Batch:
    """A batch of (tag, time_ns, value, quality)."""
    tag, time_ns, value, quality = zip(*rows, strict=True)
    return Batch(
        np.array(tag, np.int32),
        np.array(time_ns, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
        tuple(texts),
    )


def poll(count: int, time_ns: int, first: int = 1) -> Batch:
    """Good readings of tags first … first + count − 1 at one time; a tag's value is its id."""
    return batch([(tag, time_ns, float(tag), GOOD) for tag in range(first, first + count)])


def recent_ns() -> int:
    """A whole second about an hour ago."""
    return (SystemClock().wall_ns() - HOUR_NS) // 10**9 * 10**9


@asynccontextmanager
async def sink(
    config: InfluxConfig | VictoriaConfig, tags: TagTable, clock: Clock | None = None, *, connected: bool = True
) -> AsyncIterator[LineSink]:
    """A sink that is closed whatever happens."""
    made = build("store", config, tags, SITE, clock or SystemClock())
    try:
        if connected:
            await made.connect()
        yield made
    finally:
        await made.close()


async def fetch(url: str, **params: str) -> bytes:
    """The body of a POST with a form, which both stores take for queries."""
    async with aiohttp.ClientSession() as session, session.post(url, data=params) as response:
        body = await response.read()
        assert response.status < 300, body
        return body

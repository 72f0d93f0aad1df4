"""What the MQTT tests share: a source built as the application builds it, and a publisher."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt

from adapters.mqtt.config import MqttConfig
from adapters.mqtt.source import MqttSource, build
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import TagTable
from gateway.ports import Delivery
from tests.servers import Server

COUNT_TAG = {"press/total": {"topic": "press/counts", "path": "$.n", "type": "uint32", "counter": True}}


def make_source(broker: str, name: str = "cells", **settings: Any) -> MqttSource:
    """A source with ids as a journal would give them; by default one tag, `n` on `press/counts`."""
    config = MqttConfig.model_validate({"kind": "mqtt", "broker": broker, "tags": COUNT_TAG, **settings})
    library = Library((Path(__file__).parent,))
    table = TagTable(enumerate(config.tags(name, library), start=1))
    return build(name, config, table, library, SystemClock())


@asynccontextmanager
async def opened(source: MqttSource) -> AsyncIterator[AsyncIterator[Delivery]]:
    """The source's deliveries; closed at the end."""
    await source.connect()
    deliveries = source.deliveries()
    try:
        yield deliveries
    finally:
        await deliveries.aclose()  # type: ignore[attr-defined]
        await source.close()


async def next_delivery(deliveries: AsyncIterator[Delivery]) -> Delivery:
    async with asyncio.timeout(10):
        return await anext(deliveries)


async def take_values(deliveries: AsyncIterator[Delivery], count: int, *, ack: bool = True) -> list[float]:
    """Values of the next deliveries until there are `count`; acknowledges each."""
    values: list[float] = []
    while len(values) < count:
        delivery = await next_delivery(deliveries)
        values += delivery.batch.value.tolist()
        if ack and delivery.ack is not None:
            delivery.ack()
    return values


async def publish(server: Server, messages: Sequence[tuple[str, bytes | str]], qos: int = 1, **login: Any) -> None:
    """Publishes in order and waits until the broker has everything."""
    async with aiomqtt.Client(server.host, server.port, **login) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos)


async def publish_counts(server: Server, numbers: range, **login: Any) -> None:
    """`{"n": number}` on `press/counts`, one message each."""
    await publish(server, [("press/counts", f'{{"n": {n}}}') for n in numbers], **login)

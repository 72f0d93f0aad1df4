"""The contract of MQTT acknowledgements: after the commit, in the same connection, or not at all."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.mqtt_world import make_source, next_delivery, opened, publish_counts, take_values
from tests.servers import Server, eventually, mosquitto, running

pytestmark = pytest.mark.server

KILLS = 24
PER_ROUND = 200


@pytest.mark.timeout(180)
async def test_a_killed_consumer_loses_nothing_and_keeps_the_order(mosquitto_server: Server, tmp_path: Path) -> None:
    file, chance = tmp_path / "committed", random.Random(7)
    async with opened(make_source(mosquitto_server.url, "consumer")):
        pass  # the broker knows the session before the first message
    for round_ in range(KILLS):
        numbers = range(round_ * PER_ROUND, (round_ + 1) * PER_ROUND)
        publishing = asyncio.create_task(publish_counts(mosquitto_server, numbers))
        if round_ % 3:
            moment = ("before-commit", "before-ack")[round_ % 3 - 1]
            with consumer(mosquitto_server, file, moment, str(chance.randrange(1, 6))) as process:
                await eventually(lambda process=process: process.poll() is not None, 20)
        else:
            goal = len(committed(file)) + chance.randrange(PER_ROUND)
            with consumer(mosquitto_server, file):
                await eventually(lambda goal=goal: len(committed(file)) >= goal, 20, every_s=0.001)
        await publishing
    with consumer(mosquitto_server, file):
        await eventually(lambda: committed(file)[-1:] == [KILLS * PER_ROUND - 1], 20)
    written = committed(file)
    assert list(dict.fromkeys(written)) == list(range(KILLS * PER_ROUND))
    assert len(written) > KILLS * PER_ROUND  # killed between commit and acknowledgement: these came again


async def test_what_is_not_acknowledged_comes_again(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "again")
    async with opened(source) as deliveries:
        await publish_counts(mosquitto_server, range(10))
        assert await take_values(deliveries, 10, ack=False) == list(range(10))
    async with opened(source) as deliveries:
        assert await take_values(deliveries, 10) == list(range(10))


async def test_what_is_acknowledged_does_not_come_again(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "once")
    async with opened(source) as deliveries:
        await publish_counts(mosquitto_server, range(10))
        assert await take_values(deliveries, 10) == list(range(10))
    await publish_counts(mosquitto_server, range(10, 11))
    async with opened(source) as deliveries:
        assert await take_values(deliveries, 1) == [10]


async def test_an_acknowledgement_of_a_lost_session_spares_the_new_messages(tmp_path: Path) -> None:
    with running(mosquitto(tmp_path)) as server:
        source = make_source(server.url, "stale")
        async with opened(source) as deliveries:
            await publish_counts(server, range(5))
            stale = []
            while sum(len(delivery.batch) for delivery in stale) < 5:
                stale.append(await next_delivery(deliveries))
            server.kill()  # and with it the session: the broker starts again with packet id 1
            await server.restart()
            await source.connect()
            assert not source._connection.session_present
            await publish_counts(server, range(5, 10))
            assert await take_values(source.deliveries(), 5, ack=False) == list(range(5, 10))
            for delivery in stale:
                assert delivery.ack is not None
                delivery.ack()
        async with opened(source) as deliveries:
            assert await take_values(deliveries, 5) == list(range(5, 10))


async def test_an_acknowledgement_after_the_close_does_nothing(mosquitto_server: Server) -> None:
    source = make_source(mosquitto_server.url, "late")
    async with opened(source) as deliveries:
        await publish_counts(mosquitto_server, range(1))
        delivery = await next_delivery(deliveries)
    assert delivery.ack is not None
    delivery.ack()
    async with opened(source) as deliveries:
        assert await take_values(deliveries, 1) == [0]


@contextmanager
def consumer(server: Server, file: Path, *moment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A consumer in its own process, killed at the end, or by itself at a moment."""
    command = [sys.executable, "-m", "tests.contract.mqtt_consumer", server.url, str(file), *moment]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def committed(file: Path) -> list[int]:
    """Complete lines of the file; the last one may be torn by the kill."""
    text = file.read_text() if file.exists() else ""
    return [int(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

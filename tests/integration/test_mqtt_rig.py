"""The rig of real servers itself."""

import urllib.request

import pytest

from tests.servers import Server, mosquitto, running

pytestmark = pytest.mark.server


def test_every_shared_server_answers(
    mosquitto_server: Server, nats_mqtt_server: Server, victoria_server: Server, influx1_server: Server
) -> None:
    started = (mosquitto_server, nats_mqtt_server, victoria_server, influx1_server)
    assert all(server.process is not None and server.process.poll() is None for server in started)
    assert "dedup.minScrapeInterval" in _get(f"{victoria_server.url}/flags")


async def test_a_killed_server_comes_back_on_its_port(tmp_path) -> None:
    with running(mosquitto(tmp_path)) as server:
        port = server.port
        server.kill()
        assert server.process is not None
        assert server.process.poll() is not None
        await server.restart()
        assert server.port == port
        assert server.process.poll() is None


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: str = answer.read().decode()
        return body

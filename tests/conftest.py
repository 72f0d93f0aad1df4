"""Rules for every test: a deterministic hypothesis, no leaked task, no blocked loop; and servers to share."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests import servers
from tests.servers import Server

settings.register_profile(
    "lineside", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lineside")

_OUR_CODE = ["gateway", "adapters", "simulators"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            # first in the list: set up before and checked after every other fixture of the test
            item.fixturenames.insert(0, "no_task_left")
            if {"unit", "contract"} & set(item.path.relative_to(item.config.rootpath).parts):
                item.fixturenames.append("no_blocking_call")


@pytest_asyncio.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fails an async test that leaves a task running."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task() and not task.done()]
    for task in left:
        task.cancel()
    assert not left, f"the test leaves tasks running: {left}"


@pytest.fixture
def no_blocking_call() -> Iterator[None]:
    """Fails where our code blocks the event loop with file, socket or sleep calls."""
    with blockbuster_ctx(scanned_modules=_OUR_CODE):
        yield


@pytest.fixture(autouse=True)
def log_level_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sets the level of Lineside's log: not for the tests after it."""
    log = logging.getLogger("lineside")
    level = log.level
    yield
    log.setLevel(level)


@pytest.fixture(scope="session")
def mosquitto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A mosquitto that tests share: use topics and client ids of your own."""
    with servers.running(servers.mosquitto(tmp_path_factory.mktemp("mosquitto"))) as server:
        yield server


@pytest.fixture(scope="session")
def nats_mqtt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A nats-server that tests share: use topics and client ids of your own."""
    with servers.running(servers.nats_server(tmp_path_factory.mktemp("nats"))) as server:
        yield server


@pytest.fixture(scope="session")
def victoria_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A VictoriaMetrics that tests share: use series of your own."""
    with servers.running(servers.victoria_metrics(tmp_path_factory.mktemp("victoria"))) as server:
        yield server


@pytest.fixture(scope="session")
def influx1_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An InfluxDB 1.6 that tests share: use a database of your own."""
    with servers.running(servers.influxdb1(tmp_path_factory.mktemp("influx"))) as server:
        yield server

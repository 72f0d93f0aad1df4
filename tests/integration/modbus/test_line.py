"""Many units on one line: one that is dead takes hardly any time from the others."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from statistics import median

import pytest

from adapters.modbus.config import ModbusConfig
from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.point import Table
from adapters.modbus.source import ModbusSource, build, spread
from adapters.modbus.transport import Endpoint, User
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import GOOD, Reason, TagTable
from gateway.ports import NotConnected
from tests.clock import VirtualClock
from tests.integration.modbus.fault_server import Behaviour, Device, Framing, Request, device, honest

NOBODY = Library(())
PERIOD_S = 0.25
UNITS = 32
DEAD = 17
SHORT_S = 0.05


def dead(*units: int) -> Behaviour:
    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        return [] if request.unit in units else [request.frame()]

    return behave


def gateway_says(code: int, unit: int) -> Behaviour:
    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.exception(code) if request.unit == unit else request.frame()]

    return behave


def source_of(endpoint: str, unit: int) -> ModbusSource:
    point = {"table": "holding", "address": unit, "type": "uint16", "group": "fast"}
    said = {"endpoint": endpoint, "unit_id": unit, "asset": "hall", "timeout": "100ms", "points": {"x": point}}
    config = ModbusConfig.model_validate(said | {"poll": {"fast": f"{PERIOD_S * 1000:.0f}ms"}})
    name = f"meter-{unit:02}"
    return build(name, config, TagTable(enumerate(config.tags(name, NOBODY))), NOBODY, SystemClock())


async def run(source: ModbusSource, arrivals: list[float]) -> None:
    """What `flow` does, with a back-off that would wear down a line without a breaker."""
    try:
        while True:
            try:
                await source.connect()
                async with aclosing(source.deliveries()) as deliveries:  # type: ignore[type-var]
                    async for delivery in deliveries:
                        arrivals += [asyncio.get_running_loop().time()] * bool((delivery.batch.quality == GOOD).all())
            except NotConnected:
                await source.close()
                await asyncio.sleep(PERIOD_S)
    finally:
        await source.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_one_dead_unit_of_32_does_not_slow_the_others_down(framing: Framing) -> None:
    async with device(dead(DEAD), framing) as plc:
        arrivals: dict[int, list[float]] = {unit: [] for unit in range(1, UNITS + 1)}
        tasks = [asyncio.create_task(run(source_of(plc.endpoint, unit), arrivals[unit])) for unit in arrivals]
        await asyncio.wait(tasks, timeout=20 * PERIOD_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        intervals = [b - a for unit in arrivals for a, b in zip(arrivals[unit], arrivals[unit][1:], strict=False)]
        assert arrivals[DEAD] == []
        assert all(len(arrivals[unit]) >= 10 for unit in arrivals if unit != DEAD)
        assert median(intervals) <= 1.05 * PERIOD_S
        assert plc.accepted == 1
        assert sum(request.unit == DEAD for request in plc.requests) <= 5  # of 20 that were wanted


def reasons(answers: list[Answer]) -> list[Reason | None]:
    return [answer.reason if isinstance(answer, Failure) else None for answer in answers]


READS = [Read(9, Table.HOLDING, a, 1) for a in range(3)]
OTHERS = [Read(8, Table.HOLDING, a, 1) for a in range(3)]


@pytest.mark.parametrize("fault", [dead(9), gateway_says(10, 9), gateway_says(11, 9)], ids=["silent", "10", "11"])
async def test_a_unit_without_an_answer_is_tried_with_one_read_when_its_time_has_come(fault: Behaviour) -> None:
    clock = VirtualClock()
    async with device(fault) as plc:
        link = Endpoint(parse_endpoint(plc.endpoint), clock)
        users = [User(f"u{unit}", unit, Manners(), 1.0) for unit in (8, 9)]
        for user in users:
            await link.join(user)
        await link.read(READS, SHORT_S)
        plc.requests.clear()
        (first, *_) = await link.read(READS, SHORT_S)
        assert isinstance(first, Failure)
        assert first.text == "unit 9 is silent; it is asked again in 2 s"
        assert plc.requests == []
        assert reasons(await link.read(OTHERS, 1.0)) == [None] * 3  # the others of the line go on
        plc.requests.clear()
        for wait_s in (2, 4, 8, 16, 30, 30):
            await clock.advance(wait_s)
            assert None not in reasons(await link.read(READS, SHORT_S))
        assert len(plc.requests) == 6
        plc.behave = honest
        await clock.advance(30)
        assert reasons(await link.read(READS, 1.0)) == [None] * 3
        assert plc.accepted == 1
        for user in users:
            await link.leave(user)


async def test_noise_and_exceptions_of_the_device_itself_open_no_breaker() -> None:
    async with device(gateway_says(4, 9)) as plc:
        link, user = Endpoint(parse_endpoint(plc.endpoint), VirtualClock()), User("u", 9, Manners(), 1.0)
        await link.join(user)
        for _ in range(3):
            assert reasons(await link.read(READS, 1.0)) == [Reason.DEVICE_EXCEPTION] * 3
        assert len(plc.requests) == 9
        await link.leave(user)


async def test_the_gentlest_user_of_an_endpoint_decides_and_only_while_it_is_there() -> None:
    async with device() as plc:
        link = Endpoint(parse_endpoint(plc.endpoint), SystemClock())
        rough, shy = User("rough", 1, Manners(8), 1.0), User("shy", 2, Manners(2, pause_s=0.01), 1.0)
        await link.join(rough)
        await link.join(shy)
        started = asyncio.get_running_loop().time()
        answers = await link.read([Read(1, Table.INPUT, a, 2) for a in range(5)], 1.0)
        assert asyncio.get_running_loop().time() - started >= 4 * 0.0099
        assert all(isinstance(answer, Reply) for answer in answers)
        await link.leave(shy)
        assert link._link is not None
        assert link._link.manners == Manners(8)
        await link.leave(rough)


class WatchedClock(VirtualClock):
    """Tells when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await super().sleep(seconds)


async def test_a_new_connection_is_given_time_before_its_first_request() -> None:
    clock = WatchedClock()
    async with device() as plc:
        link = Endpoint(parse_endpoint(plc.endpoint), clock)
        user = User("u", 1, Manners(connect_delay_s=3.0), 1.0)
        joining = asyncio.create_task(link.join(user))
        async with asyncio.timeout(5):
            await clock.asleep.wait()
        await clock.advance(2.9)
        assert not joining.done()
        await clock.advance(0.2)
        await joining
        await link.leave(user)


def test_sources_poll_at_places_of_their_own_which_stay_the_same() -> None:
    places = [spread(f"meter-{n:03}") for n in range(200)]
    assert places == [spread(f"meter-{n:03}") for n in range(200)]
    tenths = [sum(int(place * 10) == tenth for place in places) for tenth in range(10)]
    assert min(tenths) >= 10
    assert max(tenths) <= 35

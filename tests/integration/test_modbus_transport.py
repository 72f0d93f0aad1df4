"""The transport against a device that lies: a value is right or there is none."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import uvloop

from adapters.modbus.connection import Connection
from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.locator import Locator, parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.point import Table
from adapters.modbus.transport import Endpoint, User, endpoint
from gateway.clock import SystemClock
from gateway.model import Reason
from gateway.ports import NotConnected
from tests.integration.modbus.fault_server import HOST, Behaviour, Device, Request, device, honest, silent, truth

SHORT_S = 0.05
CLOCK = SystemClock()
READ = Read(1, Table.HOLDING, 10, 4)
READS = [Read(1, Table.HOLDING, 100 * i, 20 + i) for i in range(12)]


def tcp(port: int) -> Locator:
    return parse_endpoint(f"tcp://{HOST}:{port}")


@asynccontextmanager
async def connected(port: int, pipeline: int = 1, timeout_s: float = 1.0, unit: int = 1) -> AsyncIterator[Endpoint]:
    user = User("test", unit, Manners(pipeline), timeout_s)
    made = Endpoint(tcp(port), CLOCK)
    await made.join(user)
    try:
        yield made
    finally:
        await made.leave(user)


def is_true(read: Read, answer: Answer) -> bool:
    """Whether an answer is the very data of its unit, table and addresses."""
    expected = truth(read.unit, read.table.function, read.address, read.count)
    return isinstance(answer, Reply) and answer.data == expected


def reason(answer: Answer) -> Reason:
    assert isinstance(answer, Failure), answer
    return answer.reason


def ids(one: Device) -> list[int]:
    return [request.transaction for request in one.requests]


@pytest.mark.parametrize("pipeline", [1, 8])
async def test_every_read_gets_its_own_data(pipeline: int) -> None:
    async with device() as plc, connected(plc.port, pipeline) as link:
        reads = [Read(1, table, 7 * i, 1 + i) for i in range(30) for table in Table]
        answers = await link.read(reads, 1.0)
        assert all(is_true(read, answer) for read, answer in zip(reads, answers, strict=True))
        assert ids(plc) == list(range(1, len(reads) + 1))


async def test_a_device_that_bears_one_request_never_gets_two() -> None:
    waiting: list[Request] = []

    def slow(plc: Device, request: Request) -> Sequence[bytes]:
        waiting.append(request)
        assert len(waiting) == 1
        asyncio.get_running_loop().call_later(0.002, lambda: plc.send(waiting.pop().frame()))
        return []

    async with device(slow) as plc, connected(plc.port) as link:
        both = await asyncio.gather(link.read(READS[:5], 1.0), link.read(READS[5:], 1.0))
        assert all(is_true(read, answer) for read, answer in zip(READS, [*both[0], *both[1]], strict=True))


async def test_no_reads_need_no_answer() -> None:
    async with device() as plc, connected(plc.port) as link:
        assert await link.read([], 1.0) == []
        assert plc.requests == []


async def test_transaction_ids_go_round_without_zero() -> None:
    async with device() as plc, connected(plc.port) as link:
        assert isinstance(link._link, Connection)
        link._link._transaction = 0xFFFE
        await link.read(READS[:4], 1.0)
        assert ids(plc) == [0xFFFF, 1, 2, 3]


async def test_a_reply_is_stamped_with_its_arrival() -> None:
    async with device() as plc, connected(plc.port) as link:
        before = CLOCK.wall_ns()
        (answer,) = await link.read([READ], 1.0)
        assert before < answer.time_ns < CLOCK.wall_ns()


LIES: dict[str, tuple[Behaviour, Reason]] = {
    "silence": (silent, Reason.TIMEOUT),
    "another transaction": (lambda plc, r: [r.frame(transaction=r.transaction ^ 0x100)], Reason.TIMEOUT),
    "transaction 0": (lambda plc, r: [r.frame(transaction=0)], Reason.TIMEOUT),
    "another unit": (lambda plc, r: [r.frame(unit=r.unit + 1)], Reason.BAD_REPLY),
    "another function": (lambda plc, r: [r.frame(bytes([4, len(r.data)]) + r.data)], Reason.BAD_REPLY),
    "too few registers": (lambda plc, r: [r.frame(bytes([3, len(r.data) - 2]) + r.data[2:])], Reason.BAD_REPLY),
    "too many registers": (lambda plc, r: [r.frame(bytes([3, len(r.data) + 2]) + r.data + b"\0\0")], Reason.BAD_REPLY),
    "a wrong byte count": (lambda plc, r: [r.frame(bytes([3, len(r.data) + 2]) + r.data)], Reason.BAD_REPLY),
    "no data": (lambda plc, r: [r.frame(bytes([3, 0]))], Reason.BAD_REPLY),
    "a bare function": (lambda plc, r: [r.frame(bytes([3]))], Reason.BAD_REPLY),
    "half a frame": (lambda plc, r: [r.frame()[:11]], Reason.BAD_REPLY),
    "garbage": (lambda plc, r: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], Reason.BAD_REPLY),
    "another protocol": (lambda plc, r: [r.frame()[:2] + b"\0\1" + r.frame()[4:]], Reason.BAD_REPLY),
    "an exception": (lambda plc, r: [r.exception(4)], Reason.DEVICE_EXCEPTION),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_never_a_value_and_the_next_honest_reply_is(lie: str) -> None:
    behave, expected = LIES[lie]
    user = User("test", 1, Manners(1), 1.0)
    async with device(behave) as plc, connected(plc.port) as link:
        (answer,) = await link.read([READ], SHORT_S)
        if lie == "half a frame":  # known only when the time is over
            assert reason(answer) is Reason.TIMEOUT
        else:
            assert reason(answer) is expected
        plc.behave = honest
        await link.join(user)  # where the stream could not be trusted any more
        (answer,) = await link.read([READ], 1.0)
        assert is_true(READ, answer)
        await link.leave(user)


@pytest.mark.parametrize("lie", ["garbage", "another protocol", "half a frame"])
async def test_a_stream_that_cannot_be_trusted_is_closed(lie: str) -> None:
    async with device(LIES[lie][0]) as plc, connected(plc.port) as link:
        await link.read([READ], SHORT_S)
        assert not link.is_open
        assert "the device sent" in link.why


async def test_a_late_answer_is_never_the_value_of_a_later_read() -> None:
    def late(plc: Device, request: Request) -> Sequence[bytes]:
        plc.held.append(request.frame())
        return plc.held[-2:-1]  # the answer to the request before

    async with device(late) as plc, connected(plc.port) as link:
        first = await link.read(READS[:1], SHORT_S)
        plc.behave = lambda plc, request: [*plc.held, request.frame()]
        second = await link.read(READS[1:2], SHORT_S)
        assert reason(first[0]) is Reason.TIMEOUT
        assert is_true(READS[1], second[0])
        assert link.strays == 1


async def test_two_misses_in_a_row_close_the_connection_and_nobody_waits_longer() -> None:
    async with device(silent) as plc, connected(plc.port) as link:
        started = CLOCK.monotonic()
        answers = await link.read(READS, SHORT_S)
        assert {reason(answer) for answer in answers} == {Reason.TIMEOUT}
        assert len(plc.requests) == 2
        assert not link.is_open
        assert CLOCK.monotonic() - started < 10 * SHORT_S
        assert reason((await link.read([READ], SHORT_S))[0]) is Reason.NOT_CONNECTED


async def test_one_miss_between_answers_closes_nothing() -> None:
    def every_other(plc: Device, request: Request) -> Sequence[bytes]:
        return [] if request.transaction % 2 else [request.frame()]

    async with device(every_other) as plc, connected(plc.port) as link:
        answers = await link.read(READS[:6], SHORT_S)
        assert [isinstance(answer, Reply) for answer in answers] == [False, True] * 3
        assert link.is_open
        assert plc.accepted == 1


async def test_waiters_fail_at_once_when_the_device_closes() -> None:
    async with device(silent) as plc, connected(plc.port, pipeline=2) as link:
        async with asyncio.timeout(2):
            reading = asyncio.create_task(link.read(READS, 60.0))
            await plc.asked.wait()
            plc.drop()
            answers = await reading
        assert {reason(answer) for answer in answers} == {Reason.NOT_CONNECTED}


async def test_a_cancelled_reader_leaves_the_connection_usable() -> None:
    async with device(silent) as plc, connected(plc.port) as link:
        reading = asyncio.create_task(link.read(READS, 1.0))
        await plc.asked.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        plc.behave = honest
        plc.send(plc.requests[0].frame())
        (answer,) = await link.read([READ], 1.0)
        assert is_true(READ, answer)
        assert len(plc.requests) == 2


@pytest.mark.parametrize("cut", ["each byte alone", "two frames in one", "a frame and a half"])
async def test_segments_may_be_cut_anywhere(cut: str) -> None:
    def each_byte(plc: Device, request: Request) -> Sequence[bytes]:
        return [bytes([byte]) for byte in request.frame()]

    def together(plc: Device, request: Request) -> Sequence[bytes]:
        plc.held.append(request.frame())
        if len(plc.held) % 2:
            return []
        both = plc.held[-2] + plc.held[-1]
        return [both] if cut == "two frames in one" else [both[: len(both) - 20], both[len(both) - 20 :]]

    async with device(each_byte if cut == "each byte alone" else together) as plc, connected(plc.port, 2) as link:
        answers = await link.read(READS, 1.0)
        assert all(is_true(read, answer) for read, answer in zip(READS, answers, strict=True))


async def test_answers_may_come_in_another_order_when_pipelined() -> None:
    def backwards(plc: Device, request: Request) -> Sequence[bytes]:
        plc.held.append(request.frame())
        return plc.held[::-1] if len(plc.held) == 4 else []

    async with device(backwards) as plc, connected(plc.port, pipeline=4) as link:
        answers = await link.read(READS[:4], 1.0)
        assert all(is_true(read, answer) for read, answer in zip(READS[:4], answers, strict=True))


@pytest.mark.parametrize("swallowed", [1, 2])
async def test_a_cut_reply_that_is_filled_up_with_the_ones_behind_it_is_no_value(swallowed: int) -> None:
    """What it swallows is just as long as what it lacks, so that the stream looks well framed afterwards."""
    small = [Read(1, Table.HOLDING, 7 + i, 2) for i in range(swallowed)]

    def cut(plc: Device, request: Request) -> Sequence[bytes]:
        plc.held.append(request.frame())
        if len(plc.held) < 2 + swallowed:
            return []
        first, *others, last = plc.held
        behind = b"".join(others)
        return [first[: len(first) - len(behind)] + behind, last]

    async with device(cut) as plc, connected(plc.port, pipeline=4) as link:
        reads = [Read(1, Table.HOLDING, 100, 60), *small, Read(1, Table.HOLDING, 9, 5)]
        answers = await link.read(reads, SHORT_S)
        assert reason(answers[0]) is Reason.BAD_REPLY
        assert not any(isinstance(answer, Reply) for answer in answers[:-1])
        assert all(is_true(r, a) for r, a in zip(reads, answers, strict=True) if isinstance(a, Reply))


async def test_pipelined_replies_wait_for_one_another_but_not_for_later_requests() -> None:
    def slow_second(plc: Device, request: Request) -> Sequence[bytes]:
        plc.held.append(request.frame())
        return [] if len(plc.held) == 2 else [request.frame()] if len(plc.held) < 4 else [plc.held[1], plc.held[3]]

    async with device(slow_second) as plc, connected(plc.port, pipeline=2) as link:
        answers = await link.read(READS[:4], 1.0)
        assert all(is_true(read, answer) for read, answer in zip(READS[:4], answers, strict=True))


async def test_nobody_there_is_not_connected_and_says_where() -> None:
    async with device() as plc:
        port = plc.port
    with pytest.raises(NotConnected, match=f"tcp://127.0.0.1:{port}: Connection refused"):
        await Endpoint(tcp(port), CLOCK).join(User("test", 1, Manners(1), 1.0))


async def test_sources_of_one_address_share_one_connection_until_the_last_leaves() -> None:
    async with device() as plc:
        one, other = endpoint(tcp(plc.port), CLOCK), endpoint(tcp(plc.port), CLOCK)
        first, second = User("first", 1, Manners(4), 1.0), User("second", 2, Manners(1), 1.0)
        await asyncio.gather(one.join(first), other.join(second))
        assert one is other
        assert plc.accepted == 1
        await one.leave(first)
        (answer,) = await other.read([Read(2, Table.INPUT, 3, 5)], 1.0)
        assert isinstance(answer, Reply)
        await other.leave(second)
        await other.leave(second)
        assert not other.is_open


async def test_a_dead_unit_does_not_cost_its_neighbour_the_connection() -> None:
    def unit_9_is_dead(plc: Device, request: Request) -> Sequence[bytes]:
        return [] if request.unit == 9 else [request.frame()]

    async with device(unit_9_is_dead) as plc:
        link = endpoint(tcp(plc.port), CLOCK)
        users = [User("alive", 1, Manners(1), 1.0), User("dead", 9, Manners(1), 1.0)]
        for user in users:
            await link.join(user)
        dead = await link.read([Read(9, Table.HOLDING, a, 1) for a in range(9)], SHORT_S)
        (alive,) = await link.read([READ], 1.0)
        assert {reason(answer) for answer in dead} == {Reason.TIMEOUT}
        assert is_true(READ, alive)
        assert plc.accepted == 1
        assert len(plc.requests) == 3
        for user in users:
            await link.leave(user)


def a_storm(pipeline: int) -> Behaviour:
    """Honest two times out of three, else one lie of every kind, by chance."""
    dice = random.Random(pipeline)
    lies = list(LIES)

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        held, plc.held = plc.held, []
        roll = dice.random()
        if roll < 0.66:
            return [*held, request.frame()]
        if roll < 0.70:
            plc.held = [request.frame()]  # late: comes before the answer to the next request
            return []
        if roll < 0.72:
            return [bytes([byte]) for byte in request.frame()]
        if roll < 0.74:
            return [request.exception(dice.randint(1, 11))]
        if roll < 0.76:
            return [request.frame(), request.frame()]  # twice
        if roll < 0.78:
            return [dice.randbytes(dice.randint(1, 40))]
        if roll < 0.80:
            plc.drop()
            return []
        return LIES[dice.choice(lies)][0](plc, request)

    return behave


@pytest.mark.parametrize("pipeline", [1, 8])
async def test_in_a_storm_of_faults_no_value_is_ever_wrong(pipeline: int) -> None:
    dice = random.Random(pipeline)
    user = User("storm", 1, Manners(pipeline), 1.0)
    good = bad = 0
    async with device(a_storm(pipeline)) as plc:
        link = Endpoint(tcp(plc.port), CLOCK)
        for unit in range(1, 251):  # another each time: a breaker would leave a silent one alone
            await link.join(user)
            asked = [(dice.choice(list(Table)), dice.randrange(60_000), dice.randint(1, 120)) for _ in range(4)]
            reads = [Read(unit, *what) for what in asked]
            for read, answer in zip(reads, await link.read(reads, 0.01), strict=True):
                if isinstance(answer, Reply):
                    assert is_true(read, answer)
                    good += 1
                else:
                    bad += 1
        await link.leave(user)
    assert good > 100
    assert bad > 100


def test_it_works_on_uvloop_too() -> None:
    async def read() -> Answer:
        async with device() as plc, connected(plc.port) as link:
            return (await link.read([READ], 1.0))[0]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert is_true(READ, runner.run(read()))

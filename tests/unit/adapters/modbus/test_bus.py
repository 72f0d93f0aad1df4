"""A line without request numbers: a reply is a value only where it can be no other's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from adapters.modbus import bus as module
from adapters.modbus.bus import Bus
from adapters.modbus.doubts import Doubts
from adapters.modbus.framers import AsciiFramer, Framer, RtuFramer
from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.point import Table
from gateway.clock import SystemClock
from gateway.model import Reason

SHORT_S = 0.05
QUIET_S = 0.02
A, B, ONE, OTHER = (Read(1, Table.HOLDING, *where) for where in ((10, 4), (50, 4), (7, 1), (8, 1)))
FOREIGN = Read(2, Table.HOLDING, 10, 4)


def truth(read: Read) -> bytes:
    """Data that no other unit or address has at its place."""
    return b"".join(bytes([read.unit, address & 0xFF]) for address in range(read.address, read.address + read.count))


@dataclass(eq=False)
class Line:
    """The device's end. `say` decides what a request is answered with: frames, sent one by one."""

    framer: Framer
    say: Callable[["Line", Read], list[bytes]] = lambda line, read: [line.reply(read)]
    bus: Bus = field(init=False)
    asked: list[Read] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def reply(self, read: Read, of: Read | None = None) -> bytes:
        """What the device answers to a read; honest unless it is the data of another."""
        return self.framer.frame(read.head + truth(of or read))

    def exception(self, read: Read, code: int) -> bytes:
        return self.framer.frame(bytes([read.unit, read.table.function | 0x80, code]))

    def write(self, data: bytes) -> None:
        body = self.framer.only_body(data)
        assert body is not None
        address, count = int.from_bytes(body[2:4], "big"), int.from_bytes(body[4:6], "big")
        assert body[1] == 3
        read = Read(body[0], Table.HOLDING, address, count)
        self.asked.append(read)
        self.heard.set()
        self.asked_at.append(asyncio.get_running_loop().time())
        for part in self.say(self, read):
            asyncio.get_running_loop().call_soon(self.bus.data_received, part)

    def abort(self) -> None:
        self.closed = True
        self.bus.connection_lost(None)


@pytest.fixture(params=[RtuFramer(), AsciiFramer()], ids=["rtu", "ascii"])
async def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(module, "_QUIET_S", QUIET_S)
    made = Line(request.param)
    made.bus = Bus(request.param, parse_endpoint("rtu+tcp://h:1"), Doubts(), SystemClock())
    made.bus.attach(made)
    return made


async def ask(line: Line, *reads: Read) -> list[Answer]:
    return await line.bus.read(reads, SHORT_S)


def is_true(read: Read, answer: Answer) -> bool:
    return isinstance(answer, Reply) and answer.data == truth(read)


def silent(line: Line, read: Read) -> list[bytes]:
    return []


def honest(line: Line, read: Read) -> list[bytes]:
    return [line.reply(read)]


async def test_reads_are_answered_one_at_a_time_in_their_order(line: Line) -> None:
    answers = await ask(line, A, B, ONE, FOREIGN)
    assert [is_true(r, a) for r, a in zip((A, B, ONE, FOREIGN), answers, strict=True)] == [True] * 4
    assert line.asked == [A, B, ONE, FOREIGN]


async def test_callers_share_the_line_without_ever_mixing(line: Line) -> None:
    reads = [Read(unit, Table.HOLDING, 10 * unit, 3) for unit in range(1, 9)]
    answers = await asyncio.gather(*(ask(line, read) for read in reads))
    assert all(is_true(read, answer) for read, (answer,) in zip(reads, answers, strict=True))


async def test_a_reply_may_come_in_any_pieces(line: Line) -> None:
    line.say = lambda line, read: [bytes([byte]) for byte in line.reply(read)]
    assert is_true(A, (await ask(line, A))[0])


async def test_a_late_reply_is_never_the_value_of_the_next_read_of_the_same_shape(line: Line) -> None:
    line.say = silent
    assert (await ask(line, A))[0].reason is Reason.TIMEOUT  # type: ignore[union-attr]
    late = [line.reply(A)]

    def behind(line: Line, read: Read) -> list[bytes]:
        owed, late[:] = list(late), []
        return [*owed, line.reply(read)]

    line.say = behind
    (answer,) = await ask(line, B)
    assert is_true(B, answer)
    assert line.asked == [A, Read(1, Table.HOLDING, 50, 3), B]  # the smaller one went first


async def test_a_device_that_is_one_reply_behind_is_caught_up_with(line: Line) -> None:
    behind: list[bytes] = []

    def lagging(line: Line, read: Read) -> list[bytes]:
        behind.append(line.reply(read))
        return [behind.pop(0)] if len(behind) > 1 else []

    line.say = lagging
    assert (await ask(line, ONE))[0].reason is Reason.TIMEOUT  # type: ignore[union-attr]
    for read in (OTHER, ONE, A, OTHER, B, A):
        (answer,) = await ask(line, read)
        assert isinstance(answer, Failure) or is_true(read, answer)


async def test_what_comes_in_the_quiet_time_is_dropped(line: Line) -> None:
    line.say = silent
    await ask(line, A)
    line.say = honest
    asyncio.get_running_loop().call_later(QUIET_S / 2, line.bus.data_received, line.reply(A))
    assert is_true(B, (await ask(line, B))[0])
    assert line.bus.strays == 1


async def test_a_time_out_is_followed_by_silence_before_the_next_request(line: Line) -> None:
    line.say = silent
    await ask(line, A)
    ended = asyncio.get_running_loop().time()
    line.say = honest
    await ask(line, FOREIGN)
    assert line.asked_at[-1] - ended >= QUIET_S * 0.99


async def test_noise_costs_the_quiet_time_and_not_the_whole_time_out(line: Line) -> None:
    line.say = lambda line, read: [b"\x00\xff noise"]
    started = asyncio.get_running_loop().time()
    (answer,) = await line.bus.read([A], 10.0)
    assert isinstance(answer, Failure)
    assert answer.reason is Reason.BAD_REPLY
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_line_that_never_falls_silent_is_given_up(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BABBLES", 3)
    loop, stop = asyncio.get_running_loop(), False

    def babble() -> None:
        line.bus.data_received(b"\x55")
        if not stop:
            loop.call_later(QUIET_S / 4, babble)

    babble()
    (answer,) = await ask(line, A)
    stop = True
    assert isinstance(answer, Failure)
    assert line.closed
    assert "does not fall silent" in line.bus.why
    await asyncio.sleep(QUIET_S)


LIES: dict[str, Callable[[Line, Read], list[bytes]]] = {
    "another unit": lambda line, read: [line.reply(FOREIGN)],
    "another count": lambda line, read: [line.reply(Read(read.unit, read.table, read.address, read.count + 1))],
    "a wrong check sum": lambda line, read: [line.reply(read)[:-4] + bytes([line.reply(read)[-4] ^ 1]) + b"\0\r\n"],
    "half a frame": lambda line, read: [line.reply(read)[:7]],
    "its own request": lambda line, read: [line.framer.frame(read.body)],
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_never_a_value_and_the_next_honest_reply_is(line: Line, lie: str) -> None:
    line.say = LIES[lie]
    (answer,) = await ask(line, A)
    assert isinstance(answer, Failure)
    assert answer.reason is Reason.BAD_REPLY
    line.say = honest
    assert is_true(B, (await ask(line, B))[0])


async def test_the_true_reply_is_found_behind_an_echo_or_a_strangers_frame(line: Line) -> None:
    line.say = lambda line, read: [line.framer.frame(read.body), line.reply(FOREIGN), line.reply(read)]
    assert is_true(A, (await ask(line, A))[0])


async def test_a_second_copy_of_a_reply_is_not_the_next_ones(line: Line) -> None:
    line.say = lambda line, read: [line.reply(read) * 2]
    assert is_true(A, (await ask(line, A))[0])
    assert is_true(B, (await ask(line, B))[0])


async def test_an_exception_is_an_answer(line: Line) -> None:
    line.say = lambda line, read: [line.exception(read, 2)]
    answers = await ask(line, A, B)
    assert [a.exception for a in answers if isinstance(a, Failure)] == [2, 2]
    line.say = honest
    assert is_true(A, (await ask(line, A))[0])
    assert line.asked == [A, B, A]


async def test_a_cancelled_reader_leaves_nothing_behind_that_could_be_taken_for_a_value(line: Line) -> None:
    line.say = silent
    reading = asyncio.create_task(line.bus.read([A], 60.0))
    await line.heard.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    line.bus.data_received(line.reply(A))
    line.say = honest
    assert is_true(B, (await ask(line, B))[0])
    assert len(line.asked) == 3  # and a smaller read between the two


async def test_waiters_fail_at_once_when_the_line_is_lost(line: Line) -> None:
    line.say = silent
    reading = asyncio.create_task(line.bus.read([A, B], 60.0))
    await line.heard.wait()
    line.bus.connection_lost(OSError("the serial port is gone"))
    async with asyncio.timeout(5):
        answers = await reading
    assert {a.reason for a in answers if isinstance(a, Failure)} == {Reason.NOT_CONNECTED}
    assert line.bus.why == "the serial port is gone"


async def test_a_silent_device_is_asked_twice_and_then_the_connection_is_closed(line: Line) -> None:
    line.say = silent
    answers = await ask(line, A, B, ONE)
    assert {a.reason for a in answers if isinstance(a, Failure)} == {Reason.TIMEOUT}
    assert len(line.asked) == 2
    assert line.closed


async def test_a_silent_unit_does_not_close_the_line_of_the_others(line: Line) -> None:
    line.bus.units = 32
    line.say = silent
    await ask(line, A, B, ONE)
    line.say = honest
    assert is_true(FOREIGN, (await ask(line, FOREIGN))[0])
    assert not line.closed


async def test_pauses_are_kept_between_requests_and_between_units(line: Line) -> None:
    await ask(line, A)
    line.bus.manners = Manners(pause_s=0.01, turnaround_s=0.03)
    await ask(line, A, B, FOREIGN)
    same, _, turned = (b - a for a, b in zip(line.asked_at, line.asked_at[1:], strict=False))
    assert same >= 0.0099
    assert turned >= 0.0299


async def test_the_bytes_of_a_slow_line_are_not_counted_as_time_of_the_device() -> None:
    bus = Bus(RtuFramer(), parse_endpoint("rtu:///dev/x?baud=1200"), Doubts(), SystemClock())
    line = Line(RtuFramer(), silent)
    line.bus = bus
    bus.attach(line)
    read = Read(1, Table.HOLDING, 0, 10)
    reading = asyncio.create_task(bus.read([read], SHORT_S))
    await line.heard.wait()
    # 8 + 25 characters of 11 bits at 1200 baud take 0.3 s
    asyncio.get_running_loop().call_later(0.2, bus.data_received, line.reply(read))
    assert is_true(read, (await reading)[0])

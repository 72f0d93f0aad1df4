"""A line that takes one request at a time, whose replies have no number: RTU and ASCII, serial or over TCP."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from adapters.modbus.connection import notice_death
from adapters.modbus.doubts import Doubts
from adapters.modbus.framers import Framer
from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.locator import Locator
from adapters.modbus.manners import MISSES_IN_A_ROW, Manners, Watch
from gateway.model import Reason
from gateway.ports import Clock

_QUIET_S: Final = 0.2  # silence after which nothing that was on its way comes any more
_BABBLES: Final = 15  # times that a line may break its silence before it counts as unusable


class Wire(Protocol):
    """What a bus needs of a transport."""

    def write(self, data: bytes) -> None:
        """Sends, without waiting."""
        ...

    def abort(self) -> None:
        """Closes at once; `connection_lost` follows."""
        ...


class Bus(asyncio.Protocol):
    """Asks one read at a time and trusts a reply only where it can be no other's.

    After a time-out, noise or anything beyond a reply the line must be silent for 200 ms (3.5 characters if longer),
    and what comes meanwhile is dropped; see `Doubts` for what comes even later. A line that falls silent for as long
    without having brought a reply has failed, so that noise does not cost a whole time-out.
    """

    def __init__(self, framer: Framer, locator: Locator, doubts: Doubts, clock: Clock) -> None:
        self.manners = Manners()
        self.units = 1  # how many units share this line
        self.strays = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.why = "closed"
        self._framer = framer
        self._doubts = doubts
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._char_s, self._gap_s = locator.char_s, locator.gap_s
        self._quiet_s = max(_QUIET_S, locator.gap_s)
        self._may_be_gone = not locator.is_serial  # a serial port that does not answer is still there
        self._wire: Wire | None = None
        self._turn = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._stream = b""
        self._heard_ns = 0
        self._heard_at = 0.0
        self._clean = False
        self._unit = -1
        self._watch = Watch()

    @property
    def is_open(self) -> bool:
        """Whether reads can be sent."""
        return self._wire is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        notice_death(transport)
        self.attach(transport)  # type: ignore[arg-type]  # a stream's transport has both methods

    def attach(self, wire: Wire) -> None:
        """The line is open."""
        self._wire = wire

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._wire is not None:
            self.why = str(exc) if exc else "the device closed the connection"
            self._wire = None
        self._arrived.set()
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: the arrival that values are stamped with."""
        self._heard_ns, self._heard_at = self._clock.wall_ns(), self._loop.time()
        self._stream += data
        self._arrived.set()

    def close(self, why: str = "closed", reason: Reason = Reason.NOT_CONNECTED) -> None:
        """Drops the line; what waits for an answer fails at once. `reason` is that of other connections."""
        wire, self._wire = self._wire, None
        if wire is not None:
            self.why = why
            wire.abort()
        self._arrived.set()

    async def read(self, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        """The answers to these reads, in their order; never raises for what the other side does.

        reads: each waits for its turn on the line; when the first two bring nothing, the others are not asked
        timeout_s: for each read, from the moment it is sent, beside the time that its bytes take
        """
        answers: list[Answer] = []
        silent = 0
        for read in reads:
            if silent == len(answers) >= MISSES_IN_A_ROW:
                answers.append(self._failure(Reason.TIMEOUT, "not asked: the device is silent"))
                continue
            async with self._turn:
                answer = await self._ask(read, timeout_s)
            silent += isinstance(answer, Failure) and not answer.exception
            answers.append(answer)
        return answers

    async def _ask(self, read: Read, timeout_s: float) -> Answer:
        """The answer to a read, after others where a late reply could be taken for it."""
        before = self._doubts.before(read, self._clock.monotonic())
        answers: list[Answer] = []
        for other in [*before, read]:
            answer = await self._exchange(other, timeout_s)
            if isinstance(answer, Failure) and not answer.exception:
                return answer
            if other.head != read.head:
                self._doubts.clear(read.unit)
            else:
                answers.append(answer)
        if before:
            self._clean = False  # where the first answer was a late one, the last is still to come
        if len({answer.data for answer in answers if isinstance(answer, Reply)}) > 1:
            self._doubts.renew(read, self._clock.monotonic())
        return answers[-1]

    async def _exchange(self, read: Read, timeout_s: float) -> Answer:
        """Sends one request and waits for its reply."""
        await self._wait_for_silence(read.unit)
        if self._wire is None:
            return self._failure(Reason.NOT_CONNECTED, self.why)
        self._doubts.note(read, self._clock.monotonic())
        self._clean, self._unit = False, read.unit  # so they stay where the caller is cancelled
        request = self._framer.frame(read.body)
        wire_s = self._char_s * (len(request) + len(self._framer.frame(read.head)) + read.nbytes)
        self._wire.write(request)
        body = await self._reply(read, self._loop.time() + timeout_s + wire_s)
        if body is None:
            return self._nothing(read)
        self._clean = not self._stream
        self._watch.heard()
        answer = read.answer_to_body(body, self._heard_ns)
        if isinstance(answer, Reply):
            self._doubts.answered(read)
        else:
            self._doubts.refused(read)
        return answer

    async def _reply(self, read: Read, deadline: float) -> bytes | None:
        """The body of the reply; None where the time or the line is over."""
        while self._wire is not None:
            if self._stream and (found := self._framer.find(self._stream, read)):
                body, end = found
                self._stream = self._stream[end:]
                return body
            until = min(deadline, self._heard_at + self._quiet_s) if self._stream else deadline
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return None

    def _nothing(self, read: Read) -> Failure:
        """What it means that no reply came."""
        if self._wire is None:
            return self._failure(Reason.NOT_CONNECTED, self.why)
        self._watch.missed(read.unit)
        if not self._stream:
            failure = self._failure(Reason.TIMEOUT, f"no answer for {read}")
        elif (body := self._framer.only_body(self._stream)) is not None:
            answer = read.answer_to_body(body, self._heard_ns)
            text = answer.text if isinstance(answer, Failure) else f"no answer for {read}"
            failure = self._failure(Reason.BAD_REPLY, text)
        else:
            text = f"{len(self._stream)} bytes that are no answer for {read}"
            failure = self._failure(Reason.BAD_REPLY, text)
        if self._may_be_gone and self._watch.is_gone(self.units):
            self.close(f"no answer to {self._watch.misses} requests in a row")
        return failure

    async def _wait_for_silence(self, unit: int) -> None:
        """Keeps the gap between frames; a line that is not clean must first be silent for long enough."""
        if self._clean and not self._stream:
            manners = self.manners
            gap = max(self._gap_s, manners.pause_s, manners.turnaround_s if unit != self._unit else 0.0)
            if gap:
                await self._clock.sleep(gap)
            if not self._stream:
                return
        for _ in range(_BABBLES):
            heard_at = self._heard_at
            await asyncio.sleep(self._quiet_s)
            if heard_at == self._heard_at or self._wire is None:
                break
        else:
            self.close("the line does not fall silent")
        self.strays += bool(self._stream)
        self._stream = b""

    def _failure(self, reason: Reason, text: str) -> Failure:
        return Failure(reason, text, self._clock.wall_ns())

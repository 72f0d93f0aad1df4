"""One connection to a Modbus TCP server (TLS, UDP): requests out in order, each reply to the read it belongs to."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from adapters.modbus.frames import Answer, Failure, GarbageError, Read, Reply, split, transaction_of
from adapters.modbus.manners import MISSES_IN_A_ROW, Manners, Watch
from adapters.modbus.overdue import Overdue
from gateway.model import Reason

_IDLE_S, _INTERVAL_S, _PROBES = 10, 5, 3  # TCP keepalive: a dead peer is noticed within half a minute


@dataclass(slots=True, eq=False)
class _Round:
    """The reads that one caller waits for together."""

    reads: Sequence[Read]
    timeout_s: float
    future: "asyncio.Future[list[Answer]]"
    answers: list[Answer | None]
    open: int
    misses: int = 0
    replied: bool = False

    def settle(self, index: int, answer: Answer) -> None:
        """Enters the answer to one read; the caller goes on when the last is there."""
        self.answers[index] = answer
        self.replied |= isinstance(answer, Reply) or answer.exception > 0
        self.open -= 1
        if not self.open and not self.future.done():
            self.future.set_result(cast("list[Answer]", self.answers))


@dataclass(frozen=True, slots=True)
class _InFlight:
    round: _Round
    index: int
    deadline: float

    def settle(self, answer: Answer) -> None:
        self.round.settle(self.index, answer)


@dataclass(frozen=True, slots=True)
class _Held:
    """A reply that came while others were owed: good once those have come too."""

    entry: _InFlight
    reply: Reply
    owed: set[int]


class Connection(asyncio.Protocol):
    """Reads at most `manners.depth` at a time; closes itself when stream or other side cannot be trusted any more.

    A reply is matched by its transaction id, then checked in every field by `Read.answer`. What matches no open
    transaction (late, foreign) is dropped and counted in `strays`. A reply that is cut short is filled up with the
    bytes of replies behind it, which are then missing: so a reply is handed on when every request that was under way
    with it has been answered too, and is bad when one of them was not; and one that holds the head of a late reply
    closes the connection (see `Overdue`). At depth 1, with nothing late, nothing comes behind it in time.
    """

    _may_run_together = True  # frames follow each other in a stream, without a border

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self.manners = Manners()
        self.units = 1  # how many units share this connection
        self.strays = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.why = "closed"
        self._wall_ns = wall_ns
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._stream = b""
        self._transaction = 0
        self._waiting: deque[tuple[_Round, int]] = deque()
        self._in_flight: dict[int, _InFlight] = {}
        self._held: list[_Held] = []
        self._overdue = Overdue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._ready_at = 0.0
        self._watch = Watch()

    @property
    def is_open(self) -> bool:
        """Whether reads can be sent."""
        return self._transport is not None

    async def read(self, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        """The answers to these reads, in their order; never raises for what the other side does.

        reads: sent in order, behind those that others are waiting for
        timeout_s: for each read, from the moment it is sent
        """
        if not reads:
            return []
        waiting = _Round(reads, timeout_s, self._loop.create_future(), [None] * len(reads), len(reads))
        self._waiting.extend((waiting, index) for index in range(len(reads)))
        if self.is_open:
            self._send()
        else:
            self._fail_all(Reason.NOT_CONNECTED)
        return await waiting.future

    def close(self, why: str = "closed", reason: Reason = Reason.NOT_CONNECTED) -> None:
        """Drops the connection; everything that waits for an answer fails at once with `reason`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self.why = why
            transport.abort()
        self._fail_all(reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        notice_death(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._transport is not None:
            self.why = str(exc) if exc else "the device closed the connection"
            self._transport = None
        self._fail_all(Reason.NOT_CONNECTED)
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: the arrival that values are stamped with."""
        time_ns = self._wall_ns()
        torn = bool(self._stream)
        try:
            frames, self._stream = split(self._stream + data if torn else data)
        except GarbageError as exc:
            self.close(f"the device sent {exc}", Reason.BAD_REPLY)
            return
        if self._overdue and not self._can_be_believed(frames, torn):
            self.close("the device sent a reply that may have been cut short", Reason.BAD_REPLY)
            return
        for frame in frames:
            self._accept(frame, time_ns)
        self._send()

    def _can_be_believed(self, frames: Sequence[bytes], torn: bool) -> bool:
        """Whether none of these frames, the first of which may have come in pieces, was filled up by a late reply."""
        last = len(frames) - 1
        return not any(
            transaction_of(frame) in self._in_flight
            and self._overdue.may_fill(frame, torn=(torn and i == 0) or (bool(self._stream) and i == last))
            for i, frame in enumerate(frames)
        )

    def _accept(self, frame: bytes, time_ns: int) -> None:
        transaction = transaction_of(frame)
        entry = self._in_flight.pop(transaction, None)
        if entry is None:
            self.strays += 1
            self._overdue.came(transaction)
            return
        answer = entry.round.reads[entry.index].answer(frame, time_ns)
        if self.manners.pause_s:
            self._ready_at = self._loop.time() + self.manners.pause_s
        fits = isinstance(answer, Reply) or answer.exception > 0
        if fits:
            self._watch.heard()
        if self._held:
            self._release(transaction, fits)
        if self._in_flight and isinstance(answer, Reply) and self._may_run_together:
            entry.round.replied = True
            self._held.append(_Held(entry, answer, set(self._in_flight)))
        else:
            entry.settle(answer)

    def _release(self, transaction: int, came: bool) -> None:
        """Hands on the held replies that waited for this transaction last; if it never came, they may contain it."""
        still: list[_Held] = []
        for held in self._held:
            if came:
                held.owed.discard(transaction)
            elif transaction in held.owed:
                text = "a reply may have been cut short, one sent with it is missing: lower `pipeline` if this goes on"
                held.entry.settle(Failure(Reason.BAD_REPLY, text, held.reply.time_ns))
                continue
            if held.owed:
                still.append(held)
            else:
                held.entry.settle(held.reply)
        self._held = still

    def _send(self) -> None:
        """Sends what waits, as far as `depth` and `pause` allow, in one write."""
        if self._transport is None:
            return
        requests: list[bytes] = []
        now = self._loop.time()
        manners = self.manners
        if manners.pause_s and now < self._ready_at and self._waiting:
            self._wake_at(self._ready_at)
            return
        depth = 1 if manners.pause_s else manners.depth
        while self._waiting and len(self._in_flight) < depth:
            waiting, index = self._waiting.popleft()
            if waiting.future.done():  # the caller was cancelled
                continue
            transaction = self._next_transaction()
            self._in_flight[transaction] = _InFlight(waiting, index, now + waiting.timeout_s)
            requests.append(waiting.reads[index].request(transaction))
            self._wake_at(now + waiting.timeout_s)
        if requests:
            self._write(requests)

    def _write(self, requests: list[bytes]) -> None:
        cast("asyncio.Transport", self._transport).write(b"".join(requests))

    def _next_transaction(self) -> int:
        """From 1 to 65535 and round again: never 0, which some devices answer with whatever was asked."""
        self._transaction = self._transaction % 0xFFFF + 1
        while self._transaction in self._in_flight:
            self._transaction = self._transaction % 0xFFFF + 1
        return self._transaction

    def _wake_at(self, deadline: float) -> None:
        """One timer serves all: it is left standing when replies come in time, and moved on when it fires."""
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        late = [key for key, entry in self._in_flight.items() if entry.deadline <= now]
        for key in late:
            self._miss(key, self._in_flight.pop(key))
        if late and self._must_close():
            return
        self._send()
        if self._in_flight:
            self._wake_at(min(entry.deadline for entry in self._in_flight.values()))

    def _miss(self, transaction: int, entry: _InFlight) -> None:
        """A read without an answer; when a device has missed two and answered none, the rest is not asked."""
        read, waiting = entry.round.reads[entry.index], entry.round
        self._overdue.add(transaction, read)
        if self._held:
            self._release(transaction, came=False)
        self._watch.missed(read.unit)
        waiting.misses += 1
        entry.settle(Failure(Reason.TIMEOUT, f"no answer for {read}", self._wall_ns()))
        if waiting.misses >= MISSES_IN_A_ROW and not waiting.replied:
            self._give_up(waiting, Reason.TIMEOUT)

    def _must_close(self) -> bool:
        """Closes where half a frame stands in the stream, or where not just one of several units is silent."""
        if self._stream:
            self.close("the device sent half a frame", Reason.BAD_REPLY)
        elif self._watch.is_gone(self.units):
            self.close(f"no answer to {self._watch.misses} requests in a row", Reason.TIMEOUT)
        return not self.is_open

    def _give_up(self, waiting: _Round, reason: Reason) -> None:
        """Fails what a round has not sent yet."""
        unsent = [index for other, index in self._waiting if other is waiting]
        self._waiting = deque(item for item in self._waiting if item[0] is not waiting)
        for index in unsent:
            waiting.settle(index, Failure(reason, "not asked: the device is silent", self._wall_ns()))

    def _fail_all(self, reason: Reason) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._wall_ns()
        held = [(held.entry.round, held.entry.index) for held in self._held]
        open_reads = [(entry.round, entry.index) for entry in self._in_flight.values()] + list(self._waiting)
        self._in_flight.clear()
        self._waiting.clear()
        self._held.clear()
        for waiting, index in held + open_reads:
            waiting.settle(index, Failure(reason, self.why, now))


class DatagramConnection(Connection, asyncio.DatagramProtocol):
    """The same over UDP: one frame in each datagram; one that is anything else is dropped as a stray."""

    _may_run_together = False

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Called by the event loop: the arrival that values are stamped with."""
        time_ns = self._wall_ns()
        try:
            frames, rest = split(data)
        except GarbageError:
            frames, rest = [], data
        if len(frames) != 1 or rest:
            self.strays += 1
            return
        self._accept(frames[0], time_ns)
        self._send()

    def error_received(self, exc: Exception) -> None:
        """Called by the event loop: the network says that nobody is there."""
        self.close(str(exc))

    def _write(self, requests: list[bytes]) -> None:
        transport = cast("asyncio.DatagramTransport", self._transport)
        for request in requests:
            transport.sendto(request)


def notice_death(transport: asyncio.BaseTransport) -> None:
    """Sends small requests at once, and lets the system notice a peer that is gone."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.type != socket.SOCK_STREAM:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)

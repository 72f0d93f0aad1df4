"""Messages between the connection that receives them and the source that takes them, bounded and in order."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

UNPROMISED_LIMIT: Final = 10_000  # waiting messages above which those of QoS 0 are dropped
UNPROMISED_BYTES: Final = 16 * 2**20
STEP_NS: Final = 1_000_000
STAMPED_TOPICS: Final = 10_000
LEAD_NS: Final = 60_000_000_000  # the furthest that stamps of a backlog may run ahead of the clock


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came in; `time_ns` is UTC of its arrival, at least 1 ms after the one before of its topic."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    time_ns: int


class Inbox:
    """Holds what has arrived. The broker's window bounds QoS 1; QoS 0 is dropped, and counted, when it overflows.

    is_open  a connection stands
    dropped  messages that there was no room for
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Arrived] = deque()
        self._bytes = 0
        self._stamps: dict[str, int] = {}
        self.is_open = False
        self._wanted = 1
        self._news = asyncio.Event()

    def open(self) -> None:
        """Starts empty with a new connection."""
        self._waiting.clear()
        self._bytes = 0
        self._stamps.clear()
        self.is_open = True

    def close(self) -> None:
        """Wakes the taker. Messages of QoS 1 go: the broker sends them again, and none should arrive twice."""
        self.is_open = False
        self._waiting = deque(message for message in self._waiting if message.qos == 0)
        self._bytes = sum(len(message.payload) for message in self._waiting)
        self._news.set()

    def put(self, message: Arrived) -> None:
        """Adds a message, or drops it where it is one of QoS 0 and too many wait."""
        full = len(self._waiting) >= UNPROMISED_LIMIT or self._bytes >= UNPROMISED_BYTES
        if message.qos == 0 and full:
            self.dropped += 1
            return
        self._waiting.append(self._in_turn(message))
        self._bytes += len(message.payload)
        if len(self._waiting) >= self._wanted:
            self._news.set()

    def _in_turn(self, message: Arrived) -> Arrived:
        """A backlog arrives within a millisecond, but its order says which state is the last: stamps keep it."""
        next_ns = self._stamps.get(message.topic, 0) + STEP_NS
        if 0 < next_ns - message.time_ns <= LEAD_NS:
            message = replace(message, time_ns=next_ns)
        if len(self._stamps) >= STAMPED_TOPICS:
            self._stamps.clear()
        self._stamps[message.topic] = message.time_ns
        return message

    async def take(self, limit: int, within_s: float) -> list[Arrived]:
        """Waits for a message, then until `limit` wait or `within_s` has passed; empty once closed and drained."""
        await self._until(1, None)
        await self._until(limit, within_s)
        taken = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._bytes -= sum(len(message.payload) for message in taken)
        return taken

    async def _until(self, count: int, within_s: float | None) -> None:
        if len(self._waiting) >= count or not self.is_open:
            return
        self._wanted = count
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()

"""A clock that only moves when a test says so."""

import asyncio
import heapq


class VirtualClock:
    """`ports.Clock` for tests: `advance` moves time and wakes every sleeper that is due, in order."""

    def __init__(self, wall_ns: int = 1_780_000_000_000_000_000) -> None:
        self._wall_ns = wall_ns
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def wall_ns(self) -> int:
        return self._wall_ns

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        event = asyncio.Event()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, id(event), event))
        await event.wait()

    async def advance(self, seconds: float) -> None:
        """Moves time forward, letting every sleeper run at its own moment."""
        end = self._monotonic + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, event = heapq.heappop(self._sleepers)
            self._move_to(due)
            event.set()
            await settle()
        self._move_to(end)

    def jump_wall(self, seconds: float) -> None:
        """Steps the wall clock alone, as NTP or an operator does."""
        self._wall_ns += round(seconds * 1e9)

    def _move_to(self, monotonic: float) -> None:
        self._wall_ns += round((monotonic - self._monotonic) * 1e9)
        self._monotonic = monotonic


async def settle() -> None:
    """Lets every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)

"""The system's own clock."""

import asyncio
import time


class SystemClock:
    """`ports.Clock` on the machine's real time."""

    def wall_ns(self) -> int:
        """UTC now, ns since 1970."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds since some start; never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits on the event loop."""
        await asyncio.sleep(max(0.0, seconds))

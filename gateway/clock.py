"""The system's own clock, and one that runs faster, shared with a simulated plant."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Final

_NS: Final = 1_000_000_000


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


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """`ports.Clock` that runs `speed` times as fast as the machine's steady clock.

    As text, `60x@<wall_origin_ns>@<monotonic_origin_ns>`, it is the same clock in every process of this machine until
    it boots again. Time-outs of networks are not of this clock: they stay real.

    wall_origin_ns       what it showed, UTC ns, when the machine's CLOCK_MONOTONIC stood at `monotonic_origin_ns`
    """

    speed: float
    wall_origin_ns: int
    monotonic_origin_ns: int

    @staticmethod
    def parse(text: str) -> "ScaledClock":
        """The clock that a simulated plant printed. ValueError: says what it looks like."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)x@(\d{1,19})@(\d{1,19})", text.strip())
        if not match or not float(match[1]):
            raise ValueError(
                f"{text!r} is not a clock: write what `lineside simulate --speed` prints, such as 60x@177…@123…"
            )
        return ScaledClock(float(match[1]), int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.speed:g}x@{self.wall_origin_ns}@{self.monotonic_origin_ns}"

    def _passed_ns(self) -> int:
        return round((time.monotonic_ns() - self.monotonic_origin_ns) * self.speed)

    def wall_ns(self) -> int:
        """The plant's time now, ns since 1970."""
        return self.wall_origin_ns + self._passed_ns()

    def monotonic(self) -> float:
        """Seconds of the plant's time since the origin; never jumps."""
        return self._passed_ns() / _NS

    async def sleep(self, seconds: float) -> None:
        """Returns after this time of the plant."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

"""The plant's time: the machine's steady clock, at its own pace or faster."""

import re
import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock in epoch ms that never jumps and runs `speed` times as fast as the machine's steady clock.

    Its text, `60x@<wall_origin_ns>@<monotonic_origin_ns>`, gives other processes of this machine the same clock.
    """

    speed: float
    wall_origin_ns: int
    monotonic_origin_ns: int

    @classmethod
    def from_now(cls, speed: float = 1.0, start_ms: int | None = None) -> Self:
        """A clock that starts to run now, at the wall clock's time or at `start_ms`."""
        origin_ns = time.time_ns() if start_ms is None else start_ms * 1_000_000
        return cls(speed, origin_ns, time.monotonic_ns())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`. ValueError: not such a text."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)x@(\d+)@(\d+)", text)
        if not match or not float(match[1]):
            raise ValueError(f"{text!r} is not a clock like 60x@<wall ns>@<monotonic ns>")
        return cls(float(match[1]), int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.speed:g}x@{self.wall_origin_ns}@{self.monotonic_origin_ns}"

    def __call__(self) -> int:
        """The plant's time now, epoch ms."""
        passed_ns = round((time.monotonic_ns() - self.monotonic_origin_ns) * self.speed)
        return (self.wall_origin_ns + passed_ns) // 1_000_000

    def real_s(self, plant_ms: float) -> float:
        """How long so much of the plant's time takes, in real seconds."""
        return plant_ms / 1000 / self.speed

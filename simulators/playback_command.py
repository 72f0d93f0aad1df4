"""`simulate RECORDING`: plays a recording until its end."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulators.broker import accepts, running_broker
from simulators.clock import ScaledClock
from simulators.endpoints import Tcp
from simulators.outputs import check_outputs
from simulators.playback import load_reel, play, site_of, told

BROKER: Final = Tcp("127.0.0.1", 11883)
PREFIX: Final = "playback"


@dataclass(frozen=True, slots=True)
class Playing:
    """What the command line says."""

    recording: Path
    speed: float = 1.0
    limit_s: float | None = None
    own_broker: bool = True
    site_config: Path | None = None
    broker: Tcp = BROKER


async def play_recording(wish: Playing, say: Callable[[str], object]) -> None:
    """Plays it once, or as long as it may take.

    Raises:
        ValueError, ImportError: it is no recording. OSError: a file cannot be read or written, or no broker started.
    """
    check_outputs(str(wish.recording), site_config=wish.site_config)
    reel = await asyncio.to_thread(load_reel, wish.recording)
    if wish.site_config:
        text = site_of(reel, wish.broker, PREFIX, wish.recording.name.partition(".")[0])
        await asyncio.to_thread(wish.site_config.write_text, text, "utf-8")
    async with AsyncExitStack() as stack:
        if wish.own_broker and not await accepts(wish.broker.host, wish.broker.port):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineside-broker-")))
            await stack.enter_async_context(running_broker(folder, wish.broker.port, wish.broker.host))
        clock = ScaledClock.from_now(wish.speed)
        for line in told(reel, clock, wish.broker, PREFIX):
            say(line)
        try:
            async with asyncio.timeout(wish.limit_s):
                say(f"{await play(reel, clock, wish.broker, PREFIX):,} readings are published")
        except TimeoutError:
            return

"""`lineside replay`: recordings through journal, KPIs, history and sinks, without live sources; then it ends."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from gateway.app import Gateway, open_gateway, start_core, start_stores
from gateway.clock import SystemClock
from gateway.config import Config
from gateway.health import ALIVE
from gateway.model import GOOD, Batch
from gateway.ports import Delivery
from gateway.reels import Reel, as_recorded, lacking, open_reels

_AHEAD: Final = 32  # records that the slowest consumer may lag behind
_LOOK_S: Final = 0.02
_NS_PER_MS: Final = 1_000_000
_PRODUCER: Final = "replay"


class Show(Protocol):
    """Who watches."""

    def __call__(self, done: float, at_ms: int, waiting: str) -> None:
        """done: 0 to 1 of the files; at_ms: up to when, in the recording's own time; waiting: for whom, "" nobody."""
        ...


@dataclass(slots=True)
class Replayed:
    """What became of the recordings.

    ignored  names of tags that the config does not know
    lacking  tags of the config that no recording has
    refused  readings that came too late for what was stored already
    """

    readings: int = 0
    from_ms: int = 0
    to_ms: int = 0
    ignored: set[str] = field(default_factory=set)
    lacking: list[str] = field(default_factory=list)
    refused: int = 0
    stopped: bool = False


@dataclass(slots=True)
class RecordedTime:
    """`ports.Clock` whose wall clock is the newest reading: how long things are kept counts from there."""

    newest_ns: int = 0
    _real: SystemClock = field(default_factory=SystemClock)

    def wall_ns(self) -> int:
        """See `ports.Clock`."""
        return self.newest_ns

    def monotonic(self) -> float:
        """See `ports.Clock`."""
        return self._real.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `ports.Clock`."""
        await self._real.sleep(seconds)


async def replay(config: Config, files: Sequence[Path], stop: asyncio.Event, show: Show) -> Replayed:
    """Delivers the recordings in the order of their times and returns when every consumer has them.

    Args:
        config: of the site; its live sources are not connected. Its replay sources are read too.
        files: recordings whose tags have the names of the config's.
        stop: set it to end early; what was delivered until then is kept.
        show: called a few times a second.

    Raises:
        Unusable: a recording, the journal or a data file cannot be used.
    """
    with ExitStack() as open_files:
        reels = await asyncio.to_thread(open_reels, config, files, open_files)
        result = Replayed(lacking=lacking(config, reels))
        async with AsyncExitStack() as stack:
            clock = RecordedTime()
            gateway = await open_gateway(as_recorded(config, reels), clock, stack)
            await gateway.journal.register([ALIVE])
            async with asyncio.TaskGroup() as tasks:
                start_core(gateway, tasks)
                start_stores(gateway, tasks)
                await _Player(gateway, clock, result, stop, show, reels).play()
                await gateway.stop_sources()
                for task in gateway.other_tasks:
                    task.cancel()
        for reel in reels:
            result.ignored |= reel.reader.ignored
    return result


@dataclass(slots=True)
class _Player:
    """Feeds the journal, never further ahead than its consumers can follow."""

    gateway: Gateway
    clock: RecordedTime
    result: Replayed
    stop: asyncio.Event
    show: Show
    reels: Sequence[Reel]
    _life: Callable[[Batch], Batch] = field(init=False)

    def __post_init__(self) -> None:
        proven = any(ALIVE.name in reel.wanted for reel in self.reels)
        self._life = (lambda batch: batch) if proven else self._with_life

    async def play(self) -> None:
        """Everything, until the last consumer has it or `stop` is set."""
        tags, journal = self.gateway.journal.tags, self.gateway.journal
        async for batch in _in_order([reel.pages(tags.id_of) for reel in self.reels]):
            self._count(batch)
            await journal.append(Delivery(self._life(batch)), _PRODUCER)
            if not await self._followed(_AHEAD):
                self.result.stopped = True
                return
        for _ in range(2):  # what the engine makes of it goes the same way
            await journal.flush()
            self.result.stopped = not await self._followed(0)
            if self.result.stopped:
                return
            await self.gateway.engine.flush()
        self.result.refused = self.gateway.engine.refused()
        self._tell("")

    def _count(self, batch: Batch) -> None:
        first_ms, last_ms = (int(edge) // _NS_PER_MS for edge in (batch.time_ns.min(), batch.time_ns.max()))
        self.result.from_ms = min(self.result.from_ms, first_ms) if self.result.readings else first_ms
        self.result.to_ms = max(self.result.to_ms, last_ms)
        self.result.readings += len(batch)
        self.clock.newest_ns = max(self.clock.newest_ns, int(batch.time_ns.max()))

    def _with_life(self, batch: Batch) -> Batch:
        """A recording without proof of life vouches for the time that it covers."""
        known_ms = self.gateway.engine.presence_ms()
        newest_ns = int(batch.time_ns.max())
        if known_ms is not None and newest_ns // _NS_PER_MS <= known_ms:
            return batch
        return Batch(
            np.append(batch.tag, np.int32(self.gateway.journal.tags.id_of(ALIVE.name))),
            np.append(batch.time_ns, newest_ns),
            np.append(batch.value, 1.0),
            np.append(batch.quality, np.uint8(GOOD)),
            batch.texts,
        )

    async def _followed(self, behind: int) -> bool:
        """Returns when no consumer is further behind than so many records; False: told to stop before."""
        while not self.stop.is_set():
            journal = self.gateway.journal
            late = [link for link in self.gateway.health.consumers if journal.newest - link.position > behind]
            self._tell(", ".join(link.name if link.up else f"{link.name} ({link.reason})" for link in late))
            if not late:
                return True
            await self.clock.sleep(_LOOK_S)
        return False

    def _tell(self, waiting: str) -> None:
        done = sum(reel.reader.done for reel in self.reels) / len(self.reels)
        self.show(min(done, 1.0), self.result.to_ms, waiting)


async def _in_order(readers: Sequence[Iterator[Batch]]) -> AsyncIterator[Batch]:
    """Batches of several recordings: always the one that begins first."""
    heads: list[tuple[int, int, Batch]] = []
    waiting = list(enumerate(readers))
    while waiting or heads:
        for place, pages in waiting:
            batch = await asyncio.to_thread(next, pages, None)
            while batch is not None and not len(batch):
                batch = await asyncio.to_thread(next, pages, None)
            if batch is not None:
                heapq.heappush(heads, (int(batch.time_ns[0]), place, batch))
        if not heads:
            return
        _, place, batch = heapq.heappop(heads)
        waiting = [(place, readers[place])]
        yield batch

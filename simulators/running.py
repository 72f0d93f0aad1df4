"""A scenario as a running plant with all its faces."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.api import serve_truth
from simulators.clock import ScaledClock
from simulators.endpoints import Tcp
from simulators.faces import Faces, Stage, faces_up, workers
from simulators.fault_board import FaultBoard
from simulators.faults import Fault
from simulators.live import Live
from simulators.plant import Plant
from simulators.scenario import Scenario

FLUSH_WITHIN_S = 10.0
_SAME_MS = 1000


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a scenario is run.

    folder        of the scenario's file: its own profiles are beside it
    own_broker    where a broker of our own keeps its data, should the scenario's not be there; None: never start one
    hidden_share  of the parts, which the faces keep quiet about
    start_ms      the plant's time at the beginning, epoch ms; None: it is now there, too
    """

    folder: Path
    own_broker: Path | None = None
    seed: int | None = None
    speed: float = 1.0
    hidden_share: float = 0.0
    api: Tcp | None = None
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A plant that lives; it stands idle until `live.start()`."""

    scenario: Scenario
    live: Live
    faces: Faces
    clock: ScaledClock
    api: str | None

    @property
    def own_time(self) -> bool:
        """Whether the plant's time is not that of the wall clock: who reads it must share its clock."""
        return self.clock.speed != 1 or abs(self.clock() - time.time_ns() // 1_000_000) > _SAME_MS

    async def freeze(self) -> tuple[int, int]:
        """Stop the plant's time; returns when, and how many messages brokers did not take."""
        at_ms = self.live.freeze()
        return at_ms, await self.faces.flush(FLUSH_WITHIN_S)


@asynccontextmanager
async def running(scenario: Scenario, options: RunOptions) -> AsyncIterator[Running]:
    """The plant and its faces while the context is open.

    Raises:
        OSError: an address cannot be listened on. ProfileError: a unit's profile does not fit.
    """
    if options.seed is not None:
        scenario = scenario.model_copy(update={"seed": options.seed})
    clock = ScaledClock.from_now(options.speed, options.start_ms)
    plant = Plant(scenario, clock())
    live = Live(plant, clock, options.hidden_share, options.speed)
    ledger = plant.ledger

    def book(fault: Fault) -> None:
        ledger.fault(fault.kind, fault.on, fault.from_ms, fault.to_ms, fault.effect)

    board = FaultBoard(scenario.faults, scenario.targets, scenario.seed, plant.now_ms, book)
    stage = Stage(scenario, live, board, options.folder, options.own_broker, options.speed)
    async with workers() as go, faces_up(stage) as faces, serve_truth(live, options.api) as api:
        go(live.run, "plant")
        yield Running(scenario, live, faces, clock, api)


async def until(seconds: float | None, stop: asyncio.Event) -> None:
    """Wait until `stop` is set, or so long."""
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            await stop.wait()
    except TimeoutError:
        return

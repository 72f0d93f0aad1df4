"""A simulated plant as a process of its own, Lineside beside it on the same fast clock: what each knows at the end."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.app import Gateway, run
from gateway.clock import ScaledClock
from gateway.config import load, models
from gateway.demo.compare import Line
from gateway.demo.measure import EnergyMeter, compare_asset
from gateway.demo.plant import Simulator, scenario_file, simulator
from gateway.kpi.asset import AssetModel
from gateway.kpi.between import Between
from gateway.kpi.query import KpiReader, Segment
from simulators.broker import free_port
from simulators.ledger import Ledger

STEP_MS = 250
REAL_SLACK_S = 0.6  # how long a message may be on its way on a busy machine
_MADE = frozenset({"state", "total", "good"})
_LAST_READS, _LAST_READS_S = 2.2, 1.0


@dataclass(frozen=True, slots=True)
class Stage:
    """How a plant is run: times are the plant's.

    scenario  the text of a scenario's file; its addresses are replaced by free ones
    begin     its time at the beginning; None: now
    edit      what the site config of the plant is changed to
    options   of `python -m simulators run`
    tail_min  so long Lineside stays when the plant has stopped: until windows are closed
    every     only every so many assets are looked at
    """

    scenario: str
    speed: float
    minutes: float
    begin: str | None = None
    edit: Callable[[str], str] = str
    options: tuple[str, ...] = ()
    tail_min: float = 0.0
    every: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What Lineside knows of one asset; `lines`: beside the truth, where nothing went wrong.

    span, between  from its first fact (of the role that came last) to its last one
    working        from the moment at which the machines began
    longest_ms     between two reads of its state while they worked; 0 where it says each change itself
    """

    model: AssetModel
    span: tuple[int, int]
    between: Between
    working: Between
    segments: Sequence[Segment]
    lines: Sequence[Line]
    longest_ms: int

    @property
    def poll_ms(self) -> int:
        """Between two reads of its state; 0 where it says each change itself."""
        hold = self.model.bindings["state"].hold
        return hold.period_ms if hold.polled else 0

    @property
    def in_time(self) -> bool:
        """Whether no poll came late, and no message took long on a busy machine."""
        return self.tells_times or 0 < self.longest_ms <= 1.02 * self.poll_ms

    @property
    def tells_times(self) -> bool:
        """Whether what it says carries its own time."""
        return self.model.bindings["state"].hold.source_time


@dataclass(frozen=True, slots=True)
class Lived:
    """Both sides at the end; `database` is Lineside's kpi.db; the machines began to work at `began_ms`."""

    speed: float
    began_ms: int
    ledger: Ledger
    database: Path
    ready: Mapping[str, dict[str, float]]
    assets: Mapping[str, Seen]

    @property
    def slack_ms(self) -> float:
        """What a busy machine may add to the way of a message."""
        return 1000 * REAL_SLACK_S * self.speed

    def late_ms(self, asset: str) -> float:
        """Until when a change of state is known."""
        seen = self.assets[asset]
        return STEP_MS if seen.tells_times else seen.longest_ms or self.slack_ms

    @property
    def machines(self) -> dict[str, Seen]:
        """The assets that are machines of the plant."""
        return {name: seen for name, seen in self.assets.items() if name in self.ledger.machines}


def shipped(name: str) -> str:
    """The text of a shipped scenario."""
    return scenario_file(name).read_text(encoding="utf-8")


async def lived(folder: Path, stage: Stage) -> Lived:
    """Runs the plant and Lineside until the plant's time is over, and compares."""
    scenario, config, truth = folder / "plant.yaml", folder / "site.yaml", folder / "truth.json"
    broker = f"mqtt://127.0.0.1:{free_port()}"
    text = re.sub(r"tcp://127\.0\.0\.1:\d+", "tcp://127.0.0.1:0", stage.scenario)
    scenario.write_text(re.sub(r"mqtt://127\.0\.0\.1:\d+", broker, text))
    begin = ("--from", stage.begin) if stage.begin else ()
    arguments = ("run", str(scenario), "--driven", "--wait", "--speed", f"{stage.speed:g}", *begin, *stage.options)
    files = ("--ledger", str(truth), "--site-config", str(config))
    async with simulator(folder / "plant.log", *arguments, *files) as plant:
        told = stage.edit(config.read_text()).partition("\nboard:")[0] + "\nboard: { enabled: false }\n"
        config.write_text(told)
        checked = await asyncio.to_thread(load, config)
        stop, clock = asyncio.Event(), ScaledClock.parse(str(plant.ready["clock"]))
        found: list[Lived] = []

        async def watch(gateway: Gateway) -> None:
            await _all_read(gateway)
            began_ms: int = (await plant.ask("start"))["at_ms"]
            await clock.sleep(60 * stage.minutes)
            await plant.ask("freeze")
            await asyncio.sleep(_LAST_READS_S)
            await clock.sleep(_LAST_READS * _longest_s(gateway))
            await clock.sleep(60 * stage.tail_min)
            await gateway.stop_sources()
            await gateway.caught_up("kpi")
            await gateway.engine.flush()
            ledger = await asyncio.to_thread(Ledger.load, truth)
            database = checked.data_file("kpi.db")
            assets = await _assets(gateway, plant, ledger, began_ms, stage.every)
            found.append(Lived(stage.speed, began_ms, ledger, database, plant.ready, assets))
            stop.set()

        await run(checked, stop, watch, clock)
    return found[0]


def _longest_s(gateway: Gateway) -> float:
    """The longest period of any poll."""
    assets = models(gateway.config.root, gateway.journal.tags).values()
    return max(binding.hold.period_ms for model in assets for binding in model.bindings.values()) / 1000


async def _all_read(gateway: Gateway) -> None:
    async with asyncio.timeout(30):
        while not all(source.readings for source in gateway.health.sources):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _assets(gateway: Gateway, plant: Simulator, ledger: Ledger, began_ms: int, every: int) -> dict[str, Seen]:
    reader, found = KpiReader(gateway.config.data_file("kpi.db")), {}
    for name, model in list(models(gateway.config.root, gateway.journal.tags).items())[::every]:
        roles = await gateway.engine.spans(name)
        span = max(first for first, _ in roles.values()), max(last for _, last in roles.values())
        lines: list[Line] = []
        if name in ledger.machines and model.bindings.keys() >= _MADE and not ledger.faults:
            step, share = (plant.ready[what].get(name, 0.0) for what in ("energy_step_kwh", "energy_accuracy"))
            lines = await compare_asset(gateway, ledger, model, EnergyMeter(step, share))
        between = await gateway.engine.between(name, *span)
        working = await gateway.engine.between(name, began_ms, max(span[1], ledger.until_ms))
        segments = await asyncio.to_thread(reader.segments, name, began_ms, span[1])
        read_ms = await asyncio.to_thread(_reads, reader, model, began_ms, ledger.until_ms)
        found[name] = Seen(model, span, between, working, segments, lines, int(np.max(np.diff(read_ms), initial=0)))
    reader.close()
    return found


def _reads(reader: KpiReader, model: AssetModel, from_ms: int, to_ms: int) -> NDArray[np.int64]:
    """When a polled state was read, the reads around the range with it; nothing where it says each change itself."""
    if "state" not in model.bindings or not model.bindings["state"].hold.polled:
        return np.array([], np.int64)
    period_ms = 3 * model.bindings["state"].hold.period_ms
    series = reader.facts(model.name, "state", from_ms - period_ms, to_ms + period_ms)
    return series.time_ms[series.usable]

"""The demo: starts plant and broker, runs the gateway, shows the live table, and compares with the truth."""

import asyncio
import json
import logging
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.live import Live

from gateway.app import Gateway, run
from gateway.clock import ScaledClock, SystemClock
from gateway.config import Config, load, models
from gateway.demo.compare import Line, comparison_table, for_scripts
from gateway.demo.measure import EnergyMeter, compare_asset
from gateway.demo.plant import (
    DemoError,
    Simulator,
    addresses_in,
    free_addresses,
    localized,
    scenario_file,
    simulator,
)
from gateway.demo.table import live_table
from simulators.ledger import Ledger

_PRESS_01, _PRESS_02, _MQTT, _BOARD = "127.0.0.1:15021", "127.0.0.1:15022", "127.0.0.1:11883", "127.0.0.1:8080"
_FIRST_FACTS_S = 4.0
_LAST_READS_S = 2.0
_TABLE_EVERY_S = 1.0
_REAL = SystemClock()
"""People and networks live in real time, whatever the plant's is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Which plant is shown, and in which time.

    scenario    `demo` has the config that is shipped with it; for every other one the plant writes a config
    speed       of the plant's time, which the gateway shares
    begin       the plant's time at the beginning
    hide_parts  share of its parts that the plant keeps quiet about
    """

    scenario: str = "demo"
    speed: float = 1.0
    begin: str | None = None
    hide_parts: float = 0.0

    @property
    def options(self) -> tuple[str, ...]:
        """For the plant's command line."""
        begin = ("--from", self.begin) if self.begin else ()
        return ("--driven", "--wait", "--hide-parts", str(self.hide_parts), "--speed", f"{self.speed:g}", *begin)


async def run_demo(stop: asyncio.Event, limit_s: float | None, stage: Stage, *, as_json: bool) -> int:
    """Runs until `stop` is set or for `limit_s` seconds of real time; then compares with the plant's ledger.

    Returns the exit code: 0, or 1 where a tolerance is exceeded. DemoError: the demo cannot run.
    """
    console = Console(stderr=as_json)
    if not as_json:
        logging.getLogger("lineside").setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineside-demo-")))
        prepare = _shipped if stage.scenario == "demo" else _any
        config, plant, board = await prepare(stack, folder, stage)
        console.print(f"board: {board}   (Ctrl-C ends the demo)", markup=False)
        demo = _Demo(config, plant, folder / "ledger.json", board, console, limit_s)
        own_time = stage.speed != 1 or stage.begin is not None
        clock = ScaledClock.parse(plant.ready["clock"]) if own_time else SystemClock()
        await run(config, stop, lambda gateway: demo.watch(gateway, stop), clock)
    return 0 if limit_s is None else _report(demo.lines, console, as_json=as_json)


@dataclass(slots=True)
class _Demo:
    """What a demo consists of while it runs."""

    config: Config
    plant: Simulator
    ledger: Path
    board: str
    console: Console
    limit_s: float | None
    lines: list[Line] = field(default_factory=list)

    async def watch(self, gateway: Gateway, stop: asyncio.Event) -> None:
        """Shows the live table; at the end of the time freezes the plant, reads everything once more, compares."""
        await self._start_plant(gateway)
        deadline = None if self.limit_s is None else _REAL.monotonic() + self.limit_s
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while deadline is None or _REAL.monotonic() < deadline:
                live.update(live_table(await gateway.snapshot(), self.board), refresh=True)
                left = _TABLE_EVERY_S if deadline is None else min(_TABLE_EVERY_S, deadline - _REAL.monotonic())
                await _REAL.sleep(left)
        self.lines = await self._compare(gateway)
        stop.set()

    async def _start_plant(self, gateway: Gateway) -> None:
        """The machines stand idle until every source is read, so that each role's first fact is before the start."""
        deadline = _REAL.monotonic() + _FIRST_FACTS_S
        while _REAL.monotonic() < deadline and not all(source.readings for source in gateway.health.sources):
            await _REAL.sleep(0.05)
        await self.plant.ask("start")

    async def _compare(self, gateway: Gateway) -> list[Line]:
        answer = await self.plant.ask("freeze")
        if answer["unsent"]:
            raise DemoError(f"the broker did not take {answer['unsent']} messages of the plant")
        await _REAL.sleep(_LAST_READS_S)
        await gateway.stop_sources()
        await gateway.caught_up("kpi")
        ledger = await asyncio.to_thread(Ledger.load, self.ledger)
        lines = []
        for model in models(self.config.root, gateway.journal.tags).values():
            if model.name in ledger.machines and {"state", "total", "good"} <= model.bindings.keys():
                lines += await compare_asset(gateway, ledger, model, self._energy(model.name))
        return lines

    def _energy(self, asset: str) -> EnergyMeter:
        step = self.plant.ready["energy_step_kwh"].get(asset, 0.0)
        return EnergyMeter(step, self.plant.ready["energy_accuracy"].get(asset, 0.0))


async def _shipped(stack: AsyncExitStack, folder: Path, stage: Stage) -> tuple[Config, Simulator, str]:
    """Starts broker and plant on the shipped config's addresses, or on free ones where these are in use."""
    shipped, site, scenario = Path(str(files("configs"))), folder / "site.yaml", folder / "plant.yaml"
    used = await asyncio.to_thread(free_addresses, (_PRESS_01, _PRESS_02, _MQTT, _BOARD))
    await asyncio.to_thread(localized, shipped / "demo.yaml", site, used)
    await asyncio.to_thread(localized, shipped / "scenarios" / "demo.yaml", scenario, used)
    port = used[_MQTT].rpartition(":")[2]
    await stack.enter_async_context(
        simulator(folder / "broker.log", "broker", "--dir", str(folder / "broker"), "--port", port)
    )
    options = (*stage.options, "--no-broker", "--ledger", str(folder / "ledger.json"))
    plant = await stack.enter_async_context(simulator(folder / "plant.log", "run", str(scenario), *options))
    return await asyncio.to_thread(load, site), plant, f"http://{used[_BOARD]}/"


async def _any(stack: AsyncExitStack, folder: Path, stage: Stage) -> tuple[Config, Simulator, str]:
    """Starts a plant on its scenario's addresses, or on free ones, and takes the config that it writes."""
    file, site, scenario = scenario_file(stage.scenario), folder / "site.yaml", folder / "plant.yaml"
    used = await asyncio.to_thread(free_addresses, (*addresses_in(file), _BOARD))
    await asyncio.to_thread(localized, file, scenario, used)
    options = (*stage.options, "--site-config", str(site), "--ledger", str(folder / "ledger.json"))
    plant = await stack.enter_async_context(simulator(folder / "plant.log", "run", str(scenario), *options))
    await asyncio.to_thread(localized, site, site, {_BOARD: used[_BOARD]})
    return await asyncio.to_thread(load, site), plant, f"http://{used[_BOARD]}/"


def _report(lines: list[Line], console: Console, *, as_json: bool) -> int:
    if not lines:
        console.print("stopped before the comparison")
        return 1
    if as_json:
        print(json.dumps(for_scripts(lines), indent=2))
    else:
        console.print()
        console.print(comparison_table(lines))
    return 0 if all(line.ok for line in lines) else 1

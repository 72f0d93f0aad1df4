"""`run SCENARIO`: the plant for people at a terminal, for scripts, and for programs that drive it by lines."""

import asyncio
import gc
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live as Screen

from simulators.console import answer, commands, stopped
from simulators.endpoints import Tcp
from simulators.export import save_csv, save_parquet
from simulators.ledger import Ledger
from simulators.outputs import check_outputs
from simulators.resolution import energy_accuracies, energy_steps
from simulators.running import Running, RunOptions, running, until
from simulators.scenario import load_scenario
from simulators.scenario_file import shipped
from simulators.screen import machine_table, opening, told
from simulators.site_config import site_config

_TABLE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says.

    driven  commands come as lines on stdin, answers go as JSON lines to stdout
    wait    the machines stand idle until `start` comes
    begin   the plant's time at the beginning, as local time
    always  nobody keeps to the calendar: the plant works around the clock
    """

    scenario: str
    seed: int | None = None
    limit_s: float | None = None
    ledger: Path | None = None
    parquet: bool = False
    speed: float = 1.0
    own_broker: bool = True
    api: Tcp | None = None
    driven: bool = False
    wait: bool = False
    hidden_share: float = 0.0
    site_config: Path | None = None
    begin: str | None = None
    always: bool = False

    @property
    def folder(self) -> Path:
        """Where the scenario's own profiles are: beside its file."""
        path = Path(self.scenario)
        return path.parent if path.is_file() else Path()


async def run(wish: Wish) -> None:
    """Run until the end of stdin or a signal (driven), Ctrl-C, or the limit; then save the ledger.

    Raises:
        ScenarioError, ProfileError: the scenario cannot be run. ValueError: no site config fits it. OSError: an address
        cannot be listened on, or a file cannot be written, which is said before the plant begins.
    """
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # a client that leaves in the middle is no error
    check_outputs(wish.scenario, wish.ledger, wish.site_config, parquet=wish.parquet)
    scenario = load_scenario(wish.scenario)
    if wish.always:
        scenario = scenario.model_copy(update={"calendar": None})
    begin_ms = scenario.moment_ms(wish.begin) if wish.begin else None
    with tempfile.TemporaryDirectory(prefix="lineside-plant-") as scratch:
        broker = Path(scratch) if wish.own_broker else None
        options = RunOptions(wish.folder, broker, wish.seed, wish.speed, wish.hidden_share, wish.api, begin_ms)
        async with running(scenario, options) as plant:
            gc.freeze()  # a thousand machines stay for good; looking for garbage among them takes 100 ms each time
            if wish.site_config:
                text = site_config(plant.scenario, plant.faces.listens, wish.folder, speed=wish.speed)
                wish.site_config.write_text(text, encoding="utf-8")
            if wish.driven:
                await _driven(plant, wish)
            else:
                await _shown(plant, wish)
            if wish.ledger and not plant.live.plant.ledger.frozen:
                save(plant.live.plant.ledger, wish.ledger, parquet=wish.parquet)
                if not wish.driven:
                    Console().print(f"the truth is in {wish.ledger}", markup=False, highlight=False, soft_wrap=True)


def list_scenarios() -> str:
    """The shipped scenarios, one a line."""
    known = {name: load_scenario(name) for name in shipped()}
    width = max(map(len, known), default=0)
    return "".join(f"{name:{width}}  {scenario.title}\n" for name, scenario in known.items())


def save(ledger: Ledger, path: Path, *, parquet: bool = False) -> None:
    """Write a ledger: `name.json`, or a folder of CSV or Parquet tables. OSError: it cannot be written."""
    if path.suffix == ".json":
        ledger.save(path)
    elif parquet:
        save_parquet(ledger, path)
    else:
        save_csv(ledger, path)


async def _shown(plant: Running, wish: Wish) -> None:
    """For people: says what is where, then a table every second where the output is a terminal."""
    console = Console()
    console.print("\n".join(told(plant)), markup=False, highlight=False, soft_wrap=True)
    if wish.site_config:
        clock = f" --clock {plant.clock}" if plant.own_time else ""
        console.print(f"in another terminal: lineside run {wish.site_config}{clock}", markup=False, soft_wrap=True)
    plant.live.start()
    if opens := opening(plant.scenario, plant.live.plant.now_ms):
        console.print(
            f"nobody works now: the plant opens {opens:%A %H:%M %Z} (--always: it never closes)", markup=False
        )
    stop = stopped()
    if not sys.stdout.isatty():
        await until(wish.limit_s, stop)
        console.print(machine_table(plant.live))
        return
    with Screen(console=console, auto_refresh=False) as screen:
        showing = asyncio.create_task(_show(plant, screen), name="screen")
        await until(wish.limit_s, stop)
        showing.cancel()


async def _show(plant: Running, screen: Screen) -> None:
    while True:
        screen.update(machine_table(plant.live), refresh=True)
        await asyncio.sleep(_TABLE_EVERY_S)


async def _driven(plant: Running, wish: Wish) -> None:
    """For programs: announces itself when every face is up, then obeys."""
    announcing = asyncio.create_task(_announce(plant, wish), name="announce")
    async for command in commands():
        if command == "start":
            answer(started=True, at_ms=plant.live.start())
        elif command == "freeze":
            at_ms, unsent = await plant.freeze()
            if wish.ledger:
                save(plant.live.plant.ledger, wish.ledger, parquet=wish.parquet)
            answer(frozen=True, at_ms=at_ms, unsent=unsent, ledger=str(wish.ledger) if wish.ledger else None)
        elif command:
            answer(error=f"unknown command {command!r}: start, freeze, or end of input to stop")
    announcing.cancel()


async def _announce(plant: Running, wish: Wish) -> None:
    for publisher in plant.faces.publishers:
        await publisher.connected.wait()
    if not wish.wait:
        plant.live.start()
    answer(
        ready=True,
        at_ms=plant.live.plant.now_ms,
        started=not wish.wait,
        clock=str(plant.clock),
        faces=plant.faces.listens,
        api=plant.api,
        energy_step_kwh=energy_steps(plant.scenario, wish.folder),
        energy_accuracy=energy_accuracies(plant.scenario),
    )

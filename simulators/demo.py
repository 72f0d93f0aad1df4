"""The demo plant with all its faces up, driven by `start` and `freeze`."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from simulators.cell import Cell
from simulators.console import answer, commands
from simulators.demo_plant import demo_plant
from simulators.live import Live, wall_clock_ms
from simulators.plc import METER_UNIT, PLC_UNIT, press_face
from simulators.registers import IEM3000, SDM630

FLUSH_WITHIN_S = 10.0
CELLS = ("weld-03", "pack-04")
PRESS_METERS = {"press-01": SDM630, "press-02": IEM3000}
# how coarse the energy registers are: a difference of two of them is off by at most two steps
ENERGY_STEP_KWH = {"press-01": 2e-6, "press-02": 1e-3, "weld-03": 1e-9, "pack-04": 1e-9}

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says."""

    seed: int
    presses: dict[str, Address]
    mqtt: Address
    ledger: Path
    hidden_share: float = 0.0
    wait: bool = False


async def run_demo(options: DemoOptions) -> None:
    """Run the plant until stdin ends or a signal comes; the ledger is saved at `freeze`, else at the end.

    Raises:
        OSError: a press cannot listen on its address, or the ledger cannot be written.
    """
    clock = wall_clock_ms()
    live = Live(demo_plant(options.seed, clock()), clock, options.hidden_share)
    cells = [Cell(live, machine, *options.mqtt) for machine in CELLS]
    async with AsyncExitStack() as stack:
        ports = {
            machine: await stack.enter_async_context(press_face(live, machine, PRESS_METERS[machine], *address))
            for machine, address in options.presses.items()
        }
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(live.run(), name="plant")]
            workers += [tasks.create_task(cell.run(), name=f"cell[{cell.machine}]") for cell in cells]
            workers += [tasks.create_task(_announce(live, cells, ports, options), name="announce")]
            async for command in commands():
                await _obey(command, live, cells, options.ledger)
            for worker in workers:
                worker.cancel()
    if not live.plant.ledger.frozen:
        live.plant.ledger.save(options.ledger)


async def _announce(live: Live, cells: list[Cell], ports: dict[str, int], options: DemoOptions) -> None:
    for cell in cells:
        await cell.connected.wait()
    if not options.wait:
        live.start()
    answer(
        ready=True,
        at_ms=live.plant.now_ms,
        started=not options.wait,
        modbus={machine: f"{options.presses[machine][0]}:{port}" for machine, port in ports.items()},
        mqtt=f"mqtt://{options.mqtt[0]}:{options.mqtt[1]}",
        meta={"plc_unit": PLC_UNIT, "meter_unit": METER_UNIT, "energy_step_kwh": ENERGY_STEP_KWH},
    )


async def _obey(command: str, live: Live, cells: list[Cell], ledger: Path) -> None:
    if command == "start":
        answer(started=True, at_ms=live.start())
    elif command == "freeze":
        at_ms = live.freeze()
        unsent = sum(await asyncio.gather(*(cell.flush(FLUSH_WITHIN_S) for cell in cells)))
        live.plant.ledger.save(ledger)
        answer(frozen=True, at_ms=at_ms, unsent=unsent, ledger=str(ledger))
    elif command:
        answer(error=f"unknown command {command!r}: start, freeze, or end of input to stop")

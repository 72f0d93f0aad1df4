"""Two hundred devices of 60 points each, once a second, in one process; and a line of 32 units of which one is dead.

    python -m tests.benchmarks.bench_fleet [--devices 200] [--seconds 20] [--units 32]

Prints JSON lines. How late polls begin is measured against their slots (fixed phase), the interval between polls of a
unit on the line from one delivery to the next. The stubs run in another process, on the other core.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from itertools import pairwise
from pathlib import Path

import uvloop

from adapters.modbus.config import ModbusConfig
from adapters.modbus.source import ModbusSource, build
from gateway.clock import SystemClock
from gateway.flow.backoff import Backoff
from gateway.library import Library
from gateway.model import TagTable
from gateway.model.quality import is_usable
from gateway.ports import NotConnected

POINTS = 60
WARM_UP_S = 3.0
DEAD_UNIT = 9
TURN_MS = 6  # of one read on the line: 32 units fill four fifths of a quarter of a second
ROOT = Path(__file__).parents[2]


@contextmanager
def stubs(*words: str) -> Iterator[list[int]]:
    """The ports of stub devices in a process of their own."""
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "tests.benchmarks.stub_plc", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        os.sched_setaffinity(process.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        try:
            yield json.loads(process.stdout.readline())["ports"]
        finally:
            os.sched_setaffinity(0, cores)
            process.terminate()


class Polled:
    """One device, polled as `flow` does it, and when its deliveries came."""

    def __init__(self, name: str, port: int, unit: int = 1, **said: object) -> None:
        points = {
            f"p{i}": {"table": "holding", "address": 2 * i, "type": "float32", "group": "fast"} for i in range(POINTS)
        }
        given = {"endpoint": f"tcp://127.0.0.1:{port}", "unit_id": unit, "asset": name, "points": points, **said}
        config, library, self.clock = ModbusConfig.model_validate(given), Library(()), SystemClock()
        tags = TagTable(enumerate(config.tags(name, library)))
        self.source: ModbusSource = build(name, config, tags, library, self.clock)
        self.values = 0
        self.late_s: list[float] = []
        self.whole_at: list[float] = []  # when a delivery came in which everything was good

    async def run(self) -> None:
        """Polls until cancelled."""
        backoff = Backoff()
        try:
            while True:
                try:
                    await self.source.connect()
                    await self._pump()
                except NotConnected:
                    pass
                await self.source.close()
                await self.clock.sleep(backoff.next_s())
        finally:
            await self.source.close()

    async def _pump(self) -> None:
        async with aclosing(self.source.deliveries()) as deliveries:  # type: ignore[type-var]
            async for delivery in deliveries:
                good = int(is_usable(delivery.batch.quality).sum())
                self.values += good
                self.late_s.append(self.source.health.lateness_last_s)
                if good == POINTS:
                    self.whole_at.append(time.monotonic())


async def poll_all(devices: Sequence[Polled], seconds: float) -> float:
    """Polls all of them; returns the CPU seconds of the time after the warm-up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(device.run()) for device in devices]
        await asyncio.sleep(WARM_UP_S)
        for device in devices:
            device.values = 0
            device.late_s.clear()
            device.whole_at.clear()
        before = cpu_s()
        await asyncio.sleep(seconds)
        used = cpu_s() - before
        for task in tasks:
            task.cancel()
    return used


def cpu_s() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted numbers; NaN where there are none."""
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] if ordered else float("nan")


def fleet(count: int, seconds: float) -> None:
    """Many devices with a connection each."""
    with stubs("--devices", f"{count}", "--registers", f"{2 * POINTS}") as ports:
        devices = [Polled(f"d{i}", port) for i, port in enumerate(ports)]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            used = runner.run(poll_all(devices, seconds))
    late = sorted(1000 * late for device in devices for late in device.late_s)
    values = sum(device.values for device in devices)
    report = {
        "devices": count,
        "points": POINTS,
        "values_per_s": round(values / seconds),
        "share_of_slots_kept": round(values / (count * POINTS * seconds), 3),
        "late_p50_ms": round(quantile(late, 0.5), 2),
        "late_p99_ms": round(quantile(late, 0.99), 2),
        "late_max_ms": round(late[-1], 2),
        "overruns": sum(device.source.health.overruns for device in devices),
        "cpu_percent": round(100 * used / seconds, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps({"bench": "modbus_fleet"} | report), flush=True)


def line(units: int, seconds: float) -> None:
    """One connection with many units, all alive and then one of them dead."""
    intervals: dict[str, list[float]] = {}
    for label, dead in (("alive", 0), ("one_dead", DEAD_UNIT)):
        with stubs(
            "--devices", "1", "--registers", f"{2 * POINTS}", "--dead-unit", f"{dead}", "--delay-ms", f"{TURN_MS}"
        ) as ports:
            said = {"poll": {"fast": "250ms"}, "timeout": "300ms"}
            devices = [Polled(f"u{unit}", ports[0], unit, **said) for unit in range(1, units + 1)]
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(poll_all(devices, seconds))
        living = [device for unit, device in enumerate(devices, start=1) if unit != DEAD_UNIT]
        intervals[label] = sorted(1000 * (b - a) for device in living for a, b in pairwise(device.whole_at))
    report = {
        f"{label}_p{round(100 * share)}_ms": round(quantile(found, share), 1)
        for label, found in intervals.items()
        for share in (0.5, 0.99)
    }
    raised = report["one_dead_p50_ms"] / report["alive_p50_ms"] - 1
    report["overruns_one_dead"] = sum(device.source.health.overruns for device in living)
    report["p50_raised_percent"] = round(100 * raised, 1)
    print(json.dumps({"bench": "modbus_dead_unit", "units": units} | report), flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    said = parser.parse_args()
    logging.getLogger("lineside").setLevel(logging.ERROR)  # slots that a dead unit costs are counted below
    fleet(said.devices, said.seconds)
    line(said.units, said.seconds)


if __name__ == "__main__":
    main()

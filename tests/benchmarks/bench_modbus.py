"""CPU time per read of 125 registers, ours against pymodbus's client in one run; decoding and planning.

    python -m tests.benchmarks.bench_modbus [--reads 4000]

Prints JSON lines. The stub runs on the other core; the contenders take turns and the best of three rounds counts, since
the machine's noise only ever adds.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from pymodbus.client import AsyncModbusTcpClient

from adapters.modbus.codec import Decoder
from adapters.modbus.frames import Read, Reply
from adapters.modbus.locator import Locator
from adapters.modbus.manners import Manners
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import Point, Table, ValueType
from adapters.modbus.transport import Endpoint, User
from gateway.clock import SystemClock

REGISTERS = 125
ROUNDS = 3
ROUND_OF_READS = 8  # one poll of a device with 1,000 registers


def cpu_s() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def ours(port: int, reads: int, pipeline: int) -> float:
    """CPU seconds for this many reads."""
    link, user = Endpoint(Locator("tcp", "127.0.0.1", port), SystemClock()), User("bench", 1, Manners(pipeline), 1.0)
    await link.join(user)
    asked = [Read(1, Table.HOLDING, REGISTERS * i, REGISTERS) for i in range(ROUND_OF_READS)]
    begin = cpu_s()
    for _ in range(reads // ROUND_OF_READS):
        answers = await link.read(asked, 1.0)
        assert all(isinstance(answer, Reply) for answer in answers)
    used = cpu_s() - begin
    await link.leave(user)
    return used


async def pymodbus(port: int, reads: int) -> float:
    """CPU seconds for this many reads with pymodbus's client, one after the other."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, reconnect_delay=0)
    assert await client.connect()
    begin = cpu_s()
    for number in range(reads):
        answer = await client.read_holding_registers(number % ROUND_OF_READS * REGISTERS, count=REGISTERS)
        assert len(answer.registers) == REGISTERS
    used = cpu_s() - begin
    client.close()
    return used


def best_us(loop: str, port: int, reads: int, contender: Callable[[int, int], Awaitable[float]]) -> float:
    """Microseconds of CPU per read, the best of some rounds."""
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop

    async def round_() -> float:
        return await contender(port, reads)

    with asyncio.Runner(loop_factory=factory) as runner:
        return min(runner.run(round_()) for _ in range(ROUNDS)) / reads * 1e6


def reading(port: int, reads: int) -> None:
    """Ours at depth 1 and 8 against pymodbus, on both event loops."""
    for loop in ("asyncio", "uvloop"):
        theirs = best_us(loop, port, reads, pymodbus)
        for pipeline in (1, 8):
            mine = best_us(loop, port, reads, lambda port, reads, depth=pipeline: ours(port, reads, depth))  # type: ignore[misc]
            report = {
                "cpu_us_per_read": round(mine, 1),
                "pymodbus_us": round(theirs, 1),
                "ratio": round(theirs / mine, 1),
            }
            print(json.dumps({"bench": "modbus_read_125", "loop": loop, "pipeline": pipeline} | report), flush=True)


def decoding() -> None:
    """Nanoseconds per value, for one poll of 500 points and for one reply."""
    kinds: dict[str, list[ValueType]] = {
        "float32": ["float32"],
        "mixed": ["uint16", "int16", "float32", "int32", "bool"],
    }
    for label, types in kinds.items():
        for count in (500, 62):
            points: list[Point] = []
            for i in range(count):
                kind = types[i % len(types)]
                scale = 1.0 if kind in {"bool", "float32"} else 0.1
                points.append(Point(f"p{i}", Table.HOLDING, points[-1].end if points else 0, kind, scale=scale))
            decoder = Decoder(points, plan(points, Limits()))
            image = bytes(i % 64 for i in range(decoder.offsets[-1]))
            taken = best_of(lambda d=decoder, i=image: [d.decode(i) for _ in range(500)]) / 500  # type: ignore[misc]
            report = {"points": count, "ns_per_value": round(taken / count * 1e9, 1)}
            print(json.dumps({"bench": "modbus_decode", "types": label} | report), flush=True)


def planning() -> None:
    """Milliseconds to plan 10,000 points."""
    points = [Point(f"p{i}", Table.HOLDING, i * 37 % 60_000, "float32") for i in range(10_000)]
    taken = best_of(lambda: plan(points, Limits()))
    print(json.dumps({"bench": "modbus_plan_10000", "ms": round(taken * 1000, 1)}), flush=True)


def best_of(work: Callable[[], object]) -> float:
    """Seconds, the best of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def main() -> None:
    """Runs everything against a stub of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=4000)
    said = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "tests.benchmarks.stub_plc", "--devices", "1"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as stub:
        assert stub.stdout is not None
        os.sched_setaffinity(stub.pid, {cores[-1]})
        os.sched_setaffinity(0, {cores[0]})
        reading(json.loads(stub.stdout.readline())["ports"][0], said.reads)
        decoding()
        planning()
        stub.terminate()


if __name__ == "__main__":
    main()

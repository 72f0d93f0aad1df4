"""A thousand simulated machines, twenty-one values each, read once a second: how late answers are, what it costs.

    python -m tests.benchmarks.bench_plant [--seconds 20]

Prints one JSON line. The plant runs on one core, the reader on another. Each machine is due at the same moment of every
second; an update is late when its answer comes more than 100 ms after it was due.
"""

import argparse
import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

UNITS, REGISTERS, VALUES = 200, 64, 21
LATE_S = 0.1
HEADER = struct.Struct(">HHHBB")


async def read_each_second(address: str, seconds: int, begin_s: float) -> list[float]:
    """How long after it was due each answer came, in s."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    late = []
    for number in range(seconds * UNITS):
        due_s = begin_s + number / UNITS
        if (wait_s := due_s - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        unit = number % UNITS + 1
        writer.write(struct.pack(">HHHBBHH", number & 0xFFFF, 0, 6, unit, 3, 0, REGISTERS))
        reply = await reader.readexactly(9 + 2 * REGISTERS)
        assert HEADER.unpack(reply[:8]) == (number & 0xFFFF, 0, 3 + 2 * REGISTERS, unit, 3)
        late.append(time.monotonic() - due_s)
    writer.close()
    await writer.wait_closed()
    return late


def cpu_s(pid: int) -> float:
    """CPU seconds of another process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(faces: dict[str, str], pid: int, seconds: int) -> dict[str, Any]:
    """Reads everything, and what it cost the plant."""
    begin_s, before_s = time.monotonic() + 0.5, cpu_s(pid)
    found = await asyncio.gather(*(read_each_second(face, seconds, begin_s) for face in faces.values()))
    used_s, late_s = cpu_s(pid) - before_s, np.concatenate([np.array(one) for one in found])
    return {
        "machines": len(faces) * UNITS,
        "values_per_s": len(faces) * UNITS * VALUES,
        "late_share": round(float(np.mean(late_s > LATE_S)), 5),
        "answer_ms_p50": round(1000 * float(np.percentile(late_s, 50)), 2),
        "answer_ms_p99": round(1000 * float(np.percentile(late_s, 99)), 2),
        "core_share": round(used_s / seconds, 3),
    }


def main() -> int:
    """Starts the plant, reads it, prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    seconds = parser.parse_args().seconds
    command = [sys.executable, "-m", "simulators", "run", "thousand-machines", "--driven"]
    cores = sorted(os.sched_getaffinity(0))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as plant:
        assert plant.stdout
        assert plant.stdin
        os.sched_setaffinity(plant.pid, cores[:1])
        ready = json.loads(plant.stdout.readline())
        os.sched_setaffinity(0, cores[-1:])
        figures = asyncio.run(measure(ready["faces"], plant.pid, seconds))
        plant.stdin.close()
    print(json.dumps({"bench": "plant"} | figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

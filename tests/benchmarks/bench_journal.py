"""The journal alone: CPU per value of appending batches of 500 with synchronous=FULL, and bytes on disk per value.

python -m tests.benchmarks.bench_journal [--batches 2000]
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from gateway.clock import SystemClock
from gateway.journal import SqliteJournal
from gateway.model import GOOD, Batch
from gateway.ports import Delivery

_ROWS = 500


async def run(folder: Path, batches: int) -> dict[str, object]:
    """Appends every batch with an acknowledgement that is waited for at the end."""
    journal = await asyncio.to_thread(SqliteJournal, folder / "journal.db", SystemClock())
    await journal.open([("nobody", False)])
    dice = np.random.default_rng(1)
    tag, quality = np.arange(_ROWS, dtype=np.int32), np.full(_ROWS, GOOD, np.uint8)
    values = [dice.normal(100, 5, _ROWS).astype(np.float32).astype(np.float64) for _ in range(50)]
    done = asyncio.Event()
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(batches):
        batch = Batch(tag, np.full(_ROWS, time.time_ns()), values[number % 50], quality)
        await journal.append(Delivery(batch, ack=done.set if number == batches - 1 else None), "bench")
    await done.wait()
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    count = batches * _ROWS
    size = journal.used_bytes
    await journal.close()
    return {
        "bench": "journal",
        "values": count,
        "cpu_us_per_value": round(cpu_s / count * 1e6, 3),
        "values_per_s": round(count / wall_s),
        "bytes_per_value": round(size / count, 2),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=2000)
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(asyncio.run(run(Path(name), parser.parse_args().batches))))


if __name__ == "__main__":
    main()

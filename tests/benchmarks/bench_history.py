"""What the embedded history costs: prints one JSON line.

    python -m tests.benchmarks.bench_history [--tags 1000] [--hours 24] [--rate 1] [--live-hours 0.2]

`tags` meter values (rounded to 0.01, each its own random walk) every 1/rate s with a few ms of jitter, taken in records
of one tick like a journal's. `hours` of them are taken as fast as the journal hands them out after an outage, and
queried; `live-hours` go to another file at their own pace, on a virtual clock, with a flush every 5 s.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np

from gateway.clock import SystemClock
from gateway.history import History, HistoryReader
from gateway.model import GOOD, Batch, Tag, TagTable
from gateway.ports import Record

_START_MS = 1_780_000_000_000
_TICKS_AT_ONCE = 50


def records(tags: int, hours: float, rate: float) -> Iterator[list[Record]]:
    """The journal's records, a few ticks at a time."""
    rng = np.random.default_rng(1)
    ids = np.arange(1, tags + 1, dtype=np.int32)
    quality = np.full(tags, GOOD, np.uint8)
    level = rng.uniform(10, 400, tags)
    position = 0
    for _ in range(int(hours * 3600 * rate) // _TICKS_AT_ONCE):
        walk = level + np.cumsum(rng.normal(0, 0.05, (_TICKS_AT_ONCE, tags)), axis=0)
        level, values = walk[-1], np.round(walk, 2)
        ready = []
        for value in values:
            time_ms = _START_MS + int(position * 1000 / rate) + int(rng.integers(0, 7))
            batch = Batch(ids, np.full(tags, time_ms * 1_000_000, np.int64), value, quality)
            position += 1
            ready.append(Record(position, "bench", position, time_ms * 1_000_000, batch))
        yield ready


class TickClock(SystemClock):
    """A clock that moves by ticks."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def jump(self, seconds: float) -> None:
        self.now += seconds


async def ingest(path: Path, tags: int, hours: float, rate: float, *, live: bool) -> tuple[int, float]:
    """Takes everything; returns the number of readings and the seconds of CPU that `take` cost, all threads."""
    table = TagTable((n, Tag(f"asset-{n // 10}/point-{n}")) for n in range(1, tags + 1))
    clock = TickClock()
    history = History(path, table, clock=clock)
    count, cpu_s = 0, 0.0
    for some in records(tags, hours, rate):
        before = time.process_time()
        for record in some:
            await history.take([record])
            if live:
                clock.jump(1 / rate)
        cpu_s += time.process_time() - before
        count += len(some) * tags
    before = time.process_time()
    await history.close()
    return count, cpu_s + time.process_time() - before


def best_ms(work: Callable[[], object], times: int = 7) -> float:
    """The quickest of some runs, ms."""
    spent = []
    for _ in range(times):
        before = time.perf_counter()
        work()
        spent.append(time.perf_counter() - before)
    return round(min(spent) * 1000, 2)


def raw_bytes(path: Path) -> int:
    """Bytes of the pages that hold raw readings and their indexes."""
    pages = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'chunk%' OR name LIKE 'block%'"
    with closing(apsw.Connection(str(path))) as db:
        return int(db.execute(pages).get)


def measure(folder: Path, tags: int, hours: float, rate: float, live_hours: float) -> dict[str, float]:
    """One run; the figures by name."""
    path, day_ms = folder / "history.db", 24 * 3_600_000
    before = time.perf_counter()
    live_count, live_cpu_s = asyncio.run(ingest(folder / "live.db", tags, live_hours, rate, live=True))
    count, cpu_s = asyncio.run(ingest(path, tags, hours, rate, live=False))
    wall_s = time.perf_counter() - before
    reader, name = HistoryReader(path), f"asset-0/point-{min(7, tags)}"
    return {
        "tags": tags,
        "hours": hours,
        "readings": count,
        "bytes_per_reading_raw": round(raw_bytes(path) / count, 2),
        "bytes_per_reading_with_minutes": round(path.stat().st_size / count, 2),
        "ingest_us_cpu_per_value": round(cpu_s / count * 1e6, 3),
        "live_us_cpu_per_value": round(live_cpu_s / live_count * 1e6, 3),
        "raw_day_one_tag_ms": best_ms(lambda: reader.raw(name, _START_MS, _START_MS + day_ms)),
        "series_day_500_ms": best_ms(lambda: reader.series(name, _START_MS, _START_MS + day_ms)),
        "latest_all_ms": best_ms(reader.latest),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "wall_s": round(wall_s, 1),
    }


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--live-hours", type=float, default=0.2)
    parser.add_argument("--folder", type=Path, help="where the files go while it runs (a disk of interest)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        figures = measure(Path(folder), args.tags, args.hours, args.rate, args.live_hours)
    print(json.dumps({"bench": "history", **figures}))


if __name__ == "__main__":
    main()

"""What a value costs on its way into a store, ours against influxdb-client's Points: prints one JSON line.

    python -m tests.benchmarks.bench_sink [--batches 200] [--rows 5000]

Ten assets of 500 float32 gauges; readings of one reply (62 values) share a time stamp. Both sides write the same rows,
gzip-compressed, to the same VictoriaMetrics, in one run; the figures are CPU of the client process alone.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from isal import igzip

from adapters.influx.config import VictoriaConfig
from adapters.influx.encode import VICTORIA, Encoder
from adapters.influx.sink import build
from gateway.clock import SystemClock
from gateway.model import GOOD, Batch, Site, Tag, TagTable
from tests.servers import running, victoria_metrics

_ASSETS = 10
_POINTS = 500
_PER_REPLY = 62
_BATCHES_OF_POINTS = 10  # batches that the slow side writes
SITE = Site("bench", lines={f"machine-{n:02}": "line-1" for n in range(_ASSETS)})


def plant() -> TagTable:
    """Every tag of the plant, ids from 1."""
    names = [f"machine-{asset:02}/point_{point}" for asset in range(_ASSETS) for point in range(_POINTS)]
    return TagTable((number, Tag(name, source="bench")) for number, name in enumerate(names, 1))


def batches(count: int, rows: int) -> list[Batch]:
    """Noisy gauges, scan after scan."""
    rng = np.random.default_rng(1)
    total = _ASSETS * _POINTS
    start = SystemClock().wall_ns() - 3600 * 10**9
    made = []
    for number in range(count):
        row = np.arange(number * rows, (number + 1) * rows)
        time_ns = start + row // total * 10**8 + row % total // _PER_REPLY * 10**6
        value = rng.normal(230, 5, rows).astype(np.float32).astype(np.float64)
        made.append(Batch((row % total + 1).astype(np.int32), time_ns, value, np.full(rows, GOOD, np.uint8)))
    return made


def cpu_us(values: int, work: Callable[[], object]) -> float:
    """CPU per value of some work, in µs."""
    before = time.process_time()
    work()
    return round((time.process_time() - before) / values * 1e6, 3)


def encode(tags: TagTable, some: list[Batch]) -> int:
    """Formats and compresses; returns the bytes on the wire."""
    encoder = Encoder(tags, SITE, VICTORIA)
    return sum(len(igzip.compress(encoder.encode(batch).body, 1)) for batch in some)


async def write(url: str, tags: TagTable, some: list[Batch]) -> None:
    """Our whole way into the store."""
    sink = build("bench", VictoriaConfig(kind="victoriametrics", url=url), tags, SITE, SystemClock())
    await sink.connect()
    for batch in some:
        await sink.write(batch)
    await sink.close()


def write_points(url: str, tags: TagTable, some: list[Batch]) -> None:
    """The same rows as Points, written batch by batch."""
    with InfluxDBClient(url, token="none", org="bench", enable_gzip=True) as client:
        write_api = client.write_api(write_options=SYNCHRONOUS)
        for batch in some:
            write_api.write(bucket="points", record=[point(tags, *row) for row in rows_of(batch)])


def rows_of(batch: Batch) -> list[tuple[int, int, float]]:
    """(tag, time, value) of each reading."""
    return list(zip(batch.tag.tolist(), batch.time_ns.tolist(), batch.value.tolist(), strict=True))


def point(tags: TagTable, tag: int, time_ns: int, value: float) -> Point:
    """A reading as influxdb-client has it."""
    asset, _, name = tags[tag].name.partition("/")
    return (
        Point("points").tag("site", "bench").tag("line", "line-1").tag("asset", asset).field(name, value).time(time_ns)
    )


def main() -> None:
    """Runs both sides and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--rows", type=int, default=5000)
    asked = parser.parse_args()
    tags, some = plant(), batches(asked.batches, asked.rows)
    values = asked.batches * asked.rows
    encode(tags, some[:2])
    with tempfile.TemporaryDirectory() as folder, running(victoria_metrics(Path(folder))) as server:
        url = server.url
        formatted = cpu_us(values, lambda: encode(tags, some))
        written = cpu_us(values, lambda: asyncio.run(write(url, tags, some)))
        few = some[:_BATCHES_OF_POINTS]
        points = cpu_us(len(few) * asked.rows, lambda: write_points(url, tags, few))
    print(
        json.dumps(
            {
                "bench": "sink",
                "values": values,
                "encode_gzip_us_per_value": formatted,
                "write_us_per_value": written,
                "points_us_per_value": points,
                "points_over_ours": round(points / written, 1),
                "wire_bytes_per_value": round(encode(tags, some) / values, 2),
            }
        )
    )


if __name__ == "__main__":
    main()

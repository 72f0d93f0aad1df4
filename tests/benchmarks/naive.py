"""The script that one writes first, kept as the yardstick: pymodbus in, influxdb-client's batching WriteApi out.

    python -m tests.benchmarks.naive --ports 5020,5021 --url http://127.0.0.1:8428 --values 500 --hz 10 --seconds 20

Reads `values` float32 from each Modbus TCP server `hz` times a second, makes a Point of each with the labels that
Lineside writes, and writes it to a store that speaks InfluxDB's v2 API. No quality, no journal, no KPI. It follows the
examples of both libraries: each register pair is converted by itself, options are the defaults, time stamps are left to
the store. Prints one JSON line.
"""

import argparse
import asyncio
import json
import resource
import time
from itertools import pairwise

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteApi, WriteOptions
from pymodbus.client import AsyncModbusTcpClient

_FLOATS_PER_READ = 62  # 124 of the 125 registers that a read may ask for


async def poll(port: int, values: int, hz: float, seconds: float, write_api: WriteApi) -> list[float]:
    """Polls one device; returns the intervals between its scans, in seconds."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    starts = []
    due = time.monotonic()
    end = due + seconds
    while (now := time.monotonic()) < end:
        starts.append(now)
        write_api.write(bucket="bench", record=await scan(client, port, values))
        due = max(due + 1 / hz, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
    client.close()
    return [after - before for before, after in pairwise(starts)]


async def scan(client: AsyncModbusTcpClient, port: int, values: int) -> list[Point]:
    """All values of a device as Points."""
    points = []
    for first in range(0, values, _FLOATS_PER_READ):
        count = min(_FLOATS_PER_READ, values - first)
        reply = await client.read_holding_registers(first * 2, count=count * 2)
        for number in range(count):
            pair = reply.registers[number * 2 : number * 2 + 2]
            value = client.convert_from_registers(pair, client.DATATYPE.FLOAT32)
            point = Point("telemetry").tag("site", "bench").tag("line", "line-1").tag("asset", f"device-{port}")
            points.append(point.field(f"point_{first + number}", value))
    return points


async def run(ports: list[int], url: str, values: int, hz: float, seconds: float) -> dict[str, float | str]:
    """Polls every device for some time and waits until all is written."""
    start, cpu = time.monotonic(), time.process_time()
    with (
        InfluxDBClient(url, token="none", org="bench", enable_gzip=True) as client,
        client.write_api(WriteOptions()) as write_api,
    ):
        intervals = await asyncio.gather(*(poll(port, values, hz, seconds, write_api) for port in ports))
    wall_s, cpu_s = time.monotonic() - start, time.process_time() - cpu
    every = sorted(interval for device in intervals for interval in device)
    done = (len(every) + len(ports)) * values
    return {
        "bench": "naive",
        "values": done,
        "offered": round(len(ports) * values * hz * seconds),
        "values_per_s": round(done / wall_s),
        "cpu_s_per_million": round(cpu_s / done * 1e6, 2),
        "interval_p50_ms": round(every[len(every) // 2] * 1000, 1),
        "interval_p99_ms": round(every[len(every) * 99 // 100] * 1000, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", required=True, help="Modbus TCP ports on 127.0.0.1, comma-separated")
    parser.add_argument("--url", required=True)
    parser.add_argument("--values", type=int, default=500, help="float32 per device")
    parser.add_argument("--hz", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    asked = parser.parse_args()
    ports = [int(port) for port in asked.ports.split(",")]
    print(json.dumps(asyncio.run(run(ports, asked.url, asked.values, asked.hz, asked.seconds))))


if __name__ == "__main__":
    main()

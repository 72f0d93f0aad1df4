"""A simulated past of twenty machines: written as a recording, and loaded into a fresh Lineside.

    python -m tests.benchmarks.bench_recording [--days 30] [--load-days 2]

Prints one JSON line. The recording is event by event: each part, state and power step of machines with a mean cycle of
five seconds in two shifts; loading includes history and the KPIs of every minute.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from gateway.config import load
from gateway.replaying import replay
from simulators.backdate import backdate
from simulators.scenario import load_scenario
from simulators.site_config import site_config
from tests.benchmarks.bench_month import SCENARIO

FACE = 'faces: [{{ kind: mqtt, broker: "mqtt://127.0.0.1:11883", machines: [{}] }}]\n'
DAY_MS = 86_400_000


def written(folder: Path, days: float) -> tuple[Path, int, int, float]:
    """The recording, its readings and parts, and the seconds that it took."""
    scenario_file, file = folder / "month.yaml", folder / f"{days}.parquet"
    scenario_file.write_text(SCENARIO + FACE.format(", ".join(f"m-{number:02}" for number in range(1, 21))))
    scenario = load_scenario(scenario_file)
    start_ms = scenario.start_ms or 0
    (folder / "site.yaml").write_text(site_config(scenario, {}, folder))
    began_s = time.monotonic()
    ledger, count = backdate(scenario, folder, file, (start_ms, start_ms + round(days * DAY_MS)), lambda done: None)
    took_s = time.monotonic() - began_s
    return file, count, sum(len(book.part_ms) for book in ledger.machines.values()), took_s


def main() -> int:
    """Writes, loads, prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--load-days", type=float, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file, count, parts, write_s = written(Path(name), options.days)
        nbytes = file.stat().st_size
        short, loaded, _, _ = written(Path(name), options.load_days)
        config, began_s = load(Path(name) / "site.yaml"), time.monotonic()
        asyncio.run(replay(config, [short], asyncio.Event(), lambda done, at_ms, waiting: None))
        load_s = time.monotonic() - began_s
    figures = {
        "bench": "recording",
        "days": options.days,
        "parts": parts,
        "readings": count,
        "written_in_s": round(write_s, 1),
        "bytes_per_reading": round(nbytes / count, 2),
        "loaded_days": options.load_days,
        "loaded_readings": loaded,
        "loaded_in_s": round(load_s, 1),
        "a_month_loads_in_min": round(load_s / options.load_days * 30 / 60, 1),
    }
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

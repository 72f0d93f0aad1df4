"""A simulated month of twenty machines in two shifts, with its ledger: what it costs, what it holds.

    python -m tests.benchmarks.bench_month [--days 30]

Prints one JSON line. The machines (four lines of five with buffers, orders, operators, a compressor) have a mean
cycle of five seconds; every part, change of state, power step and flow is booked.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from simulators.ledger import Ledger
from simulators.plant import Plant
from simulators.scenario import Scenario, load_scenario

SCENARIO = """
scenario: month
timezone: Asia/Ho_Chi_Minh
start: 2026-03-01T00:00
calendar: { days: mon-sat, shifts: { day: "06:00-14:00", evening: "14:00-22:00" }, breaks: ["10:00-10:15"] }
products: { a: {}, b: { cycle: 1.1 } }
orders: { products: in turn, quantity: [2000, 9000] }
operators: 4
lines:
  line-1: { machines: [m-01, m-02, m-03, m-04, m-05], buffers: [40, 40, 40, 40] }
  line-2: { machines: [m-06, m-07, m-08, m-09, m-10], buffers: [40, 40, 40, 40] }
  line-3: { machines: [m-11, m-12, m-13, m-14, m-15], buffers: [40, 40, 40, 40] }
  line-4: { machines: [m-16, m-17, m-18, m-19, m-20], buffers: [40, 40, 40, 40] }
machines:
  "m-{n:02}": { count: 20, kind: press, ideal_cycle: 4.8s, cycle: 5s }
  compressor-01: { kind: compressor }
meters: { main: { of: "*", base: 5kW, accuracy: 0.5% } }
"""


def month(days: int) -> tuple[Ledger, float]:
    """The ledger of so many days, and the CPU seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "month.yaml"
        path.write_text(SCENARIO)
        scenario: Scenario = load_scenario(path)
    start_ms = scenario.start_ms or 0
    began_s = time.process_time()
    plant = Plant(scenario, start_ms)
    plant.start(start_ms + 1)
    plant.run_to(start_ms + days * 86_400_000)
    return plant.ledger, time.process_time() - began_s


def main() -> int:
    """Simulates, prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=30)
    ledger, took_s = month(parser.parse_args().days)
    parts = sum(len(book.part_ms) for book in ledger.machines.values())
    figures = {
        "bench": "month",
        "machines": 20,
        "parts": parts,
        "states": sum(len(book.states) for book in ledger.machines.values()),
        "power_steps": sum(len(book.power.at_ms) for book in ledger.machines.values()),
        "cpu_seconds": round(took_s, 2),
        "us_per_part": round(1e6 * took_s / parts, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

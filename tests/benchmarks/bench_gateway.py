"""Devices → `lineside run` → VictoriaMetrics, everything on; and the naive script over the same devices.

    python -m tests.benchmarks.bench_gateway [--seconds 150] [--pipeline 8] [--naive-seconds 20]

10 devices × 500 float32 at 10 Hz, each an asset with six bound roles. The gateway is pinned to core 0; stub devices
and store to the other. Counts in the store what was offered. Prints one JSON line per depth.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from gateway.journal import open_readonly, read_ledger
from tests.servers import Server, running, victoria_metrics

DEVICES, VALUES, HZ = 10, 500, 10
_SOURCE = """\
  stub-{n}:
    {{ kind: modbus, endpoint: "tcp://127.0.0.1:{port}", unit_id: 1, profile: bench/stub, asset: machine-{n},
       poll: {{ fast: {period_ms}ms }}, pipeline: {pipeline} }}
"""
_ASSET = """\
  machine-{n}:
    line: bench
    state: {{ tag: state, producing: [EXECUTE], idle: [IDLE] }}
    total: total_count
    good: good_count
    scrap: scrap_count
    energy: {{ electricity: import_energy }}
    power: active_power
    ideal_cycle_time: 900ms
"""


@dataclass(frozen=True)
class Usage:
    """CPU seconds and memory of a process so far."""

    cpu_s: float
    rss_mb: float
    peak_mb: float


def usage(pid: int) -> Usage:
    """From /proc: user and system time of the process, resident memory now and at most."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Usage(cpu_s, int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024)


def write_config(folder: Path, ports: list[int], store: Server, pipeline: int) -> Path:
    """The config of the bench: every device an asset with six roles, one sink."""
    sources = "".join(
        _SOURCE.format(n=n, port=port, period_ms=1000 // HZ, pipeline=pipeline) for n, port in enumerate(ports)
    )
    assets = "".join(_ASSET.format(n=n) for n in range(len(ports)))
    config = folder / "bench.yaml"
    config.write_text(
        f"site: bench\npacks: [vietnam]\nlines:\n  bench: {{ area: hall }}\nsources:\n{sources}assets:\n{assets}"
        f'sinks:\n  vm: {{ kind: victoriametrics, url: "{store.url}" }}\nboard: {{ enabled: false }}\n'
    )
    return config


def measure(folder: Path, ports: list[int], store: Server, pipeline: int, seconds: float) -> dict[str, object]:
    """Runs the gateway for `seconds` after a warm-up of 5 s, then ends it and counts."""
    config = write_config(folder, ports, store, pipeline)
    log = (folder / "log").open("wb")
    command = ["taskset", "-c", "0", sys.executable, "-m", "gateway", "run", str(config)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    time.sleep(5)
    before = usage(process.pid)
    started = time.monotonic()
    time.sleep(seconds)
    after = usage(process.pid)
    wall_s = time.monotonic() - started
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    return report(folder, store, before, after, wall_s) | {"depth": pipeline}


def report(folder: Path, store: Server, before: Usage, after: Usage, wall_s: float) -> dict[str, object]:
    """The figures of one run: CPU per value, lateness, memory, and what the store holds."""
    db = open_readonly(folder / "data/journal.db")
    ledger = read_ledger(db)
    ingested = sum(p.ingested for p in ledger.producers if p.name.startswith("stub"))
    sink = next(account for account in ledger.accounts if account.consumer == "vm")
    db.close()
    values = DEVICES * VALUES * HZ * wall_s
    return {
        "bench": "gateway",
        "offered_per_s": DEVICES * VALUES * HZ,
        "cpu_s_per_million": round((after.cpu_s - before.cpu_s) / values * 1e6, 2),
        "rss_mb": round(after.rss_mb, 1),
        "peak_rss_mb": round(after.peak_mb, 1),
        "lateness_p99_ms": round(1000 * query(store, "max(max_over_time(health_lateness_p99_s[1h]))"), 1),
        "ingested": ingested,
        "in_store": in_store(store, ingested - sink.dropped.get("text", 0)),
        "not_delivered": {"waiting": sink.buffered, "dead": sink.dead} | sink.dropped,
    }


def in_store(store: Server, expected: int) -> int:
    """Readings that VictoriaMetrics holds; it shows what it has taken only some seconds later."""
    found, deadline = 0, time.monotonic() + 15
    while found < expected and time.monotonic() < deadline:
        found = int(query(store, 'sum(count_over_time({__name__=~"telemetry_.+|health_session"}[1h]))'))
        time.sleep(1)
    return found


def query(store: Server, metricsql: str) -> float:
    """The one number that a query gives, 0 where it gives none."""
    urllib.request.urlopen(f"{store.url}/internal/force_flush").read()
    with urllib.request.urlopen(
        f"{store.url}/api/v1/query?{urllib.parse.urlencode({'query': metricsql, 'nocache': 1})}"
    ) as answer:
        result = json.load(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def naive(ports: list[int], store: Server, seconds: float) -> float:
    """CPU seconds per million values of the naive script."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "tests.benchmarks.naive", "--url", store.url]
    options = [
        "--ports",
        ",".join(map(str, ports)),
        "--values",
        str(VALUES),
        "--hz",
        str(HZ),
        "--seconds",
        str(seconds),
    ]
    answer = subprocess.run([*command, *options], capture_output=True, check=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found["cpu_s_per_million"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150, help="several minute edges by default")
    parser.add_argument("--pipeline", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--naive-seconds", type=float, default=20)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for depth in asked.pipeline:
        with tempfile.TemporaryDirectory() as name, running(victoria_metrics(Path(name))) as store:
            folder = Path(name)
            (folder / "profiles/bench").mkdir(parents=True)
            stub = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.stub_plc",
                    "--devices",
                    str(DEVICES),
                    "--registers",
                    str(2 * VALUES),
                    "--profile",
                    str(folder / "profiles/bench/stub.yaml"),
                ],
                stdout=subprocess.PIPE,
            )
            assert stub.stdout
            ports = json.loads(stub.stdout.readline())["ports"]
            ours = measure(folder, ports, store, depth, asked.seconds)
            theirs = naive(ports, store, asked.naive_seconds) if asked.naive_seconds else None
            ratio = round(theirs / float(str(ours["cpu_s_per_million"])), 1) if theirs else None
            print(json.dumps(ours | {"naive_cpu_s_per_million": theirs, "naive_over_ours": ratio}), flush=True)
            stub.terminate()
            stub.wait()


if __name__ == "__main__":
    main()

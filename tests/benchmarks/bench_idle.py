"""`lineside run configs/minimal.yaml` beside one meter: memory, CPU, time to the first stored value, bytes per day.

python -m tests.benchmarks.bench_idle [--seconds 60]
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.journal import NoJournal, open_readonly, read_ledger
from tests.benchmarks.bench_gateway import usage

_POINTS = 10


def private_mb(pid: int) -> float:
    """Memory that only this process holds."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kb = {row.split(":")[0]: int(row.split()[1]) for row in rows[1:]}
    return (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def written_mb(pid: int) -> float:
    """What the process has sent to the disk."""
    rows = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(rows["write_bytes"]) / 1e6


def stored(journal: Path) -> int:
    """Readings of the meter in the journal."""
    try:
        db = open_readonly(journal)
    except NoJournal:
        return 0
    found = sum(p.ingested for p in read_ledger(db).producers if p.name == "main-meter")
    db.close()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stub = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.benchmarks.stub_plc",
                "--devices",
                "1",
                "--registers",
                str(2 * _POINTS),
                "--profile",
                str(folder / "stub.yaml"),
            ],
            stdout=subprocess.PIPE,
        )
        assert stub.stdout
        port = json.loads(stub.stdout.readline())["ports"][0]
        (folder / "profiles/eastron").mkdir(parents=True)
        (folder / "stub.yaml").rename(folder / "profiles/eastron/sdm630.yaml")  # ten points a second in its place
        config = folder / "minimal.yaml"
        text = Path("configs/minimal.yaml").read_text().replace("127.0.0.1:502", f"127.0.0.1:{port}")
        config.write_text(text + "board: { listen: 127.0.0.1:18471 }\n")
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "gateway", "run", str(config)], stderr=subprocess.DEVNULL)
        while not stored(folder / "data/journal.db") and time.monotonic() < started + 20:
            time.sleep(0.01)
        first_s = time.monotonic() - started
        time.sleep(10)
        pids = [process.pid, *children(process.pid)]
        before = sum(usage(pid).cpu_s for pid in pids), written_mb(process.pid), time.monotonic()
        time.sleep(asked.seconds)
        wall_s = time.monotonic() - before[2]
        figures = {
            "bench": "idle",
            "tags_per_s": _POINTS,
            "first_stored_value_s": round(first_s, 2),
            "private_mb": {
                pid_name: round(private_mb(pid), 1) for pid_name, pid in zip(("gateway", "board"), pids, strict=False)
            },
            "private_mb_total": round(sum(map(private_mb, pids)), 1),
            "cpu_percent": round(100 * (sum(usage(pid).cpu_s for pid in pids) - before[0]) / wall_s, 2),
            "written_mb_per_day": round((written_mb(process.pid) - before[1]) / wall_s * 86400),
        }
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        stub.terminate()
        stub.wait()
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()

"""`make bench`: every benchmark, one JSON line each on standard output; what they do goes to standard error."""

import subprocess
import sys

BENCHES = (
    "bench_modbus",
    "bench_modbus_faults",
    "bench_plant",
    "bench_month",
    "bench_recording",
    "bench_fleet",
    "bench_sink",
    "bench_journal",
    "bench_history",
    "bench_kpi",
    "bench_kpi_query",
    "bench_idle",
    "bench_gateway",
)


def main() -> int:
    """Runs the benchmarks named on the command line, or all; the number that failed."""
    failed = 0
    for name in sys.argv[1:] or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        failed += subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""A whole shift of a scenario through the wire, many times as fast: every machine, meter, line and shift window.

`python -m tests.shifts [NAME …]` runs the shipped ones one after the other; `make soak` takes them in turn.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gateway.kpi.query import KpiReader
from tests.wire import Lived, Stage, lived, shipped
from tests.wire_truth import agree

CLOSED_MIN = 20  # until a window is final
SCENARIOS = {  # the plant's time at the beginning, hours, speed; the demo's stops would be over between two such polls
    "stamping": ("2026-03-02T05:56", 8.2, 60),
    "injection": ("2026-03-02T05:56", 8.2, 60),
    "packaging": ("2026-03-02T05:56", 8.2, 20),  # a broker takes only so many messages a second
    "steel-mill-energy": ("2026-03-02T06:00", 8.0, 60),
}


async def whole(name: str, folder: Path, seed: int | None = None, hours: float | None = None) -> dict[str, int]:
    """Runs and compares; how many numbers and windows agree. AssertionError: something does not."""
    begin, usual_h, speed = SCENARIOS[name]
    options = () if seed is None else ("--seed", str(seed))
    stage = Stage(shipped(name), speed, 60 * (hours or usual_h), begin, options=options, tail_min=CLOSED_MIN)
    day = await lived(folder, stage)
    agree(day)
    lines = sum(len(seen.lines) for seen in day.machines.values())
    return {"machines": len(day.machines), "numbers": lines, "windows": await asyncio.to_thread(windows, day)}


def windows(day: Lived) -> int:
    """Compares the parts of every whole shift, hour and line; how many there were."""
    reader, compared = KpiReader(day.database), 0
    stations = {f"line/{line}": line_of[-1] for line, line_of in day.ledger.lines.items()}
    owners = {name: [name] for name in day.machines} | {line: last for line, last in stations.items() if len(last) == 1}
    for owner, (machine, *_) in owners.items():
        counted = "output" if owner.startswith("line/") else "total"
        for tier in ("shift", "hour"):
            for row in reader.sums(owner, tier, day.began_ms, day.ledger.until_ms):
                if day.began_ms <= row.start_ms and row.end_ms <= day.ledger.until_ms:
                    least, most = possible(day, machine, row.start_ms, row.end_ms)
                    assert least <= row.sums[counted] <= most, (owner, tier, row.start_ms)
                    compared += 1
    reader.close()
    return compared


def possible(day: Lived, machine: str, from_ms: int, to_ms: int) -> tuple[int, int]:
    """How many parts a window may have, where a part is seen up to a poll after it was made."""
    book, late_ms = day.ledger.machines[machine], round(day.late_ms(machine))
    before, start, last, end = (book.counts_at(at)[0] for at in (from_ms - late_ms, from_ms, to_ms - late_ms, to_ms))
    return last - start, end - before


def main(names: Sequence[str]) -> None:
    """The command line above; one JSON line each."""
    for name in names or SCENARIOS:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"shift": name} | asyncio.run(whole(name, Path(folder)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

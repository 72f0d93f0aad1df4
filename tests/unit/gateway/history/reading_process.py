"""Another process that reads a history while it is written: prints what it saw as JSON.

    python -m tests.unit.gateway.history.reading_process HISTORY TAG READINGS

Reads until it has seen that many readings of the tag, at most 30 s.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from gateway.history import HistoryReader


def watch(path: Path, name: str, wanted: int) -> dict[str, object]:
    """Reads again and again; every read must show all readings from the first to some last one, each once."""
    reader, give_up, seen, gaps = HistoryReader(path), time.monotonic() + 30, [0], 0
    while seen[-1] < wanted and time.monotonic() < give_up:
        found = reader.raw(name, -(1 << 62), 1 << 62)
        gaps += not np.array_equal(found.value, np.arange(len(found)))
        seen.append(len(found))
    return {"seen": seen[-1], "shrunk": int((np.diff(seen) < 0).sum()), "gaps": gaps, "steps": len(set(seen))}


if __name__ == "__main__":
    print(json.dumps(watch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))

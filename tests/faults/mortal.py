"""`lineside run CONFIG`, made to die by SIGKILL at a chosen place: `python -m tests.faults.mortal CONFIG PLACE COUNT`.

PLACE is `never`, or one of the steps below; the process kills itself when it comes to that step for the COUNT-th time.
Nothing of this is in the product: the steps are wrapped from outside.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.app import run
from gateway.config import load
from gateway.journal import sqlite, writer
from gateway.kpi import worker
from gateway.signals import with_signals

PLACES: dict[str, tuple[Any, str, bool]] = {
    # place: (owner, attribute, whether to die before the step; else after it)
    "before a commit": (writer.Writer, "_commit", True),
    "inside a commit": (writer.Writer, "_count", True),
    "between commit and acknowledgement": (sqlite.SqliteJournal, "_committed", True),
    "after an acknowledgement": (sqlite.SqliteJournal, "_committed", False),
    "before a kpi.db commit": (worker.Worker, "commit", True),
    "inside a kpi.db commit": (worker.Worker, "_tidy", True),
    "after a kpi.db commit, before its results are appended": (worker.Worker, "commit", False),
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str, count: int) -> None:
    """Wraps the step of a place."""
    owner, name, before = PLACES[place]
    step: Callable[..., Any] = getattr(owner, name)
    left = [count]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if before and left[0] <= 0:
            _die()
        result = step(*args, **kwargs)
        if left[0] <= 0:
            _die()
        return result

    setattr(owner, name, wrapped)


def main() -> None:
    config, place, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if place != "never":
        arm(place, count)
    checked = load(config)
    with_signals(lambda stop: run(checked, stop))


if __name__ == "__main__":
    main()

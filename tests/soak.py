"""`make soak`: the proofs with ever new seeds, for as long as wanted; one JSON line per round.

Each round: machines over a week against the oracle, a day of a plant whose gateway is killed again and again, and a
whole shift of one of the shipped scenarios through the wire (eight minutes).
A difference ends it with the seed, which repeats it: `python -m tests.soak --seed SEED --rounds 1`.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from pathlib import Path

from tests.faults.day import Day
from tests.faults.test_kill_kpi import compare, killed_until_it_is_over
from tests.oracle.test_oracle import HOLDS, WEEKS, agree, lived
from tests.shifts import SCENARIOS, whole


def weeks(seed: int) -> int:
    """A random machine of each kind in each time zone; how many."""
    for key in WEEKS:
        for hold in HOLDS:
            agree(lived(key, hold, seed=seed))
    return len(WEEKS) * len(HOLDS)


def kills(seed: int) -> int:
    """Two simulated days with many kills; how many there were."""
    day = Day(seed, 48)
    with tempfile.TemporaryDirectory() as name:
        died = asyncio.run(killed_until_it_is_over(Path(name), day, random.Random(seed), 40))
        compare(Path(name), day)
    return len(died)


def shift(seed: int) -> dict[str, int]:
    """A whole shift of one scenario, another one for each seed, against its ledger."""
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(whole(sorted(SCENARIOS)[seed % len(SCENARIOS)], Path(name), seed))


def main() -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(description="KPI proofs with ever new seeds")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the first round")
    parser.add_argument("--rounds", type=int, default=10**9)
    parser.add_argument("--minutes", type=float, default=60)
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    for seed in range(chosen.seed, chosen.seed + chosen.rounds):
        if time.monotonic() > end:
            break
        print(json.dumps({"soak": "kpi", "seed": seed, "begins": True}), flush=True)
        done = {"machine_weeks": weeks(seed), "kills": kills(seed), "shift": shift(seed)}
        print(json.dumps({"soak": "kpi", "seed": seed, **done, "differences": 0}), flush=True)


if __name__ == "__main__":
    main()

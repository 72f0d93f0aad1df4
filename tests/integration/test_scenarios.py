"""Each shipped scenario through the wire, on a fast clock: what Lineside says is what the plant's ledger knows.

Counts equal the ledger's, OEE and its factors stay within what polls imply, energy within half a percent, and every
moment has the class that it truly had, but for one poll after a change.
"""

import re
from pathlib import Path

import pytest

from tests.wire import Stage, lived, shipped
from tests.wire_truth import agree, moments, wrong_moments

A_FIFTIETH = {"400": "8", "200": "4", "201": "5"}
STAGES = {
    "stamping": Stage(shipped("stamping"), 60, 8, "2026-03-02T09:56"),  # a break begins at 10:00
    "injection": Stage(shipped("injection"), 60, 8, "2026-03-02T06:05"),
    "packaging": Stage(shipped("packaging"), 20, 4, "2026-03-02T09:27"),  # a break begins at 09:30
    "steel-mill-energy": Stage(shipped("steel-mill-energy"), 240, 70),  # a heat takes fifty minutes
    "thousand-machines": Stage(
        re.sub(r"\b(400|200|201)\b", lambda number: A_FIFTIETH[number[0]], shipped("thousand-machines")), 20, 4
    ),
}


@pytest.mark.parametrize("name", STAGES)
async def test_lineside_says_of_a_scenario_what_its_ledger_knows(name: str, tmp_path: Path) -> None:
    day = await lived(tmp_path, STAGES[name])
    agree(day)
    assert sum(day.ledger.machines[machine].counts_at(day.ledger.until_ms)[0] > 0 for machine in day.machines) >= 2
    assert sum(len(day.ledger.machines[machine].state_ms) for machine in day.machines) > 1.5 * len(day.machines)


async def test_a_plant_that_hides_parts_and_a_ledger_of_another_moment_are_noticed(tmp_path: Path) -> None:
    """What compares must be able to fail."""
    stage = Stage(shipped("stamping"), 60, 8, "2026-03-02T09:52", options=("--hide-parts", "0.2"))
    day = await lived(tmp_path, stage)
    wrong = {line.what for seen in day.machines.values() for line in seen.lines if not line.ok}
    assert {"total", "oee"} <= wrong
    assert not {"producing_s", "availability", "energy_kwh"} & wrong
    at_ms = moments(day, "press-01")[:-1000]
    assert wrong_moments(day, "press-01", at_ms, ahead_ms=0) == []
    assert wrong_moments(day, "press-01", at_ms, ahead_ms=120_000)

"""Scores through the engine: late, shuffled and corrected values give the counts that all facts at once give."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.kpi.asset import Binding, Hold, fingerprint
from gateway.kpi.scores import COUNTED
from tests.unit.gateway.kpi.floor import Floor
from tests.unit.gateway.kpi.kit import START, Kit, Readings, Row, expected, fed, q, rows_of
from tests.unit.gateway.kpi.replayed import replayed

SCORES = tuple(f"dq_{name}" for name in COUNTED)


def checked_kit(period_ms: int, *roles: str) -> Kit:
    """The kit with ranges and flat lines; its press is polled every so often and has a level without other use."""
    kit = Kit()
    limits = {
        "energy": {"low": 12.1, "flat_ms": 40_000},
        "good": {"high": 450.0},
        "startup": {"flat_ms": 5 * period_ms},
    }
    for name, model in kit.models.items():
        hold = Hold(True, period_ms) if name == "press" else model.bindings["state"].hold
        level = {"startup": Binding("startup", kit.other, tag_name="press/temperature")} if name == "press" else {}
        every = {**model.bindings, **level}
        bound = {role: replace(one, hold=hold, **limits.get(role, {})) for role, one in every.items()}  # type: ignore[arg-type]
        if name == "press" and roles:
            bound = {role: bound[role] for role in roles}
        changed = replace(model, bindings=bound)
        kit.models[name] = replace(changed, hash=fingerprint(changed))
    return kit


def torn(kit: Kit, seconds: int, period_ms: int, seed: int) -> Readings:
    """A run of the weld, with a press whose polls are early, late, bad, missing, or stand still for a while."""
    draw = random.Random(seed)
    mine = {binding.tag for binding in kit.models["press"].bindings.values()}
    rows = [row for row in kit.run(seconds, seed=seed) if row[0] not in mine]
    for role, binding in kit.models["press"].bindings.items():
        tag, value = binding.tag, 20.0
        for poll in range(1000 * seconds // period_ms):
            time_ms = START + poll * period_ms + draw.randrange(period_ms * 2 // 5) + 7
            value += draw.choice((0, 0, 0, 0, 0, 0, 1, 3))
            if draw.random() < 0.8:
                shown = draw.choice(("EXECUTE", "IDLE", "HELD")) if role == "state" else value
                rows.append((tag, time_ms, None if draw.random() < 0.05 else shown))
    return sorted(rows, key=lambda row: row[1])


def scored(rows: dict[int, Row]) -> dict[int, tuple[int, ...]]:
    return {minute: tuple(q(row, name) for name in SCORES) for minute, row in rows.items()}


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("period_ms", [3000, 7000, 30_000])
async def test_late_values_give_the_same_scores_as_all_at_once(tmp_path: Path, seed: int, period_ms: int) -> None:
    kit = checked_kit(period_ms)
    rows = torn(kit, 700, period_ms, seed)
    draw = random.Random(seed)
    late = sorted(rows, key=lambda row: row[1] + (draw.randrange(300_000) if draw.random() < 0.3 else 0))
    await fed(kit, tmp_path / "kpi.db", kit.records(late, size=draw.choice([7, 50, 400])))
    for asset in ("press", "weld"):
        found = scored(rows_of(tmp_path / "kpi.db", asset))
        whole = scored(expected(kit, rows, tmp_path / "kpi.db", asset))
        assert len(found) > 9
        assert found == {minute: whole[minute] for minute in found}
    assert (await asyncio.to_thread(replayed, tmp_path / "kpi.db"))[1] == []


@pytest.mark.parametrize("seed", range(6))
def test_a_level_that_proves_nothing_else_is_scored_again_as_far_as_its_late_values_reach(
    tmp_path: Path, seed: int
) -> None:
    kit = checked_kit(7000, "startup")
    rows = torn(kit, 900, 7000, seed)
    draw = random.Random(seed)
    late = [row for row in rows if row[0] == kit.other and draw.random() < 0.3]
    floor = Floor(kit, tmp_path / "kpi.db")
    floor.take([row for row in rows if row not in late])
    for row in late:
        floor.take([row])
    assert scored(rows_of(floor.path, "press")) == scored(floor.scratch("press")[0])
    floor.close()


async def test_values_that_come_hours_later_raise_the_score_of_their_minute(tmp_path: Path) -> None:
    kit = Kit()
    rows = kit.run(1800)
    hole = [row for row in rows if START + 300_000 <= row[1] < START + 420_000 and row[0] in kit.ids.values()]
    others = [row for row in rows if row not in hole]
    await fed(kit, tmp_path / "kpi.db", kit.records(others))
    before = rows_of(tmp_path / "kpi.db", "press")
    await fed(kit, tmp_path / "kpi.db", kit.records(hole, first=100_000))
    after = rows_of(tmp_path / "kpi.db", "press")
    minute = START // 60_000 + 5
    assert q(before[minute], "dq_received") < 10
    assert q(after[minute], "dq_received") == q(after[minute], "dq_expected") == 240
    assert scored(after) == {one: scored(expected(kit, rows, tmp_path / "kpi.db", "press"))[one] for one in after}

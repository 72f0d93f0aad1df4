"""Late facts and minor stops in the engine: a stop is one thing, however far from its edges something becomes known."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.kpi.asset import fingerprint
from tests.unit.gateway.kpi.kit import START, Kit, fed, q, rows_of, total


def kit_with(minor_stop_ms: int) -> Kit:
    kit = Kit()
    weld = replace(kit.models["weld"], minor_stop_ms=minor_stop_ms, ideal_cycle_us=None)
    kit.models = {"weld": replace(weld, hash=fingerprint(weld))}
    return kit


def at(kit: Kit, tag: str, second: float, value: float | str) -> tuple[int, int, float | str | None]:
    return kit.reading(tag, START + round(second * 1000), value)


def life(kit: Kit, *seconds: int) -> list[tuple[int, int, float | str | None]]:
    return [(kit.session["cell"], START + second * 1000, 1.0) for second in seconds]


def presence(kit: Kit, until_s: int) -> list[tuple[int, int, float | str | None]]:
    return [(kit.alive, START + second * 1000, 1.0) for second in range(0, until_s, 10)]


LATE: dict[str, tuple[str, float | str]] = {
    "energy": ("weld/energy", 12.5),
    "total": ("weld/total", 5.0),
    "state": ("weld/state", "IDLE"),
}


@pytest.mark.parametrize("role", LATE)
async def test_a_late_sign_of_life_makes_two_minor_stops_one_real_stop(role: str, tmp_path: Path) -> None:
    kit = kit_with(minor_stop_ms=300_000)
    told = [
        *life(kit, *range(0, 241, 30), *range(350, 700, 30)),
        *presence(kit, 700),
        at(kit, "weld/state", 0, "EXECUTE"),
        at(kit, "weld/state", 60, "IDLE"),
        at(kit, "weld/state", 500, "EXECUTE"),
        at(kit, "weld/energy", 230, 12.0),
        at(kit, "weld/energy", 355, 13.0),
        at(kit, "weld/total", 231, 5),
        at(kit, "weld/total", 356, 5),
    ]
    told.sort(key=lambda reading: reading[1])
    records = kit.records(told)
    await fed(kit, tmp_path / "kpi.db", records)
    before = rows_of(tmp_path / "kpi.db", "weld")
    assert total(before, "minor_stops") == 1  # what follows the gap is the same stop
    assert total(before, "time_minor_stop") == (180 + 150) * 1_000_000

    tag, value = LATE[role]
    late = at(kit, tag, 300, value)
    await fed(kit, tmp_path / "kpi.db", kit.records([late], first=len(records) + 1))
    after = rows_of(tmp_path / "kpi.db", "weld")
    horizon_ms = START + 690_000
    assert after == kit.scratch([*told, late], "weld", START, START + 600_000, horizon_ms) | {
        minute: row for minute, row in after.items() if minute >= (START + 600_000) // 60_000
    }
    assert total(after, "time_minor_stop") == 0
    assert total(after, "time_idle") == 440 * 1_000_000
    assert (total(after, "stops"), total(after, "minor_stops")) == (1, 0)


async def test_an_open_stop_that_grows_beyond_the_threshold_takes_its_closed_minutes_along(tmp_path: Path) -> None:
    kit = kit_with(minor_stop_ms=150_000)
    told = [
        *life(kit, *range(0, 400, 30)),
        *presence(kit, 400),
        at(kit, "weld/state", 0, "EXECUTE"),
        at(kit, "weld/state", 50, "IDLE"),
        at(kit, "weld/state", 220, "EXECUTE"),
    ]
    told.sort(key=lambda reading: reading[1])
    records = kit.records(told, size=1)
    soon = [record for record in records if record.batch.time_ns[0] // 1_000_000 <= START + 180_000]
    await fed(kit, tmp_path / "kpi.db", soon)
    early = rows_of(tmp_path / "kpi.db", "weld")
    assert q(early[START // 60_000], "time_minor_stop") == 10_000_000
    await fed(kit, tmp_path / "kpi.db", records)
    late = rows_of(tmp_path / "kpi.db", "weld")
    assert q(late[START // 60_000], "time_minor_stop") == 0
    assert q(late[START // 60_000], "time_idle") == 10_000_000
    assert total(late, "time_idle") == 170_000_000

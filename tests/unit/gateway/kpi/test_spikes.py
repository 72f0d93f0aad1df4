"""Garbage that a counter shows for one reading, through the engine: in whatever order its readings come."""

import random
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from gateway.kpi.asset import fingerprint
from gateway.kpi.closing import Limits
from tests.unit.gateway.kpi.kit import START, Kit, Readings, expected, fed, rows_of, total

MINUTE = 60_000


def kit() -> Kit:
    """Only weld, whose energy cannot be more than 60 kW."""
    found = Kit()
    weld = found.models["weld"]
    bindings = {**weld.bindings, "energy": replace(weld.bindings["energy"], most_w=60_000)}
    found.models = {"weld": replace(found.models["weld"], bindings=bindings)}
    found.models["weld"] = replace(found.models["weld"], hash=fingerprint(found.models["weld"]))
    return found


def life(kit: Kit, minutes: int) -> Readings:
    beats = range(0, minutes * MINUTE, 10_000)
    return [kit.reading(tag, START + at, 1.0) for at in beats for tag in (kit.alive, kit.session["cell"])]


def counters(kit: Kit, dice: random.Random, minutes: int) -> Readings:
    """Readings every six minutes or so; some show garbage, some are bad, some counters begin anew."""
    found, parts, kwh = [kit.reading("weld/state", START, "EXECUTE")], 40_000, 300.0
    for at in range(0, minutes * MINUTE, 400_000):
        parts, kwh = parts + dice.randrange(300), kwh + dice.random()
        parts, kwh = (0, 0.0) if dice.random() < 0.04 else (parts, kwh)
        odd = [None, parts + 20_000.0, parts + 20_030.0, parts - 9_000.0]
        for tag, value in (("weld/total", float(parts)), ("weld/energy", round(kwh, 4))):
            shown = dice.choice(odd) if dice.random() < 0.3 else value
            found.append(kit.reading(tag, START + at + dice.randrange(40_000), shown))
    return found


async def test_parts_and_energy_around_a_spike_are_those_of_the_readings_beside_it(tmp_path: Path) -> None:
    plant, path = kit(), tmp_path / "kpi.db"
    told = [plant.reading("weld/state", START, "EXECUTE"), *life(plant, 9)]
    for minute, (parts, kwh) in enumerate([(10, 5.0), (65_000, 900.0), (12, 5.5), (13, 5.75)]):
        told += [
            plant.reading(f"weld/{role}", START + minute * MINUTE, v) for role, v in (("total", parts), ("energy", kwh))
        ]
    await fed(plant, path, plant.records(sorted(told, key=lambda one: one[1]), size=1))
    rows = rows_of(path, "weld")
    assert (total(rows, "total"), total(rows, "energy")) == (3, 750_000)
    assert (total(rows, "counter_anomalies"), total(rows, "facts_bad")) == (2, 2)
    assert plant.inbox.bucket("weld", "energy")[START // MINUTE] == 250_000


@pytest.mark.parametrize("seed", range(5, 12))
async def test_readings_in_any_order_and_pieces_count_as_all_of_them_at_once(tmp_path: Path, seed: int) -> None:
    plant, path, dice = kit(), tmp_path / "kpi.db", random.Random(seed)
    told, presence = counters(plant, dice, 120), life(plant, 125)
    late = dice.sample(told, 5)
    on_time = sorted([*presence, *(one for one in told if one not in late)], key=lambda one: one[1])
    cut = len(late) // 2
    records = plant.records(on_time, size=20)
    records += plant.records(late[:cut], size=1, first=len(records) + 1)
    await fed(plant, path, records)
    await fed(plant, path, plant.records(late[cut:], size=2, first=len(records) + 1))
    stored = rows_of(path, "weld")
    assert stored == {
        minute: row for minute, row in expected(plant, told + presence, path, "weld").items() if minute in stored
    }
    assert total(stored, "counter_anomalies") > 0


async def test_energy_that_a_spike_may_still_move_is_not_final(tmp_path: Path) -> None:
    plant, path = kit(), tmp_path / "kpi.db"
    told = [plant.reading("weld/state", START, "EXECUTE"), *life(plant, 30)]
    for minute, kwh in enumerate([5.0, 5.1, 5.2, 900.0]):
        told.append(plant.reading("weld/energy", START + minute * MINUTE, kwh))
    limits = Limits(lateness_ms=MINUTE)
    await fed(plant, path, plant.records(sorted(told, key=lambda one: one[1]), size=20), limits=limits)
    db = apsw.Connection(str(path))
    ((final_ms,),) = db.execute("SELECT final_ms FROM progress WHERE owner = 'weld'").fetchall()
    db.close()
    assert final_ms == START + 2 * MINUTE

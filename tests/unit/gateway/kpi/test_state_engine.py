"""States of several tags from the config through the engine into kpi.db, with what people see of them."""

from dataclasses import replace
from pathlib import Path

import apsw

from gateway.kpi.config import AssetConfig
from gateway.kpi.reasons import ReasonConfig
from gateway.kpi.roles import build_models
from gateway.model import Tag, TagType
from tests.unit.gateway.kpi.kit import START, Kit, Readings, fed, rows_of, total

ROBOT = {
    "state": {
        "first_of": [
            {"tag": "alarm", "fault": True},
            {"tag": "mode", "maintenance": "Service"},
            {"counter": "parts", "idle_after": "30s", "otherwise": "starved"},
        ]
    },
    "total": "parts",
    "minor_stop": "25s",
}


def robot() -> Kit:
    """A plant whose only asset is a robot with an alarm, a mode and a counter, all reported on change."""
    kit = Kit()
    for point, kind in {"alarm": TagType.BOOL, "mode": TagType.TEXT, "parts": TagType.INT}.items():
        name = f"robot/{point}"
        kit.ids[name] = kit.inbox.add(Tag(name, kind, source="cell", counter=point == "parts"))
    config = {"robot": AssetConfig.model_validate(ROBOT)}
    reasons = {"jam": ReasonConfig.model_validate({"class": "fault"})}
    kit.models = build_models(config, {}, {}, kit.inbox.tags, replace(kit.site, lines={}), reasons=reasons)
    return kit


def alive(kit: Kit) -> Readings:
    """Signs of life of the source and of the gateway."""
    told: Readings = [(kit.session["cell"], START + second * 1000, 1.0) for second in range(0, 320, 30)]
    return [*told, *((kit.alive, START + second * 1000, 1.0) for second in range(0, 320, 10))]


def segments_of(path: Path) -> list[tuple[object, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    columns = f"(from_ms - {START}) / 1000.0, (to_ms - {START}) / 1000.0, class, state"
    found = db.execute(f"SELECT {columns} FROM segment WHERE asset = 'robot' ORDER BY from_ms").fetchall()
    db.close()
    return [*found]


async def test_the_states_of_several_tags_reach_kpi_db_with_their_words(tmp_path: Path) -> None:
    kit = robot()
    rows = [*alive(kit), kit.reading("robot/alarm", START, 0.0), kit.reading("robot/mode", START, "Auto")]
    rows += [kit.reading("robot/parts", START + second * 1000, second) for second in (0, 10, 20, 30, 40, 50, 60, 80)]
    rows += [kit.reading("robot/alarm", START + 100_000, 1.0), kit.reading("robot/alarm", START + 140_000, 0.0)]
    rows += [kit.reading("robot/mode", START + 180_000, "Service"), kit.reading("robot/mode", START + 240_000, "Auto")]
    rows += [kit.reading("robot/parts", START + second * 1000, second) for second in (250, 260, 270, 280, 290, 300)]
    rows.sort(key=lambda reading: reading[1])
    await fed(kit, tmp_path / "kpi.db", kit.records(rows, size=7))
    assert segments_of(tmp_path / "kpi.db") == [
        (0, 10, "minor_stop", "parts stands still"),
        (10, 80, "producing", "parts moves"),
        (80, 100, "starved", "parts stands still"),
        (100, 140, "fault", "alarm = 1"),
        (140, 180, "starved", "parts stands still"),
        (180, 240, "maintenance", "Service"),
        (240, 250, "minor_stop", "parts stands still"),
        (250, 300, "producing", "parts moves"),
    ]
    minutes = rows_of(tmp_path / "kpi.db", "robot")
    assert total(minutes, "time_maintenance") == 60_000_000
    assert total(minutes, "time_fault") == 40_000_000
    assert total(minutes, "planned") == 240_000_000
    assert (total(minutes, "stops"), total(minutes, "minor_stops"), total(minutes, "faults")) == (2, 1, 1)


async def test_the_order_in_which_the_tags_arrive_does_not_matter(tmp_path: Path) -> None:
    kit = robot()
    rows = alive(kit)
    rows += [kit.reading("robot/alarm", START + at * 1000, float(at % 100 == 0)) for at in range(0, 300, 50)]
    rows += [kit.reading("robot/mode", START + at * 1000, "Auto") for at in range(0, 300, 70)]
    counted = (*range(0, 90, 10), *range(200, 300, 10))
    rows += [kit.reading("robot/parts", START + at * 1000, at) for at in counted]
    in_order = sorted(rows, key=lambda reading: reading[1])
    await fed(kit, tmp_path / "a.db", kit.records(in_order, size=5))
    by_tag = sorted(in_order, key=lambda reading: reading[0])  # the horizon's clock first, then tag by tag
    await fed(robot(), tmp_path / "b.db", kit.records(by_tag, size=11))
    assert rows_of(tmp_path / "a.db", "robot") == rows_of(tmp_path / "b.db", "robot")
    assert segments_of(tmp_path / "a.db") == segments_of(tmp_path / "b.db")

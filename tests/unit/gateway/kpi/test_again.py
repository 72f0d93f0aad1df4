"""Minutes that are computed again because somebody asks for it, with today's model or the recorded ones."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.kpi import worker as worker_module
from gateway.kpi.asset import Hold, fingerprint
from gateway.kpi.buckets import quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.closing import Limits
from gateway.kpi.entries import COUNT, Entry
from gateway.kpi.facts import Series
from gateway.kpi.model import ModelHistory
from gateway.kpi.store import Row
from gateway.model import Tag, TagType
from tests.unit.gateway.kpi.floor import Floor
from tests.unit.gateway.kpi.kit import START, Kit

MINUTE = START // 60_000
HOUR = 3_600_000


def faster(kit: Kit) -> None:
    model = replace(kit.models["press"], ideal_cycle_us=500_000)
    kit.models["press"] = replace(model, hash=fingerprint(model))


def ideal(floor: Floor) -> dict[int, int]:
    """Minute from the start → ideal time per part in ms, as stored."""
    rows: dict[int, Row] = floor.stored("press")[0]
    at, parts = quantities.index("ideal_total"), quantities.index("total")
    return {n - MINUTE: row[at] // row[parts] // 1000 for n, row in rows.items() if row[parts]}


def ran(path: Path) -> Floor:
    """Ten minutes with a model of 1 s a part, then ten with one of half a second."""
    kit = Kit()
    floor = Floor(kit, path / "kpi.db")
    rows = kit.run(1200)
    floor.take(rows[: len(rows) // 2])
    floor.close()
    faster(kit)
    floor.open()
    floor.take(rows[len(rows) // 2 :])
    return floor


def test_with_the_current_model_only_the_range_changes_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    floor = ran(tmp_path)
    before = ideal(floor)
    assert set(before.values()) == {1000, 500}
    changed = {minute for minute, each in before.items() if each == 1000}
    span = (START + 120_000, START + 240_000)
    assert floor.worker.recompute(["press"], *span, current=True, by="an", at_ms=7) == 2
    floor.commit()
    after = ideal(floor)
    assert {minute for minute in changed if after[minute] == 500} == {2, 3}
    floor.close()
    floor.open()
    late = [floor.kit.reading("press/good", START + 130_500, 401.0)]
    floor.take([*late, (floor.kit.alive, START + 1_260_000, 1.0)])
    assert ideal(floor)[2] == 500
    assert ideal(floor)[4] == 1000
    revised = floor.worker.store.rows(
        "SELECT minute FROM minute WHERE asset = 'press' AND revision > 0 ORDER BY minute"
    )
    assert {minute - MINUTE for (minute,) in revised} >= {2, 3}
    (audit,) = floor.worker.store.rows("SELECT at_ms, kind, owner, by, detail FROM audit")
    assert audit[:4] == (7, "recompute", "press", "an")
    assert json.loads(audit[4]) == {"from_ms": span[0], "to_ms": span[1], "model": "current"}
    floor.close()


def test_with_the_recorded_models_nothing_changes_but_damage_is_repaired(tmp_path: Path) -> None:
    floor = ran(tmp_path)
    before = {owner: floor.stored(owner) for owner in ("press", "weld", "line/hall")}
    floor.worker.store.db.execute(f"UPDATE minute SET total = 999 WHERE asset = 'press' AND minute = {MINUTE + 3}")
    assert floor.worker.recompute([], START, START + 2 * HOUR, current=False, by="an", at_ms=7) > 30
    floor.commit()
    assert {owner: floor.stored(owner) for owner in before} == before
    floor.close()


def test_a_long_range_is_done_in_pieces_also_over_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_PIECE_MS", 180_000)
    monkeypatch.setattr(worker_module, "_LEAST_MS", 60_000)
    floor = ran(tmp_path)
    assert floor.worker.recompute(["press"], START, START + HOUR, current=True, by="an", at_ms=7) == 19
    floor.close()
    floor.open()
    floor.worker.commit(0)
    assert floor.worker.behind
    floor.close()
    floor.open()
    assert floor.worker.behind
    floor.commit()
    assert set(ideal(floor).values()) == {500}
    floor.close()


def test_a_final_shift_that_changes_because_somebody_asked_says_who(tmp_path: Path) -> None:
    config = {"shifts": {"first": "20:27-20:33", "second": "20:33-22:00"}}
    kit = Kit(calendar=Calendar.from_config(CalendarConfig.model_validate(config), "UTC"))
    floor = Floor(kit, tmp_path / "kpi.db", Limits(lateness_ms=60_000))
    rows = kit.run(900)
    floor.take(rows)
    faster(kit)
    floor.close()
    floor.open()
    floor.worker.recompute(["press"], START, START + 120_000, current=True, by="an", at_ms=7)
    floor.commit()
    found = floor.worker.store.rows("SELECT kind, owner, by FROM audit ORDER BY id")
    owners = ("press", "line/hall", "site/plant")
    assert found == [("recompute", "press", "an"), *(("reopened", owner, "recompute by an") for owner in owners)]
    late = kit.reading("press/good", START + 20_600, 1.0)
    floor.take([late])
    found = floor.worker.store.rows("SELECT by FROM audit WHERE kind = 'reopened' ORDER BY id")
    assert [by for (by,) in found[3:]] == ["late facts"] * 3
    floor.close()


def test_a_final_shift_that_changes_because_people_booked_something_names_them(tmp_path: Path) -> None:
    config = {"shifts": {"first": "20:27-20:33", "second": "20:33-22:00"}}
    kit = Kit(calendar=Calendar.from_config(CalendarConfig.model_validate(config), "UTC"))
    floor = Floor(kit, tmp_path / "kpi.db", Limits(lateness_ms=60_000))
    floor.take(kit.run(900))
    at = START + 20_600
    said = [Entry(name, COUNT, at, at, 1.0, role="scrap", by=name) for name in ("Lan", "An", "Lan")]
    scrap = {("press", "scrap_booked"): Series.of([at, at, at], [1.0, 1.0, 1.0], seq=[1, 2, 3])}
    floor.take([], scrap, entries=tuple(("press", entry) for entry in said))
    floor.take([kit.reading("press/good", at, 1.0)])
    found = floor.worker.store.rows("SELECT owner, by FROM audit WHERE kind = 'reopened' ORDER BY id")
    owners = ("press", "line/hall", "site/plant")
    assert found == [(owner, by) for by in ("booked by An, Lan", "late facts") for owner in owners]
    floor.close()


def test_history_that_nobody_watched_stays_as_it_was_when_a_gateway_that_watches_corrects_it(tmp_path: Path) -> None:
    """A recording of another system has no sessions: its values hold until the next one, for ever."""
    kit = Kit()
    kit.models["weld"] = kit.model("weld", Hold(False, 0, -1))
    floor = Floor(kit, tmp_path / "kpi.db")
    rows = [kit.reading("weld/state", START + 1000 * at, state) for at, state in ((0, "EXECUTE"), (900, "IDLE"))]
    floor.take([*rows, (kit.alive, START + 1_000_000, 1.0)])
    before = floor.stored("weld")[0]
    floor.close()
    kit.models["weld"] = kit.model("weld", Hold(False, 0, kit.session["cell"]))
    floor.open()
    scrap = {("weld", "scrap_booked"): Series.of([START + 300_500], [2.0], seq=[1])}
    floor.take([(kit.alive, START + 1_300_000, 1.0)], scrap)
    after = floor.stored("weld")[0]
    producing, unknown = quantities.index("time_producing"), quantities.index("time_unknown")
    for minute in range(MINUTE, MINUTE + 15):
        assert after[minute][producing] == before[minute][producing] == 60_000_000, minute - MINUTE
        assert after[minute][unknown] == 0
    assert after[MINUTE + 5][quantities.index("scrap")] == 2
    floor.close()


def test_a_source_that_was_renamed_leaves_the_past_as_it_was(tmp_path: Path) -> None:
    """Its new session proves nothing of the time before: late facts there are computed with the old one."""
    kit = Kit()
    kit.models["weld"] = kit.model("weld", Hold(False, 0, kit.session["cell"]))
    floor = Floor(kit, tmp_path / "kpi.db")
    up = [(kit.session["cell"], START + 1000 * at, 1.0) for at in range(0, 1000, 30)]
    rows = [kit.reading("weld/state", START, "EXECUTE"), *up, (kit.alive, START + 1_000_000, 1.0)]
    floor.take(rows)
    before = floor.stored("weld")[0]
    floor.close()
    hall = kit.inbox.add(Tag("source/hall/session", TagType.BOOL))
    kit.models["weld"] = kit.model("weld", Hold(False, 0, hall))
    floor.open()
    scrap = {("weld", "scrap_booked"): Series.of([START + 300_500], [2.0], seq=[1])}
    floor.take([(kit.alive, START + 1_300_000, 1.0)], scrap)
    after = floor.stored("weld")[0]
    producing = quantities.index("time_producing")
    for minute in range(MINUTE, MINUTE + 15):
        assert after[minute][producing] == before[minute][producing] == 60_000_000, minute - MINUTE
    assert after[MINUTE + 5][quantities.index("scrap")] == 2
    floor.close()


def test_what_can_no_longer_be_computed_is_said_and_what_never_was_is_nothing(tmp_path: Path) -> None:
    kit = Kit()
    floor = Floor(kit, tmp_path / "kpi.db", Limits(facts_ms=HOUR))
    assert floor.worker.recompute([], START, START + HOUR, current=True, by="an", at_ms=7) == 0
    floor.take(kit.run(300))
    for minutes in (180, 185):
        floor.take(kit.run(300, start_ms=START + minutes * 60_000))
    with pytest.raises(ValueError, match=r"press: its facts are kept since 2026-05-28 22:3\d UTC only: begin there"):
        floor.worker.recompute(["press"], START, START + 4 * HOUR, current=True, by="an", at_ms=7)
    with pytest.raises(KeyError):
        floor.worker.recompute(["drill"], START, START + HOUR, current=True, by="an", at_ms=7)
    assert floor.worker.recompute(["press"], START - HOUR, START, current=True, by="an", at_ms=7) == 0
    assert floor.worker.store.rows("SELECT * FROM audit") == []
    floor.close()


def test_a_history_with_the_newest_model_laid_in_has_no_two_equal_neighbours() -> None:
    kit = Kit()
    old = kit.models["press"]
    faster(kit)
    new = kit.models["press"]
    history = ModelHistory((-(2**62), 1000), (old, new))
    assert history.with_current(100, 200).starts == (-(2**62), 100, 200, 1000)
    assert [one.hash for one in history.with_current(100, 200).models] == [old.hash, new.hash, old.hash, new.hash]
    assert history.with_current(100, 1000).starts == (-(2**62), 100)
    assert history.with_current(-(2**62), 5000).models == (new,)
    assert history.with_current(100, 200).with_current(200, 1000) == history.with_current(100, 1000)
    assert history.with_current(2000, 3000) == history

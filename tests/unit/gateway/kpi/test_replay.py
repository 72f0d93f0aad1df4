"""Replay finds every number that the facts do not give, and says what it did not compare."""

import json
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from gateway.kpi import replay as replay_module
from gateway.kpi.asset import fingerprint
from gateway.kpi.closing import Limits
from gateway.kpi.intervals import Interval
from gateway.kpi.reading import audit_records, reading
from gateway.kpi.replay import Difference, replay
from gateway.kpi.store import StoreError
from tests.unit.gateway.kpi.floor import Floor
from tests.unit.gateway.kpi.kit import START, Kit, rows_of
from tests.unit.gateway.kpi.replayed import replayed

MINUTE = START // 60_000
ORDER = Interval("o", "order", START + 130_000, START + 400_000, "A-1")


def stored(path: Path) -> None:
    """A file with twenty minutes of two assets, an order and a change of the config in the middle."""
    kit = Kit()
    floor = Floor(kit, path)
    rows = kit.run(1200)
    floor.take(rows[: len(rows) // 2], said={"press": [ORDER]})
    floor.close()
    model = replace(kit.models["press"], ideal_cycle_us=500_000)
    kit.models["press"] = replace(model, hash=fingerprint(model))
    floor.open()
    floor.take(rows[len(rows) // 2 :])
    floor.close()


def change(path: Path, sql: str) -> None:
    db = apsw.Connection(str(path))
    db.execute(sql)
    assert db.changes()
    db.close()


def test_what_was_stored_is_what_the_facts_give_over_changes_of_the_config_and_in_small_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kpi.db"
    stored(path)
    count = len(rows_of(path, "press")) + len(rows_of(path, "weld"))
    assert count > 36
    assert replayed(path) == (count, [])
    monkeypatch.setattr(replay_module, "_PIECE_MS", 120_000)
    assert replayed(path) == (count, [])


def test_a_number_that_was_changed_by_hand_is_named_with_both_values(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    stored(path)
    change(path, f"UPDATE minute SET total = total + 7 WHERE asset = 'weld' AND minute = {MINUTE + 4}")
    (found,) = replayed(path)[1]
    assert (found.asset, found.minute, found.quantity, found.product) == ("weld", MINUTE + 4, "total", None)
    assert found.stored == found.computed + 7


def test_a_slice_that_was_changed_or_is_gone_is_named_with_its_order(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    stored(path)
    change(path, f"UPDATE slice SET good = good + 1 WHERE order_id = 'A-1' AND minute = {MINUTE + 3}")
    change(path, f"DELETE FROM slice WHERE order_id = 'A-1' AND minute = {MINUTE + 4}")
    first, second = replayed(path)[1]
    assert (first.quantity, first.order, first.stored - first.computed) == ("good", "A-1", 1)
    assert second == Difference("press", MINUTE + 4, "minute", 0, 1, "", "A-1")


def test_a_minute_that_is_gone_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    stored(path)
    change(path, f"DELETE FROM minute WHERE asset = 'press' AND minute = {MINUTE + 5}")
    assert replayed(path)[1] == [Difference("press", MINUTE + 5, "minute", 0, 1)]


@pytest.mark.parametrize("sql", ["DELETE FROM fact WHERE role = 'total'", "DELETE FROM interval"])
def test_facts_that_are_gone_show_in_what_rested_on_them(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "kpi.db"
    stored(path)
    change(path, sql)
    quantities = {one.quantity for one in replayed(path)[1]}
    assert quantities >= ({"total", "ideal_total"} if "fact" in sql else {"time_order"})


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    kit = Kit()
    floor = Floor(kit, path, Limits(facts_ms=3_600_000))
    for hours in (0, 3, 6):
        floor.take(kit.run(300, start_ms=START + hours * 3_600_000))
    closed = floor.worker.progress["press"].closed_ms
    sealed = floor.worker.progress["press"].sealed_ms
    waiting = (closed - 180_000, closed - 120_000)
    floor.worker.store.db.execute(f"INSERT OR REPLACE INTO meta VALUES ('later', '{json.dumps({'press': [waiting]})}')")
    floor.close()
    with reading(path) as db:
        pieces = list(replay(db, "press", START, START + 7 * 3_600_000))
        (nothing,) = replay(db, "drill", START, START + 60_000)
    said = {piece.left_out: (piece.from_ms, piece.to_ms) for piece in pieces if piece.left_out}
    assert said == {
        "lies before the facts that are kept": (START, sealed),
        "waits to be computed again": waiting,
        "is not closed yet": (closed, START + 7 * 3_600_000),
    }
    assert sum(piece.minutes for piece in pieces) == (closed - sealed) // 60_000 - 1
    assert nothing.left_out == "has no facts"
    assert not any(piece.differences for piece in pieces)


def test_a_file_that_is_not_there_or_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist yet: the gateway writes it"), reading(tmp_path / "kpi.db"):
        pass
    stored(tmp_path / "kpi.db")
    change(tmp_path / "kpi.db", "UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(StoreError, match="use the Lineside that wrote it"), reading(tmp_path / "kpi.db"):
        pass


def test_audit_records_are_the_newest_first_and_of_those_who_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    floor = Floor(Kit(), path)
    for number, owner in enumerate(("press", "weld", "press")):
        floor.worker.store.add_audit(number, "recompute", owner, "an", json.dumps({"number": number}))
    floor.close()
    with reading(path) as db:
        assert [one.detail["number"] for one in audit_records(db, (), 10)] == [2, 1, 0]
        assert [one.detail["number"] for one in audit_records(db, ["press"], 10)] == [2, 0]
        assert [one.at_ms for one in audit_records(db, (), 1)] == [2]

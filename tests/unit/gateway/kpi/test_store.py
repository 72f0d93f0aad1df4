"""kpi.db: what it refuses to open, and how segments and chunks are kept."""

from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.buckets import quantities
from gateway.kpi.facts import FOREVER_MS, Series, merge_all
from gateway.kpi.intervals import Interval
from gateway.kpi.store import Store, StoreError, joined

HOUR = 3_600_000


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    path.write_text("this is a text file and not a database, whatever its name says. " * 20)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"is not a kpi\.db .*move it away"):
        Store(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kpi.db"
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE journal (x)")
    db.close()
    with pytest.raises(StoreError, match=r"is not a kpi\.db"):
        Store(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "kpi.db")
    store.put(schema="3")
    store.close()
    with pytest.raises(StoreError, match="schema"):
        Store(tmp_path / "kpi.db")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "missing" / "kpi.db")


def test_chunks_give_back_all_parts_and_the_usable_neighbours(tmp_path: Path) -> None:
    store = Store(tmp_path / "kpi.db")
    near, far = Series.of([10 * HOUR + 5], [2.0]), Series.of([20 * HOUR], [9.0])
    gone = [Series.of([n * HOUR], [float(n)]) for n in (5, 6, 7)]
    nearer = [Series.of([n * HOUR], [float(n)]) for n in (8, 9)]
    dark = Series.of([11 * HOUR, 12 * HOUR], [0.0, 0.0], [False, False])
    inside = [Series.of([15 * HOUR + n], [float(n)]) for n in (3, 1, 2)]
    with store.transaction():
        for part, series in enumerate([*gone, *nearer, near, far, dark, *inside]):
            store.chunks.put("press", "total", part, series)
    found = store.chunks.window("press", "total", 15 * HOUR, 15 * HOUR + 100)
    assert found == merge_all([*nearer, near, dark, *inside, far])
    with store.transaction():
        store.chunks.compact(16 * HOUR, 100)
    assert store.chunks.window("press", "total", 15 * HOUR, 15 * HOUR + 100) == found
    assert store.rows("SELECT count(*) FROM fact WHERE hour = 15") == [(1,)]
    with store.transaction():
        store.chunks.forget("press", 15 * HOUR, 100)
    assert store.rows("SELECT min(hour) FROM fact") == [(10,)]
    store.close()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10), st.sampled_from("abc")), max_size=12))
def test_segments_are_the_same_in_whatever_pieces_they_were_written(writes: list[tuple[int, int, str]]) -> None:
    store = Store(Path(":memory:"))
    truth = np.full(45, "", dtype="<U1")
    for start, length, kind in writes:
        truth[start : start + length] = kind
        store.replace_segments("press", start, start + length, [(start, start + length, kind, kind, kind)])
    found = store.rows("SELECT from_ms, to_ms, class, state, reason FROM segment ORDER BY from_ms")
    assert found == joined((n, n + 1, str(kind), str(kind), str(kind)) for n, kind in enumerate(truth) if kind)
    store.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "kpi.db")

    def work() -> None:
        with store.transaction():
            store.put(position=7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert store.get("position") == ""
    assert len(store.chunks.window("press", "total", 0, FOREVER_MS)) == 0
    store.close()


def test_slices_are_forgotten_with_their_minutes_and_their_days_stay() -> None:
    store = Store(Path(":memory:"))
    row = tuple(range(len(quantities)))
    minutes = dict.fromkeys((5, 6, 9), (("lid", "SO-1", row), ("lid", "SO-2", row)))
    store.splits.replace("press", minutes)
    store.splits.add_to_day("press", "2026-06-01", {5: minutes[5], 6: minutes[6]})
    store.splits.add_to_day("press", "2026-06-01", {9: minutes[9]})
    days = store.rows("SELECT * FROM slice_day ORDER BY order_id")
    assert days[0] == ("press", "2026-06-01", "lid", "SO-1", 300_000, 600_000, *(3 * n for n in row))
    store.splits.forget("press", 9 * 60_000, 1)
    assert set(store.splits.of("press", 0, 99)) == {6, 9}
    store.splits.forget("press", 9 * 60_000, 99)
    assert store.splits.of("press", 0, 99) == {9: minutes[9]}
    assert store.rows("SELECT * FROM slice_day ORDER BY order_id") == days
    store.splits.sum_day("press", "2026-06-01", 0, 99)
    assert store.rows("SELECT first_ms, last_ms FROM slice_day") == [(540_000, 600_000)] * 2
    store.close()


def test_intervals_come_back_as_they_were_written_and_only_those_that_touch_the_range() -> None:
    store = Store(Path(":memory:"))
    some = [Interval("a", "stop", 10, 20, "tool"), Interval("b", "order", 15, FOREVER_MS, "SO-1", 3, usable=False)]
    store.intervals.put("press", some)
    store.intervals.put("weld", [Interval("a", "planned", 0, 99, "meeting")])
    assert store.intervals.of("press", 19, 30) == tuple(some)
    assert store.intervals.of("press", 20, 30) == tuple(some[1:])
    assert store.intervals.of("press", 0, 15) == tuple(some[:1])
    store.intervals.put("press", [Interval("a", "stop", 12, 13, "", 1)])
    assert store.intervals.of("press", 0, 15) == (Interval("a", "stop", 12, 13, "", 1),)
    store.close()

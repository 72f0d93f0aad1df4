"""kpi.db: what it refuses to open, and how segments and chunks are kept."""

from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.facts import FOREVER_MS, Series, merge_all
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
    dark = Series.of([11 * HOUR, 12 * HOUR], [0.0, 0.0], [False, False])
    inside = [Series.of([15 * HOUR + n], [float(n)]) for n in (3, 1, 2)]
    with store.transaction():
        for part, series in enumerate([near, far, dark, *inside]):
            store.chunks.put("press", "total", part, series)
    found = store.chunks.window("press", "total", 15 * HOUR, 15 * HOUR + 100)
    assert found == merge_all([near, dark, *inside, far])
    with store.transaction():
        store.chunks.compact(16 * HOUR, 100)
    assert store.chunks.window("press", "total", 15 * HOUR, 15 * HOUR + 100) == found
    assert store.rows("SELECT count(*) FROM fact WHERE hour = 15") == [(1,)]
    with store.transaction():
        store.chunks.forget("press", 15 * HOUR, 100)
    assert store.rows("SELECT min(hour) FROM fact") == [(12,)]
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

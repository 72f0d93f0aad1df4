"""Versions on the disk: written whole, never changed, told apart from what was edited."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gateway.energy.baseline.fitting import fitted
from gateway.energy.baseline.periods import Collected
from gateway.energy.baseline.record import Ask, Baseline, LeftOut, Period
from gateway.energy.baseline.store import Baselines, Broken
from gateway.ports import Unusable


@pytest.fixture
def made() -> Baseline:
    rng = np.random.default_rng(1)
    rows = ((100 * rng.random(), 1 / 3 + 50 * rng.random()) for _ in range(20))
    periods = tuple(Period(day, day + 1, 7 + 2 * x + e, (x,)) for day, (e, x) in enumerate(rows))
    found = Collected(periods, (LeftOut(99, "is not final yet"),), ("kWh", "parts"), ("a", "b"))
    ask = Ask("line/hall", "", "electricity", "day", ("total",))
    baseline = fitted("hall", ask, found, (0, 20), ZoneInfo("Asia/Ho_Chi_Minh"), {"shifts": "3"})
    return replace(baseline, made_at_ms=1_780_000_000_123, by="an", note="vor dem Umbau: 3 °C")


@pytest.fixture
def store(tmp_path: Path) -> Baselines:
    return Baselines(tmp_path / "baselines")


def test_a_baseline_comes_back_to_the_last_bit(store: Baselines, made: Baseline) -> None:
    stored = store.add(made)
    assert stored == replace(made, version=1)
    assert store.get("hall") == stored


def test_a_new_fit_is_a_new_version_and_the_old_one_stays(store: Baselines, made: Baseline) -> None:
    first, second = store.add(made), store.add(replace(made, note="again"))
    assert [one.version for one in (first, second)] == [1, 2]
    assert store.get("hall").note == "again"
    assert store.get("hall", 1) == first
    assert store.versions("hall") == [1, 2]
    assert store.names() == ["hall"]


def test_two_writers_at_once_get_versions_of_their_own(store: Baselines, made: Baseline) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = [one.version for one in pool.map(lambda n: store.add(replace(made, note=str(n))), range(40))]
    assert sorted(versions) == list(range(1, 41))
    assert {store.get("hall", version).note for version in versions} == {str(n) for n in range(40)}


def test_nothing_but_whole_versions_is_left_in_the_folder(store: Baselines, made: Baseline, tmp_path: Path) -> None:
    store.add(made)
    assert [path.name for path in (tmp_path / "baselines" / "hall").iterdir()] == ["1.json"]


def test_a_file_that_was_begun_and_never_finished_is_no_version(
    store: Baselines, made: Baseline, tmp_path: Path
) -> None:
    """As a power cut leaves it."""
    store.add(made)
    (tmp_path / "baselines" / "hall" / ".new-x7").write_bytes(b'{"format": 1, "sha')
    assert store.versions("hall") == [1]
    assert store.add(made).version == 2


def test_a_version_that_was_edited_is_refused(store: Baselines, made: Baseline, tmp_path: Path) -> None:
    store.add(made)
    path = tmp_path / "baselines" / "hall" / "1.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data))
    assert store.get("hall").by == "an"  # other blanks are no other content
    data["baseline"]["model"]["base"] += 1
    path.write_text(json.dumps(data))
    with pytest.raises(Broken, match="was changed after it was written"):
        store.get("hall")


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 1, "sha256": "", "baseline": {"name": 3}}'])
def test_a_file_that_is_no_baseline_says_which_one(store: Baselines, made: Baseline, tmp_path: Path, text: str) -> None:
    store.add(made)
    (tmp_path / "baselines" / "hall" / "1.json").write_text(text)
    with pytest.raises(Broken, match=r"hall/1\.json cannot be read as a baseline"):
        store.get("hall")


def test_a_later_format_asks_for_a_later_lineside(store: Baselines, made: Baseline, tmp_path: Path) -> None:
    store.add(made)
    path = tmp_path / "baselines" / "hall" / "1.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(Broken, match="format 2"):
        store.get("hall")


def test_what_is_not_there_says_what_is(store: Baselines, made: Baseline) -> None:
    with pytest.raises(Unusable, match="no baseline 'hall'"):
        store.get("hall")
    store.add(made)
    with pytest.raises(Unusable, match="did you mean 'hall'"):
        store.get("hal")
    with pytest.raises(Unusable, match="no version 7: there is 1"):
        store.get("hall", 7)

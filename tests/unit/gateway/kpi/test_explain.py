"""One number taken apart."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from gateway.kpi.explain import Explanation, NotExplained, Question, explain
from gateway.kpi.facts import Series
from gateway.kpi.query import KpiReader
from gateway.kpi.straddling import changed_ms, grew_across
from tests.unit.gateway.kpi.kit import START, Kit, Readings, fed

HOUR = 3_600_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> tuple[Kit, Path]:
    kit, path = Kit(), tmp_path_factory.mktemp("plant") / "kpi.db"
    rows = kit.run(900)
    late = kit.reading("press/good", START + 5 * MINUTE + 500, None)  # a bad reading
    asyncio.run(fed(kit, path, kit.records([*rows, late])))
    return kit, path


@pytest.fixture
def reader(plant: tuple[Kit, Path]) -> Iterator[KpiReader]:
    found = KpiReader(plant[1])
    yield found
    found.close()


def ask(reader: KpiReader, kpi: str, window: str = "range", owner: str = "press", minutes: int = 10) -> Explanation:
    to_ms = START + minutes * MINUTE if window == "range" else START + MINUTE + 1
    return explain(reader, Question(owner, kpi, window, START + MINUTE, to_ms))


def test_numerator_over_denominator_is_the_number_and_the_sums_are_those_of_the_minutes(reader: KpiReader) -> None:
    found = ask(reader, "oee")
    assert found.result.value == found.numerator / found.denominator
    assert found.sums == {"ideal_good": found.numerator, "planned": found.denominator}
    rows = found.buckets.rows
    assert len(rows) == found.buckets.minutes == found.buckets.of_minutes == 9
    assert sum(row["ideal_good"] for row in rows.values()) == found.numerator
    assert found.buckets.adds_up
    assert found.resolved == "ideal_good ÷ planned"


def test_every_calendar_window_gives_what_kpi_show_gives(reader: KpiReader) -> None:
    for window in ("minute", "hour", "day", "week", "month"):
        for kpi in ("oee", "energy", "mtbf"):
            found = ask(reader, kpi, window)
            rows = reader.kpis("press", window, found.start_ms, found.start_ms + 1)
            if kpi in rows[0].values:
                assert found.result.value == rows[0].values[kpi], (window, kpi)
            assert found.start_ms <= START + MINUTE < found.end_ms
            assert found.buckets.adds_up, window


def test_the_facts_behind_it_are_named_with_their_tags(plant: tuple[Kit, Path], reader: KpiReader) -> None:
    good = {one.role: one for one in ask(reader, "quality_rate").evidence}
    assert set(good) == {"total", "good"}
    assert good["good"].tag == "press/good"
    assert (good["good"].facts, good["good"].unusable) == (9 * 60 + 1, 1)
    assert good["good"].before is not None
    assert good["good"].before[0] < START + MINUTE
    state = {one.role: one for one in ask(reader, "availability", owner="line/hall").evidence if one.asset == "weld"}
    assert state["state"].source == "cell"
    assert state["state"].last is not None
    assert state["state"].last[1] in {"EXECUTE", "ABORTED", "IDLE", "SETUP"}


def test_the_model_that_computed_it_is_named_with_its_hash(plant: tuple[Kit, Path], reader: KpiReader) -> None:
    (model,) = ask(reader, "oee").models
    assert (model.hash, model.minutes) == (plant[0].models["press"].hash, 9)


def test_times_per_part_are_named_where_the_formula_takes_them(plant: tuple[Kit, Path], reader: KpiReader) -> None:
    (model,) = ask(reader, "oee").models
    assert model.times_us == {"ideal": plant[0].models["press"].ideal_cycle_us}
    assert ask(reader, "availability").models[0].times_us == {}
    parts = ask(reader, "oee").sums["ideal_good"] // model.times_us["ideal"]
    assert parts == ask(reader, "sec").sums["good"] > 0


def test_a_line_shows_what_each_member_gives(reader: KpiReader) -> None:
    found = ask(reader, "throughput", owner="line/hall")
    assert set(found.members) == {"press", "weld"}
    for name, total in found.sums.items():
        assert total == sum(member[name] for member in found.members.values())
    assert set(ask(reader, "oee", owner="site/plant").members) == {"line/hall"}
    assert {one.asset for one in ask(reader, "oee", owner="site/plant").models} == {"press", "weld"}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question("nobody", "oee", "day", START, START + 1), "'nobody' has no numbers yet; those that have: line/hall"),
        (Question("press", "oeee", "day", START, START + 1), "no KPI 'oeee'"),
        (Question("press", "oee", "hour", START - 99 * HOUR, START - 98 * HOUR), "no numbers for this hour"),
        (Question("press", "oee", "range", START - 99 * HOUR, START - 98 * HOUR), "no minutes in this range"),
        (Question("press", "oee", "order", START, START + HOUR, "O-9"), "no numbers for this order"),
    ],
)
def test_what_cannot_be_explained_is_said(reader: KpiReader, question: Question, said: str) -> None:
    with pytest.raises(NotExplained) as caught:
        explain(reader, question)
    assert said in str(caught.value)


@pytest.mark.parametrize(("change_s", "flagged"), [(55, False), (61, True), (90, True), (95, False)])
def test_parts_counted_over_a_change_of_order_make_a_number_suspect(
    tmp_path: Path, change_s: int, flagged: bool
) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    told: Readings = [(kit.alive, START + at * 1000, 1.0) for at in range(0, 300, 10)]
    told += [kit.reading("press/state", START + at * 1000, "EXECUTE") for at in range(300)]
    told += [kit.reading("press/total", START + at * 1000, n) for at, n in ((0, 5.0), (30, 9.0), (60, 9.0), (90, 12.0))]
    asyncio.run(fed(kit, path, kit.records(sorted(told, key=lambda one: one[1]))))
    db = apsw.Connection(str(path))
    order = ("press", "one", "order", START - HOUR, START + change_s * 1000, "O-1", 0, 1)
    db.execute("INSERT INTO interval VALUES (?, ?, ?, ?, ?, ?, ?, ?)", order)
    db.close()
    reader = KpiReader(path)
    for kpi, found in (("oee", flagged), ("throughput", False)):
        flags = explain(reader, Question("press", kpi, "range", START + MINUTE, START + 3 * MINUTE)).result.flags
        assert ("parts_across_change" in flags) is found, kpi
    reader.close()


def test_a_change_of_product_is_where_its_readings_differ() -> None:
    said = Series.of([0, 10, 20, 30, 40], [7, 7, np.nan, 8, 8])
    assert changed_ms([said, Series.empty()], []).tolist() == [30]
    counter = Series.of([5, 15, 29, 31], [1, 2, 3, 3])
    assert not grew_across(counter, np.array([30]), 0, 99)
    assert grew_across(counter, np.array([29]), 0, 99)
    assert not grew_across(counter, np.array([29]), 0, 29)

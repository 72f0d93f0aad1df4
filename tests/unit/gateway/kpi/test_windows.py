"""Weeks, months, products and orders, asked for like hours."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from gateway.kpi.buckets import quantities
from gateway.kpi.query import KpiReader
from gateway.kpi.store import Store
from tests.unit.gateway.kpi.kit import START, Kit, fed

DAY = 86_400_000
HOUR = 3_600_000
MONDAY = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1000  # a month begins with it as well


def row(**sums: int) -> list[int]:
    assert set(sums) <= set(quantities)
    return [sums.get(name, 0) for name in quantities]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file without anything in it but the schema."""
    Store(tmp_path / "kpi.db").close()
    return tmp_path / "kpi.db"


@pytest.fixture
def reader(path: Path) -> Iterator[KpiReader]:
    found = KpiReader(path)
    yield found
    found.close()


def put(path: Path, table: str, rows: list[list[object]]) -> None:
    db = apsw.Connection(str(path))
    db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
    db.close()


def put_days(path: Path, first: int, count: int, **sums: int) -> None:
    days = [
        ["press", datetime.fromtimestamp(start / 1000, UTC).date().isoformat(), start, start + DAY, *row(**sums), 0]
        for start in (MONDAY + (first + number) * DAY for number in range(count))
    ]
    put(path, "day", days)


def test_a_week_and_a_month_are_the_sums_of_their_days_also_while_they_are_open(path: Path, reader: KpiReader) -> None:
    put_days(path, -2, 12, planned=1000, ideal_good=600)
    weeks = reader.kpis("press", "week", MONDAY - 30 * DAY, MONDAY + 30 * DAY)
    assert [(one.start_ms - MONDAY) // DAY for one in weeks] == [-2, 0, 7]
    assert [one.sums["planned"] for one in weeks] == [2000, 7000, 3000]
    assert [one.values["oee"] for one in weeks] == [0.6] * 3
    months = reader.kpis("press", "month", MONDAY - 30 * DAY, MONDAY + 30 * DAY)
    assert [one.sums["planned"] for one in months] == [2000, 10_000]
    assert {one.revision for one in (*weeks, *months)} == {None}
    assert [one.start_ms for one in reader.kpis("press", "week", MONDAY, MONDAY + 1)] == [MONDAY]


def test_a_closed_week_has_the_revision_and_ends_that_it_was_published_with(path: Path, reader: KpiReader) -> None:
    put_days(path, 1, 6, planned=1000)
    put(path, "week", [["press", "2026-06-01", MONDAY, MONDAY + 7 * DAY, *row(planned=6000), 3]])
    (week,) = reader.kpis("press", "week", MONDAY, MONDAY + DAY)
    assert (week.start_ms, week.end_ms, week.revision) == (MONDAY, MONDAY + 7 * DAY, 3)


def put_slices(path: Path, *slices: tuple[str, int, str, str, Mapping[str, int]]) -> None:
    rows: list[list[object]] = []
    for asset, day, product, order, sums in slices:
        start = MONDAY + day * DAY
        date = datetime.fromtimestamp(start / 1000, UTC).date().isoformat()
        rows.append([asset, date, product, order, start + HOUR, start + 9 * HOUR, *row(**sums)])
    put(path, "slice_day", rows)


def test_a_product_is_the_sum_over_the_days_and_an_order_is_taken_whole(path: Path, reader: KpiReader) -> None:
    put_slices(
        path,
        ("press", 0, "cover", "O-1", {"total": 10, "good": 9}),
        ("press", 1, "cover", "O-1", {"total": 20, "good": 18}),
        ("press", 1, "frame", "O-2", {"total": 5, "good": 5}),
        ("press", 1, "", "", {"planned": 7}),
    )
    products = reader.kpis("press", "product", MONDAY + DAY, MONDAY + 2 * DAY)
    assert {one.name: one.sums["total"] for one in products} == {"cover": 20, "frame": 5}
    orders = reader.kpis("press", "order", MONDAY + DAY, MONDAY + 2 * DAY)
    assert {one.name: one.sums["total"] for one in orders} == {"O-1": 30, "O-2": 5}
    (first, _) = orders
    assert (first.start_ms, first.end_ms) == (MONDAY + HOUR, MONDAY + DAY + 9 * HOUR)
    assert first.values["quality_rate"] == 0.9
    assert "mtbf" in first.values


def test_a_product_of_a_line_is_that_of_its_machines(path: Path, reader: KpiReader) -> None:
    put_slices(
        path,
        ("press", 0, "cover", "", {"total": 10, "output": 10, "energy": 5}),
        ("weld", 0, "cover", "", {"total": 8, "output": 8, "energy": 7}),
        ("weld", 0, "frame", "", {"total": 3, "output": 3, "energy": 1}),
    )
    both = {"members": ["press", "weld"]}
    groups = {
        "line/a": {**both, "constraint": "", "last": ""},
        "line/b": {**both, "constraint": "press", "last": "weld"},
    }
    put(path, "meta", [["groups", json.dumps(groups)]])
    parallel = {one.name: one.sums for one in reader.kpis("line/a", "product", MONDAY, MONDAY + DAY)}
    assert (parallel["cover"]["total"], parallel["frame"]["total"]) == (18, 3)
    serial = {one.name: one.sums for one in reader.kpis("line/b", "product", MONDAY, MONDAY + DAY)}
    cover = serial["cover"]
    assert (cover["total"], cover["output"], cover["energy"]) == (10, 8, 12)


def test_an_order_of_an_area_is_whole_over_all_its_machines_whenever_each_of_them_ran_it(
    path: Path, reader: KpiReader
) -> None:
    put_slices(
        path,
        ("press", 0, "cover", "O-1", {"total": 10, "output": 10, "energy": 5}),
        ("weld", 3, "cover", "O-1", {"total": 9, "output": 9, "energy": 6}),
        ("pack", 400, "cover", "O-1", {"total": 8, "output": 8, "energy": 7}),
        ("press", 3, "cover", "O-2", {"total": 2, "output": 2, "energy": 1}),
        ("mill", 0, "cover", "O-1", {"total": 100}),
    )
    groups = {
        "line/serial": {"members": ["press", "weld"], "constraint": "press", "last": "weld"},
        "line/end": {"members": ["pack"], "constraint": "", "last": ""},
        "area/north": {"members": ["line/serial", "line/end"], "constraint": "", "last": ""},
    }
    put(path, "meta", [["groups", json.dumps(groups)]])
    (first,) = reader.kpis("area/north", "order", MONDAY, MONDAY + DAY)
    assert [first.sums[name] for name in ("total", "output", "energy")] == [18, 17, 18]
    assert (first.start_ms, first.end_ms) == (MONDAY + HOUR, MONDAY + 400 * DAY + 9 * HOUR)
    assert [one.name for one in reader.kpis("area/north", "order", MONDAY + 3 * DAY, MONDAY + 4 * DAY)] == [
        "O-1",
        "O-2",
    ]
    (whole,) = reader.kpis("line/serial", "order", MONDAY, MONDAY + DAY)
    assert [whole.sums[name] for name in ("total", "output", "energy")] == [10, 9, 11]


@pytest.mark.parametrize(("from_ms", "to_ms"), [(0, 2**53), (-(2**62), 2**62), (MONDAY, 2**62)])
@pytest.mark.parametrize("window", ["product", "order"])
def test_products_and_orders_are_found_in_ranges_without_end(
    path: Path, reader: KpiReader, window: str, from_ms: int, to_ms: int
) -> None:
    put_slices(path, ("press", 0, "cover", "O-1", {"total": 10}), ("press", 9, "cover", "O-1", {"total": 1}))
    assert [one.sums["total"] for one in reader.kpis("press", window, from_ms, to_ms)] == [11]


@pytest.mark.parametrize("window", ["product", "order"])
def test_a_business_day_that_runs_far_into_the_next_days_is_found(path: Path, reader: KpiReader, window: str) -> None:
    span = (MONDAY + 23 * HOUR, MONDAY + DAY + 23 * HOUR)
    put(path, "slice_day", [["press", "2026-05-31", "cover", "O-1", *span, *row(total=4)]])
    for from_ms, to_ms, found in ((span[1] - 1, span[1] + DAY, 1), (span[1], span[1] + DAY, 0), (0, span[0] + 1, 1)):
        assert len(reader.kpis("press", window, from_ms, to_ms)) == found


def test_the_first_pass_yield_of_a_serial_line_is_the_product_over_its_machines(path: Path, reader: KpiReader) -> None:
    put(path, "meta", [["groups", '{"line/b": {"members": ["press", "weld"], "constraint": "press", "last": "weld"}}']])
    hour = MONDAY // HOUR
    for owner, passed in (("press", 9), ("weld", 8), ("line/b", 9)):
        put(path, "hour", [[owner, hour, MONDAY, MONDAY + HOUR, *row(inspected=10, passed=passed), 0]])
    (found,) = reader.kpis("line/b", "hour", MONDAY, MONDAY + HOUR)
    assert found.values["first_pass_yield"] == pytest.approx(0.72)
    assert found.methods["first_pass_yield"] == "product over 2 machines"


def test_the_engine_fills_weeks_and_months_that_can_be_asked_for(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    asyncio.run(fed(kit, path, kit.records(kit.run(600))))
    reader = KpiReader(path)
    for owner in ("press", "line/hall", "site/plant"):
        (day,) = reader.kpis(owner, "day", START - 2 * DAY, START + DAY)
        for window in ("week", "month"):
            (found,) = reader.kpis(owner, window, START - 40 * DAY, START + DAY)
            assert found.sums == day.sums
    reader.close()

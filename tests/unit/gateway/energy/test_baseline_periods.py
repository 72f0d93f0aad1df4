"""Which periods a baseline rests on, and what its drivers were in them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.energy.baseline.drivers import NoDriver
from gateway.energy.baseline.periods import Collected, NoPeriods, of_file, of_store
from gateway.energy.baseline.record import Ask
from gateway.kpi.query import KpiReader
from tests.unit.gateway.energy.stored_plant import DAY, FIRST, FIRST_MS, HOUR_US, Plant, start

UTC = ZoneInfo("UTC")
ALL = (0, 2**60)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    found = Plant(tmp_path)
    found.lives("press", 0, 30)
    return found


@pytest.fixture
def reader(plant: Plant) -> Iterator[KpiReader]:
    found = KpiReader(plant.path)
    yield found
    found.close()


def collected(
    reader: KpiReader,
    *drivers: str,
    owner: str = "press",
    period: str = "day",
    span: tuple[int, int] = ALL,
    temperatures: dict[int, float] | None = None,
) -> Collected:
    means = {FIRST + timedelta(day): mean for day, mean in (temperatures or {}).items()}
    ask = Ask(owner, "", "electricity", period, drivers)
    return of_store(reader, ask, span, UTC, lambda tag, day: means.get(day) if tag == "yard/temperature" else None)


def left(found: Collected) -> dict[int, str]:
    """Day → why it was left out."""
    return {(one.start_ms - FIRST_MS) // DAY: one.reason for one in found.left_out}


def test_energy_is_in_kwh_counts_are_counts_and_times_hours(plant: Plant, reader: KpiReader) -> None:
    plant.days("press", [{"kwh": 12.5, "total": 300, "time_producing": 5.5 * HOUR_US}])
    found = collected(reader, "total", "time_producing", "planned", "hours")
    assert found.units == ("kWh", "", "h", "h", "h")
    (day,) = found.periods
    assert (day.energy, day.drivers) == (12.5, (300.0, 5.5, 24.0, 24.0))
    assert (day.start_ms, day.end_ms) == (start(0), start(1))


def test_only_periods_that_begin_in_the_range_are_taken(plant: Plant, reader: KpiReader) -> None:
    plant.days("press", [{"kwh": day} for day in range(10)])
    found = collected(reader, "total", span=(start(2), start(5)))
    assert [one.energy for one in found.periods] == [2, 3, 4]


def test_weeks_and_months_are_sums_of_their_days(plant: Plant, reader: KpiReader) -> None:
    plant.days("press", [{"kwh": 1, "total": 10}] * 29)
    plant.lives("press", 0, 28)
    weeks = collected(reader, "total", period="week")
    assert [(one.energy, one.drivers) for one in weeks.periods] == [(7, (70,))] * 4
    assert left(weeks) == {28: "is not final yet"}


def test_shifts_have_their_names(plant: Plant, reader: KpiReader) -> None:
    for day in range(3):
        plant.shift("press", day, "early", 6, {"kwh": 1, "total": day})
        plant.shift("press", day, "late", 14, {"kwh": 2, "total": day})
    found = collected(reader, "total", period="shift")
    assert [(one.name, one.energy) for one in found.periods] == [("early", 1), ("late", 2)] * 3


def test_a_period_that_is_not_seen_whole_is_left_out_with_its_reason(plant: Plant, reader: KpiReader) -> None:
    half = 12 * HOUR_US
    plant.days(
        "press",
        [
            {"kwh": 1},
            {"kwh": 2, "planned": half},  # the other half is in no class: nothing was computed there
            {"kwh": 3, "planned": half, "time_unplanned": half},
            {"kwh": 4, "time_unknown": 2 * HOUR_US},
            {"kwh": 5, "time_unknown": HOUR_US},
            {"kwh": 6, "metered": 10 * HOUR_US},
            {"kwh": 7, "metered": 14 * HOUR_US},
            {"kwh": 8, "facts": 0},
        ],
    )
    plant.lives("press", 0, 8)
    found = collected(reader, "total")
    assert [one.energy for one in found.periods] == [1, 3, 5, 7]
    assert left(found) == {
        1: "Lineside saw 50% of it at press",
        3: "8% of its planned time is unknown",
        5: "the electricity of press was measured in 42% of it",
        7: "nothing came from press",
    }


def test_the_day_on_which_lineside_began_to_look_is_left_out(plant: Plant, reader: KpiReader) -> None:
    """A meter alone has no classes of time that could tell."""
    meter = {"kwh": 9, "planned": 0}
    plant.days("meter", [meter] * 3)
    plant._put("progress", [["meter", start(0) + DAY // 4, start(3) - 1, start(3), start(3), start(3), 0]])
    found = collected(reader, "hours", owner="meter")
    assert left(found) == {0: "Lineside saw 75% of it at meter"}
    assert len(found.periods) == 2


def test_of_a_line_every_asset_that_was_there_must_have_been_seen(plant: Plant, reader: KpiReader) -> None:
    plant.groups(site__plant={"members": ["line/hall", "new"]}, line__hall={"members": ["press", "weld"]})
    plant.days("site/plant", [{"kwh": 20, "total": 5}] * 6)
    plant.days("press", [{"kwh": 10}] * 6)
    plant.days("weld", [{"kwh": 10}, {"kwh": 10, "planned": 0}, *[{"kwh": 10}] * 4])
    plant.days("new", [{"kwh": 1}] * 2, first_day=4)
    for owner, first, end in (("site/plant", 0, 6), ("press", 0, 6), ("weld", 0, 6), ("new", 4, 6)):
        plant.lives(owner, first, end)
    found = collected(reader, "total", owner="site/plant")
    assert left(found) == {1: "Lineside saw 0% of it at weld"}
    assert found.members == ("press", "weld", "new")
    before = collected(reader, "total", owner="site/plant", span=(0, start(3)))
    assert before.members == ("press", "weld")


def test_below_a_main_meter_nobody_asks_for_the_meters(plant: Plant, reader: KpiReader) -> None:
    plant.groups(site__plant={"members": ["main", "press"], "below": {"main": ["press"]}})
    plant.days("site/plant", [{"kwh": 20}] * 2)
    plant.days("main", [{"kwh": 20, "planned": 0}, {"kwh": 20, "planned": 0, "metered": 0}])
    plant.days("press", [{"kwh": 10, "metered": HOUR_US}] * 2)
    for owner in ("site/plant", "main", "press"):
        plant.lives(owner, 0, 2)
    found = collected(reader, "total", owner="site/plant")
    assert left(found) == {1: "the electricity of main was measured in 0% of it"}


def test_an_owner_without_electricity_says_what_it_needs(plant: Plant, reader: KpiReader) -> None:
    plant.meta(needs='{"press": {"energy": "needs `energy: {electricity: …}`"}}')
    with pytest.raises(NoPeriods, match=r"press has no electricity: it needs `energy"):
        collected(reader, "total")


def test_a_product_is_counted_by_day_and_is_0_where_it_was_not_made(plant: Plant, reader: KpiReader) -> None:
    plant.days("press", [{"kwh": 1, "total": 30}] * 7)
    for day, total in ((0, 30), (2, 12)):
        plant.product("press", day, "bracket: a", total)
    plant.product("press", 2, "lid", 18)
    found = collected(reader, "product:bracket: a", "product:lid")
    assert [one.drivers for one in found.periods][:4] == [(30, 0), (0, 0), (12, 18), (0, 0)]
    assert [one.drivers for one in collected(reader, "product:bracket: a", period="week").periods] == [(42,)]
    assert found.units == ("kWh", "parts", "parts")


def csv(tmp_path: Path, text: str) -> str:
    file = tmp_path / "weather.csv"
    file.write_text(text)
    return str(file)


def test_a_column_by_day_is_summed_and_a_day_without_a_number_leaves_its_period_out(
    plant: Plant, reader: KpiReader, tmp_path: Path
) -> None:
    rows = [f"{FIRST + timedelta(day)};{day}" for day in range(21) if day != 9]
    file = csv(tmp_path, "\n".join(["date;rain", *rows, f"{FIRST + timedelta(9)};"]))
    plant.days("press", [{"kwh": 1}] * 21)
    plant.lives("press", 0, 21)
    weeks = collected(reader, f"rain:{file}", period="week")
    assert [one.drivers for one in weeks.periods] == [(sum(range(7)),), (sum(range(14, 21)),)]
    assert left(weeks) == {7: f"{file} has nothing for 2026-03-11"}
    days = collected(reader, f"rain:{file}")
    assert [one.drivers[0] for one in days.periods] == [day for day in range(21) if day != 9]


def test_a_column_with_one_row_a_period_is_taken_as_it_stands(plant: Plant, reader: KpiReader, tmp_path: Path) -> None:
    file = csv(tmp_path, "date,tonnes\n2026-03-02,70\n2026-03-09,80.5\n2026-03-23,90\n")
    plant.days("press", [{"kwh": 1}] * 28)
    plant.lives("press", 0, 28)
    weeks = collected(reader, f"tonnes:{file}", period="week")
    assert [one.drivers for one in weeks.periods] == [(70,), (80.5,), (90,)]
    assert list(left(weeks)) == [14]


def test_degree_days_are_made_from_day_means_of_a_file_or_a_tag(
    plant: Plant, reader: KpiReader, tmp_path: Path
) -> None:
    file = csv(
        tmp_path,
        "date,temperature\n2026-03-02T00:00,9\n2026-03-02T12:00,11\n2026-03-03,16\n2026-03-04,-5\n2026-03-05,30\n",
    )
    plant.days("press", [{"kwh": 1}] * 5)
    plant.lives("press", 0, 5)
    found = collected(
        reader,
        *(f"hdd15:{file}", f"cdd24.5:{file}", "hdd15:yard/temperature"),
        temperatures={0: 10, 1: 16, 2: -5, 3: 30, 4: 1},
    )
    assert [one.drivers for one in found.periods] == [(5, 0, 5), (0, 0, 0), (20, 0, 20), (0, 5.5, 0)]
    assert left(found) == {4: f"{file} has no mean temperature for 2026-03-06"}
    assert found.units[1:] == ("K·d",) * 3
    only = collected(reader, "hdd15:yard/temperature", temperatures={0: 10, 2: 0})
    assert left(only)[1] == "yard/temperature has no mean temperature for 2026-03-03"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("totl", "'totl' is no driver; did you mean 'total'"),
        ("energy_idle", "'energy_idle' is no driver"),
        ("facts", "'facts' is no driver"),
        ("rain:weather", "write product:NAME, NAME:FILE.csv"),
        ("rain:nowhere.csv", "nowhere.csv cannot be read"),
    ],
)
def test_what_is_no_driver_says_what_to_write(plant: Plant, reader: KpiReader, text: str, says: str) -> None:
    with pytest.raises(NoDriver, match=says):
        collected(reader, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("day,rain\n2026-03-02,1\n", "has no column 'date'"),
        ("date,rein\n2026-03-02,1\n", "no column 'rain'; did you mean 'rein'"),
        ("date,rain\n2026-03-02,1\nyesterday,2\n", r"weather\.csv:3: 'yesterday' is no date"),
        ("date,rain\n2026-03-02,1 mm\n", r"weather\.csv:2: '1 mm' is no number"),
        ("date,rain\n2026-03-02,nan\n", r"weather\.csv:2: 'nan' is no number"),
        ("date,rain\n,3\n", r"weather\.csv:2: has no date"),
    ],
)
def test_a_file_that_cannot_be_used_says_line_and_column(
    plant: Plant, reader: KpiReader, tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(NoDriver, match=says):
        collected(reader, f"rain:{csv(tmp_path, text)}")


def test_what_is_known_by_day_cannot_drive_shifts(plant: Plant, reader: KpiReader) -> None:
    with pytest.raises(NoDriver, match="by day, not by shift"):
        collected(reader, "product:lid", period="shift")


def of(file: str, *drivers: str, span: tuple[int, int] = (-(2**60), 2**60)) -> Collected:
    return of_file(Ask("", file, "therms", "row", drivers), span, UTC)


def test_rows_of_a_file_are_periods_that_end_with_the_next_row(tmp_path: Path) -> None:
    file = csv(tmp_path, "date,tonnes,therms\n2026-02-01,9,90\n2026-01-01,7,70\n2026-03-01,,80\n2026-04-01,8,85.5\n")
    found = of(file, "tonnes")
    assert [(one.energy, one.drivers) for one in found.periods] == [(70, (7,)), (90, (9,)), (85.5, (8,))]
    assert [(one.end_ms - one.start_ms) // DAY for one in found.periods] == [31, 28, 31]
    assert [one.reason for one in found.left_out] == ["line 4 has no tonnes"]
    assert [one.energy for one in of(file, "tonnes", span=(start(-30), start(0))).periods] == [90]


def test_a_date_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoDriver, match=r"weather\.csv:3: the date 2026-01-01 is there twice"):
        of(csv(tmp_path, "date,tonnes,therms\n2026-01-01,7,70\n2026-01-01,8,80\n"), "tonnes")


def test_a_file_may_have_no_row_or_only_one(tmp_path: Path) -> None:
    assert of(csv(tmp_path, "date,tonnes,therms\n"), "tonnes").periods == ()
    (only,) = of(csv(tmp_path, "date,tonnes,therms\n2026-01-01,1,2\n"), "tonnes").periods
    assert (only.energy, only.end_ms - only.start_ms) == (2, DAY)

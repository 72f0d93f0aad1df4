"""Day means of a tag for degree days, out of a real history."""

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.energy.baseline.drivers import NoDriver
from gateway.energy.baseline.temperatures import daily_means
from gateway.history import HistoryReader
from gateway.model import BAD, GOOD
from tests.unit.gateway.history import made
from tests.unit.gateway.history.made import POWER, STATE

TAG = made.TAGS[POWER].name
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # UTC+5:45
DAY = date(2026, 6, 10)


def written(path: Path, zone: ZoneInfo, hours: dict[int, list[float]], day: date = DAY) -> HistoryReader:
    """Readings spread evenly over hours after a local midnight, a bad one after each."""
    midnight = round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
    rows: list[made.Row] = [(STATE, midnight, "IDLE", GOOD)]
    for hour, values in hours.items():
        for at, value in enumerate(values):
            time_ms = midnight + hour * 3_600_000 + at * 3_600_000 // len(values)
            rows += [(POWER, time_ms, value, GOOD), (POWER, time_ms + 1, 1e9, BAD)]
    asyncio.run(made.keep(path, [made.record(1, rows)]))
    return HistoryReader(path)


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), ZoneInfo("Asia/Ho_Chi_Minh"), KATHMANDU], ids=str)
def test_a_day_is_a_local_day_and_each_hour_counts_once(tmp_path: Path, zone: ZoneInfo) -> None:
    """The last hour has sixty readings, the others one; both neighbours are far away in value."""
    hours = {hour: [10.0] for hour in range(23)} | {23: [34.0] * 60, -1: [900.0] * 12, 24: [-900.0] * 12}
    history = written(tmp_path / "history.db", zone, hours)
    assert daily_means(history, zone)(TAG, DAY) == pytest.approx(11.0)
    history.close()


def test_a_day_with_readings_in_fewer_than_18_hours_has_no_mean(tmp_path: Path) -> None:
    zone = ZoneInfo("UTC")
    hours = {hour: [5.0, 7.0] for hour in range(18)} | {24 + hour: [5.0] for hour in range(17)}
    history = written(tmp_path / "history.db", zone, hours)
    mean = daily_means(history, zone)
    assert mean(TAG, DAY) == 6.0
    assert mean(TAG, DAY + timedelta(1)) is None
    assert mean(TAG, DAY + timedelta(9)) is None
    history.close()


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_clocks_change_has_its_own_length(tmp_path: Path, day: date, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    values = {hour: [float(hour)] for hour in range(hours)} | {hours: [500.0], -1: [500.0]}
    history = written(tmp_path / "history.db", zone, values, day)
    assert daily_means(history, zone)(TAG, day) == pytest.approx(sum(range(hours)) / hours)
    history.close()


def test_no_history_no_tag_and_a_text_say_so(tmp_path: Path) -> None:
    zone = ZoneInfo("UTC")
    with pytest.raises(NoDriver, match="no history yet"):
        daily_means(HistoryReader(tmp_path / "none.db"), zone)("yard/temperature", DAY)
    history = written(tmp_path / "history.db", zone, {0: [1.0]})
    for tag, says in (("yard/temperature", "yard/temperature"), (made.TAGS[STATE].name, "text tag")):
        with pytest.raises(NoDriver, match=says):
            daily_means(history, zone)(tag, DAY)
    history.close()

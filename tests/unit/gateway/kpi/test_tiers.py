"""Tiers over minutes and groups over assets: weeks and months, areas, and final shifts that change."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.kpi.buckets import quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.closing import Limits
from gateway.kpi.group import groups
from gateway.kpi.publisher import Change
from gateway.kpi.rollup import month_of, refresh, week_of
from gateway.kpi.store import Row, Store
from gateway.model import Site
from tests.unit.gateway.kpi.floor import Floor
from tests.unit.gateway.kpi.kit import START, Kit

BERLIN = Calendar.from_config(
    CalendarConfig.model_validate({"shifts": {"early": "06:00-14:00", "night": "22:00-06:00"}, "days": "mon-sun"}),
    "Europe/Berlin",
)
DAY_MS = 86_400_000


def row(total: int) -> Row:
    return tuple(total if name == "total" else 0 for name in quantities)


class Days:
    """A store in which every day has one minute, at noon UTC."""

    def __init__(self) -> None:
        self.store = Store(Path(":memory:"))
        self.closed_ms = 0

    def write(self, day: date, total: int, closed: date) -> list[Change]:
        """A day's minute is written when all days before `closed` are over; what changed of weeks and months."""
        noon_ms = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)
        self.store.put_minutes("press", [(noon_ms // 60_000, row(total), 0, False, "m")])
        found = refresh(self.store, "press", BERLIN, [(noon_ms, noon_ms + 60_000)], BERLIN.day_of(closed).start_ms)
        return [change for change, _ in found if change.window in ("week", "month")]


def totals(changes: Iterator[Change] | list[Change]) -> list[tuple[str, str, int, int | None, int]]:
    at = quantities.index("total")
    return [
        (one.window, one.business_date.isoformat(), one.revision, one.old[at] if one.old else None, one.new[at])
        for one in changes
    ]


def test_a_week_and_a_month_are_published_when_their_last_day_closes_and_revised_with_any_of_their_days() -> None:
    days = Days()
    found: list[Change] = []
    day = date(2026, 10, 19)  # a Monday; clocks change on Sunday the 25th
    while day < date(2026, 11, 3):
        found += days.write(day, 10, day)  # while it is open
        found += days.write(day, 100, day + timedelta(days=1))
        day += timedelta(days=1)
    assert totals(found) == [
        ("week", "2026-10-19", 0, None, 700),
        ("month", "2026-10-01", 0, None, 1300),
        ("week", "2026-10-26", 0, None, 700),
    ]
    assert totals(days.write(date(2026, 10, 31), 60, day)) == [
        ("week", "2026-10-26", 1, 700, 660),
        ("month", "2026-10-01", 1, 1300, 1260),
    ]
    assert totals(days.write(date(2026, 10, 31), 60, day)) == []


def test_weeks_and_months_begin_and_end_with_their_business_days() -> None:
    week, month = week_of(BERLIN, date(2026, 10, 25)), month_of(BERLIN, date(2026, 10, 25))
    assert week.end_ms - week.start_ms == 7 * DAY_MS + 3_600_000
    assert month.end_ms == BERLIN.day_of(date(2026, 11, 1)).start_ms
    assert [datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in (month.start_ms, month.end_ms)] == [
        "2026-10-01T04:00:00+00:00",  # the night shift of 30 September ends at 06:00
        "2026-11-01T05:00:00+00:00",
    ]


@pytest.mark.parametrize("day", [date(2026, 1, 31), date(2026, 2, 28), date(2028, 2, 29), date(2026, 12, 31)])
def test_a_month_holds_all_of_its_dates_and_no_other(day: date) -> None:
    found = month_of(BERLIN, day)
    assert found.key == (("month", f"{day:%Y-%m}"),)
    assert found.end_ms == BERLIN.day_of(day + timedelta(days=1)).start_ms
    assert found.business_date == day.replace(day=1)


def test_areas_are_sums_of_their_lines_and_the_site_of_all() -> None:
    kit = Kit()
    press, weld = kit.models["press"], kit.models["weld"]
    models = {
        "a": replace(press, name="a", line="one"),
        "b": replace(weld, name="b", line="two"),
        "c": replace(press, name="c", line="three"),
        "d": replace(press, name="d", line="one"),
        "e": replace(press, name="e", line=""),
    }
    site = Site("plant", "UTC", {}, {"one": "north", "two": "north"})
    found = {group.owner: group for group in groups(models, site, {"one": "a"}, {})}
    assert {owner: group.members for owner, group in found.items()} == {
        "line/one": ("a", "d"),
        "line/two": ("b",),
        "line/three": ("c",),
        "area/north": ("line/one", "line/two"),
        "site/plant": ("area/north", "line/three", "e"),
    }
    assert (found["line/one"].constraint, found["line/one"].last) == ("a", "d")
    assert groups(models, site, {"one": "a"}, {"one": "a"})[0].last == "a"
    assert site.labels("area/north") == {"site": "plant", "area": "north"}


def test_a_serial_line_has_the_time_of_its_constraint_the_output_of_its_last_step_and_the_energy_of_all(
    tmp_path: Path,
) -> None:
    kit = Kit()
    kit.site = Site("plant", "UTC", {"press": "hall", "weld": "hall"}, {"hall": "north"})
    floor = Floor(kit, tmp_path / "kpi.db", constraints={"hall": "press"})
    weld = {kit.ids[f"weld/{role}"] for role in ("state", "total", "good")}
    floor.take([one for one in kit.run(600) if one[0] not in weld or one[1] < START + 300_000])
    sums = {
        owner: dict(zip(quantities, map(sum, zip(*floor.stored(owner)[0].values(), strict=True)), strict=True))
        for owner in ("press", "weld", "line/hall", "area/north", "site/plant")
    }
    line = sums["line/hall"]
    assert sums["area/north"] == sums["site/plant"] == line
    assert line["output"] == sums["weld"]["output"] != sums["press"]["output"]
    for name in ("total", "good", "ideal_good", "stops"):
        assert line[name] == sums["press"][name] != sums["weld"][name]
    for name in ("energy", "energy_producing", "facts"):
        assert line[name] == sums["press"][name] + sums["weld"][name]
    tree = json.loads(floor.worker.store.get("groups"))
    assert tree["line/hall"] == {"members": ["press", "weld"], "constraint": "press", "last": "weld", "below": {}}
    floor.close()


def test_a_final_shift_that_changes_leaves_an_audit_record_and_one_that_is_not_final_does_not(tmp_path: Path) -> None:
    config = {"shifts": {"first": "20:27-20:33", "second": "20:33-20:39", "third": "20:39-22:00"}}
    kit = Kit(calendar=Calendar.from_config(CalendarConfig.model_validate(config), "UTC"))
    floor = Floor(kit, tmp_path / "kpi.db", Limits(lateness_ms=240_000))
    rows = kit.run(900)
    late = [one for one in rows if one[0] == kit.ids["press/good"] and (one[1] - START) // 1000 in (100, 500)]
    floor.take([one for one in rows if one not in late])
    assert len(late) == 2
    assert floor.worker.store.rows("SELECT * FROM audit") == []
    floor.take(late)
    found = floor.worker.store.rows("SELECT kind, owner, by, detail FROM audit ORDER BY id")
    assert [(kind, owner, by) for kind, owner, by, _ in found] == [
        ("reopened", owner, "late facts") for owner in ("press", "line/hall", "site/plant")
    ]
    detail = json.loads(found[0][3])
    assert detail == {
        "window": "shift",
        "date": "2026-05-28",
        "revision": 1,
        "from_ms": START,
        "to_ms": START + 360_000,
    }
    floor.close()

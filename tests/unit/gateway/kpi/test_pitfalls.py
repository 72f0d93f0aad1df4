"""The pitfalls of OEE in the field, one test each: what goes wrong elsewhere must not go wrong here."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.mqtt.payload import Point, SourceTime, extract
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import Result, evaluate
from gateway.model import GOOD, BatchBuilder, Reason, TagType, uncertain
from gateway.walltime import parse_span
from tests.oracle.bridge import calendar, derived, quantities_of
from tests.oracle.calendars import Clock, Rota, instant
from tests.oracle.machine import Machine, Meter, Report, Span, Story, Value

T0 = instant("UTC", date(2026, 6, 1), "00:00")  # a Monday
STATES: dict[Value, str] = {
    "run": "producing",
    "set": "setup",
    "idle": "idle",
    "fault": "fault",
    "clean": "planned_stop",
}
PARTS = {role: Meter() for role in ("total", "good", "scrap")}
Points = dict[float, Value]
Row = Counter[str]


def seen(to_s: float, *spans: Span, machine: Machine | None = None, horizon_s: float = 0, **roles: Points) -> Row:
    """Sums over [0 s, to_s) of a machine that reported these values at these seconds after Monday 00:00 UTC."""
    return summed(minutes(to_s, *spans, machine=machine, horizon_s=horizon_s, **roles).values())


def summed(rows: Iterable[Row]) -> Row:
    """Σ of every quantity; negative ones stay."""
    found: Row = Counter()
    for row in rows:
        found.update(row)
    return found


def minutes(
    to_s: float, *spans: Span, machine: Machine | None = None, horizon_s: float = 0, **roles: Points
) -> dict[int, Row]:
    """Minute after Monday 00:00 → quantities."""
    reports = {role: [Report(at(second), value) for second, value in points.items()] for role, points in roles.items()}
    horizon_ms = at(max(horizon_s, to_s))
    told = Story(reports, spans=list(spans))
    found = quantities_of(derived(machine or press(), told, T0, at(to_s), horizon_ms).buckets)
    return {minute - T0 // 60_000: row for minute, row in found.items()}


def at(second: float) -> int:
    return T0 + round(1000 * second)


def press(**changes: Any) -> Machine:
    """2 s per part; whatever is not said otherwise is planned around the clock."""
    usual: dict[str, Any] = {"states": STATES, "meters": PARTS, "ideal_us": {"": 2_000_000}}
    return Machine(**(usual | changes))


def shifts(*spans: Clock, breaks: tuple[Clock, ...] = ()) -> Rota:
    return Rota("UTC", shifts=spans, breaks=breaks)


def seconds(row: Row, *names: str) -> list[float]:
    return [row[f"time_{name}"] / 1e6 for name in names]


def kpis(row: Row, window: str = "") -> dict[str, Result]:
    return evaluate(row, window=window)


def test_speed_above_the_ideal_is_kept_as_it_is_and_flagged() -> None:
    row = seen(600, state={0: "run"}, total={0: 0, 600 - 1: 400}, good={0: 0, 600 - 1: 400})
    found = kpis(row)
    assert row["ideal_total"] == 800 * 10**6
    assert found["effectiveness"].value == pytest.approx(800 / 600)
    assert found["oee"].value == pytest.approx(800 / 600)
    assert "ideal_cycle_suspect" in found["effectiveness"].flags
    assert "ideal_cycle_suspect" in found["oee"].flags
    slower = kpis(seen(600, state={0: "run"}, total={0: 0, 599: 300}, good={0: 0, 599: 300}))
    assert slower["effectiveness"].flags == ()


def test_a_break_of_the_calendar_is_no_planned_time_whatever_the_machine_does() -> None:
    machine = press(rota=shifts(("00:00", "01:00"), breaks=(("00:10", "00:15"),)))
    row = seen(7200, machine=machine, state={0: "run", 660: "fault", 720: "run"})
    assert row["planned"] == 55 * 60 * 10**6
    assert seconds(row, "producing", "fault", "unplanned") == [3300, 0, 3900]


def test_an_unplanned_reason_inside_a_planned_window_stays_planned() -> None:
    spans = [Span("p", "planned", at(60), at(180), "meeting"), Span("s", "stop", at(60), at(180), "mechanical")]
    machine = press(reasons={"mechanical": "fault"})
    row = seen(300, *spans, machine=machine, state={0: "run", 60: "idle", 180: "run"})
    assert seconds(row, "planned_stop", "fault", "idle", "producing") == [120, 0, 0, 180]


def test_a_planned_stop_that_overruns_is_unplanned_from_its_planned_end() -> None:
    row = seen(300, Span("p", "planned", at(60), at(120), "meeting"), state={0: "run", 60: "idle", 200: "run"})
    assert seconds(row, "planned_stop", "idle", "producing") == [60, 80, 160]
    assert row["stops"] == 1
    assert row["planned"] == 240 * 10**6


@pytest.mark.parametrize(("back_s", "kind"), [(299, "minor_stop"), (300, "fault"), (301, "fault")])
def test_a_minor_stop_is_judged_by_the_whole_stop_also_where_it_crosses_the_edge_of_a_window(
    back_s: int, kind: str
) -> None:
    machine = press(minor_stop_ms=300_000)
    story = Story({"state": [Report(at(50), "run"), Report(at(110), "fault"), Report(at(110 + back_s), "run")]})
    whole = derived(machine, story, at(0), at(600), at(600)).buckets
    for low, high in [(0, 120), (120, 180), (120, 600), (360, 600)]:  # no part of it knows the rest of the range
        part = quantities_of(derived(machine, story, at(low), at(high), at(600)).buckets)
        for minute, row in part.items():
            assert row == quantities_of(whole)[minute]
    row = summed(quantities_of(whole).values())
    assert seconds(row, kind) == [back_s]
    assert (row["minor_stops"], row["faults"]) == ((1, 0) if kind == "minor_stop" else (0, 1))


def test_a_minor_stop_is_judged_by_the_whole_stop_also_where_the_shift_ends_inside_it() -> None:
    machine = press(minor_stop_ms=300_000, rota=shifts(("00:00", "00:10")))
    row = seen(1800, machine=machine, state={0: "run", 540: "idle", 1000: "run"})
    assert seconds(row, "minor_stop", "idle") == [0, 60]


def test_a_minor_stop_of_several_states_is_one_stop() -> None:
    machine = press(minor_stop_ms=100_000)
    states: Points = {0: "run", 60: "idle", 120: "fault", 150: "run", 300: "idle", 340: "fault", 390: "run"}
    row = seen(600, machine=machine, state=states)
    assert seconds(row, "minor_stop", "idle", "fault") == [180, 0, 0]
    assert (row["stops"], row["minor_stops"]) == (2, 2)
    longer = seen(600, machine=machine, state=states | {390: "fault", 420: "run"})
    assert seconds(longer, "minor_stop", "idle", "fault") == [90, 40, 80]


def counted(modulus: int, *readings: float, ideal_us: int = 0, gap_s: int = 60) -> Row:
    """Readings of one counter, some time apart."""
    machine = press(meters={"total": Meter(modulus)}, ideal_us={"": ideal_us} if ideal_us else {})
    return seen(600, machine=machine, total={1 + n * gap_s: value for n, value in enumerate(readings)})


def test_the_first_reading_of_a_counter_is_only_its_base() -> None:
    assert counted(0, 81_234.0)["total"] == 0
    assert counted(0, 81_234.0, 81_240.0)["total"] == 6


@pytest.mark.parametrize(("readings", "parts"), [((65_530, 4), 10), ((500, 3), 3)])
def test_a_falling_counter_rolled_over_where_that_is_plausible_and_was_reset_otherwise(
    readings: tuple[float, float], parts: int
) -> None:
    row = counted(65_536, *readings, ideal_us=240_000)  # at most 1,000 parts a minute and the minute of grace
    assert row["total"] == parts
    assert row["counter_anomalies"] == 1


def test_a_growth_that_no_machine_can_make_is_rejected_and_flagged() -> None:
    row = counted(0, 100, 100 + 121, 100 + 121 + 120, ideal_us=2_000_000)  # at most 120 in a minute and a minute
    assert row["total"] == 120
    assert (row["facts_bad"], row["counter_anomalies"]) == (1, 1)


def test_a_sixteen_bit_register_of_energy_that_wraps_goes_on() -> None:
    machine = press(meters={"energy": Meter(65_536, Fraction(1000))})  # in Wh
    row = seen(600, machine=machine, state={0: "run"}, energy={0: 65_000.0, 300: 300.0, 600: 900.0}, horizon_s=601)
    assert row["energy"] == (836 + 600) * 1000


def test_a_counter_at_the_edge_of_a_window_is_interpolated_for_energy_and_stepped_for_parts() -> None:
    machine = press(meters=PARTS | {"energy": Meter(0, Fraction(1_000_000))})
    rows = minutes(
        120, machine=machine, horizon_s=200, state={0: "run"}, total={0: 0, 75: 10}, good={0: 0, 75: 10},
        energy={30: 5.0, 90: 5.6},
    )  # fmt: skip
    assert (rows[0]["energy"], rows[1]["energy"]) == (300_000, 300_000)
    assert (rows[0]["total"], rows[1]["total"]) == (0, 10)


def test_a_change_of_product_splits_the_minute_and_each_part_has_its_own_ideal_time() -> None:
    machine = press(ideal_us={"lid": 3_000_000, "cup": 1_000_000})
    row = seen(
        60, machine=machine, state={0: "run"}, product={0: "lid", 31: "cup"},
        total={0: 0, 30: 10, 59: 38}, good={0: 0, 30: 10, 59: 38},
    )  # fmt: skip
    assert row["ideal_total"] == (10 * 3 + 28 * 1) * 10**6


def test_parts_counted_across_a_change_of_product_belong_to_the_product_of_the_reading_that_shows_them() -> None:
    machine = press(ideal_us={"lid": 3_000_000, "cup": 1_000_000})
    story = Story(
        {
            "state": [Report(at(0), "run")],
            "product": [Report(at(0), "lid"), Report(at(20), "cup")],
            "total": [Report(at(0), 0.0), Report(at(40), 7.0)],
        }
    )
    found = derived(machine, story, at(0), at(60), at(60)).buckets
    totals = {one.product: Counter(dict(zip(*_named(one.values), strict=True)))["total"] for one in found.slices}
    assert totals == {"lid": 0, "cup": 7}
    assert summed(quantities_of(found).values())["ideal_total"] == 7 * 10**6


def _named(values: Any) -> tuple[tuple[str, ...], list[int]]:
    return quantities, values.sum(axis=1).tolist()


def test_the_quality_of_several_products_is_weighted_by_their_ideal_time() -> None:
    machine = press(ideal_us={"lid": 3_000_000, "cup": 1_000_000})
    row = seen(
        3600, machine=machine, state={0: "run"}, product={0: "lid", 1000: "cup"},
        total={0: 0, 900: 100, 2900: 200}, good={0: 0, 900: 50, 2900: 150},
    )  # fmt: skip
    assert kpis(row)["quality_rate"].value == pytest.approx((50 * 3 + 100) / (100 * 3 + 100))
    assert row["good"] / row["total"] == 0.75


def test_facts_in_any_order_fall_into_the_minute_in_which_they_happened() -> None:
    machine, horizon_ms = press(), at(600)
    states = [Report(at(second), value) for second, value in {0: "run", 100: "fault", 160: "run", 400: "idle"}.items()]
    forward = derived(machine, Story({"state": states}), at(0), at(600), horizon_ms)
    backward = derived(machine, Story({"state": states[::-1] + states}), at(0), at(600), horizon_ms)
    assert quantities_of(forward.buckets) == quantities_of(backward.buckets)
    assert seconds(quantities_of(backward.buckets)[at(120) // 60_000], "fault", "producing") == [40, 20]


def test_a_night_shift_belongs_to_the_date_on_which_it_starts() -> None:
    night = calendar(Rota("Asia/Ho_Chi_Minh", shifts=(("06:00", "14:00"), ("14:00", "22:00"), ("22:00", "06:00"))))
    early = instant("Asia/Ho_Chi_Minh", date(2027, 1, 1), "05:59")
    assert night.business_date(early) == date(2026, 12, 31)
    assert night.business_date(early + 60_000) == date(2027, 1, 1)
    (shift,) = night.shifts_in(early, early + 1)
    assert shift.business_date == date(2026, 12, 31)
    assert shift.end_ms - shift.start_ms == 8 * 3_600_000


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 7),
        ("Europe/Berlin", date(2026, 10, 24), 9),
        ("Europe/Berlin", date(2026, 6, 1), 8),
        ("Asia/Ho_Chi_Minh", date(2026, 3, 28), 8),
        ("America/New_York", date(2026, 3, 7), 7),
        ("America/New_York", date(2026, 10, 31), 9),
    ],
)
def test_a_night_shift_is_as_long_as_the_clock_makes_it(zone: str, first: date, hours: int) -> None:
    """It is also planned that long: a calendar that mixes up local time and UTC shows here first."""
    rota = Rota(zone, shifts=(("22:00", "06:00"),))
    start = instant(zone, first, "22:00")
    assert datetime.fromtimestamp(start / 1000, UTC).astimezone(ZoneInfo(zone)).hour == 22
    story = Story({"state": [Report(start - 3_600_000, "run")]})
    found = derived(press(rota=rota), story, start - 3_600_000, start + 10 * 3_600_000, start + 10 * 3_600_000)
    row = summed(quantities_of(found.buckets).values())
    assert seconds(row, "producing", "unplanned") == [hours * 3600, (11 - hours) * 3600]


def test_a_meter_that_stamps_the_end_of_its_interval_books_the_last_one_on_the_day_that_ends() -> None:
    machine = press(meters={"energy": Meter(0, Fraction(1_000_000))})
    midnight = 86_400.0
    rows = minutes(midnight + 900, machine=machine, state={0: "run"}, energy={midnight - 900: 10.0, midnight: 11.0})
    last_day = summed(row for minute, row in rows.items() if minute < 1440)
    assert last_day["energy"] == 1_000_000
    assert rows[1440]["energy"] == 0


def test_without_planned_time_there_is_no_oee_but_a_reason() -> None:
    machine = press(rota=shifts(("06:00", "14:00")))
    found = kpis(seen(3600, machine=machine, state={0: "run"}, total={0: 0, 60: 9}, good={0: 0, 60: 9}))
    for kpi in ("oee", "availability", "throughput"):
        assert found[kpi].value is None
        assert "planned" in found[kpi].reason


def test_without_output_quality_has_no_value_but_oee_is_zero() -> None:
    found = kpis(seen(3600, state={0: "idle"}, total={0: 5, 60: 5}, good={0: 5, 60: 5}))
    assert found["quality_rate"].value is None
    assert found["quality_rate"].reason
    assert found["effectiveness"].value is None
    assert found["effectiveness"].reason
    assert found["oee"].value == 0
    assert found["availability"].value == 0


def test_more_good_parts_than_parts_is_refused_and_not_called_quality() -> None:
    found = kpis(seen(3600, state={0: "run"}, total={0: 0, 60: 10}, good={0: 0, 60: 11}))
    assert found["quality_rate"].value is None
    assert "good" in found["quality_rate"].reason
    assert found["quality_rate"].flags


def test_rework_is_not_counted_into_the_total_again() -> None:
    machine = press(meters=PARTS | {"rework": Meter()})
    counts: dict[str, Points] = {"total": {0: 0, 60: 100}, "good": {0: 0, 60: 90}, "rework": {0: 0, 60: 4}}
    row = summed(
        minutes(
            600, machine=machine, state={0: "run"}, total=counts["total"], good=counts["good"], rework=counts["rework"]
        ).values()
    )
    assert (row["total"], row["good"], row["rework"], row["scrap"]) == (100, 90, 4, 6)
    booked = Story({role: [Report(at(s), v) for s, v in points.items()] for role, points in counts.items()})
    booked.reports |= {"state": [Report(at(0), "run")], "rework_booked": [Report(at(300), 2.0, 1)]}
    later = summed(quantities_of(derived(machine, booked, at(0), at(600), at(600)).buckets).values())
    assert (later["total"], later["good"], later["rework"], later["scrap"]) == (100, 88, 6, 6)


@pytest.mark.parametrize(("ahead_s", "believed"), [(299, True), (301, False), (86_400, False), (-86_400, True)])
def test_a_device_whose_clock_runs_ahead_is_not_believed_and_its_reading_is_marked(
    ahead_s: int, *, believed: bool
) -> None:
    """A time in the past may be a message that the broker kept; one in the future can only be a clock that is wrong."""
    now_ns = at(0) * 1_000_000
    own_ns = now_ns + ahead_s * 10**9
    readings = BatchBuilder()
    point = Point(1, ("n",), TagType.FLOAT, time=SourceTime(("ts",), "ms"))
    payload = f'{{"n": 7, "ts": {own_ns // 1_000_000}}}'.encode()
    assert extract([point], payload, now_ns, 300 * 10**9, readings) == ""
    (reading,) = readings.build()
    assert reading.time_ns == (own_ns if believed else now_ns)
    assert reading.quality == (GOOD if believed else uncertain(Reason.CLOCK))


def test_a_break_over_midnight_is_taken_out_of_the_night_shift() -> None:
    assert parse_span("23:50-00:10").end_min == 1450
    machine = press(rota=shifts(("22:00", "06:00"), breaks=(("23:50", "00:10"),)))
    row = seen(3600, machine=machine, state={0: "run"})
    assert row["planned"] == 50 * 60 * 10**6

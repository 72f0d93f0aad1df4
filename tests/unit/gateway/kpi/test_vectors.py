"""Published and derived OEE vectors from raw readings to KPIs: segments, buckets and catalogue together."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from gateway.kpi.catalogue import evaluate
from tests.oracle.bridge import calendar, derived, quantities_of
from tests.oracle.calendars import Rota, instant
from tests.oracle.machine import Machine, Meter, Report, Story, Value

T0 = instant("UTC", date(2026, 6, 1), "00:00")
STATES: dict[Value, str] = {
    "run": "producing",
    "set": "setup",
    "stop": "idle",
    "fault": "fault",
    "wait": "starved",
    "short": "blocked",
}
Points = dict[float, Value]


def shown(minutes: float, machine: Machine, **roles: Points) -> tuple[Counter[str], dict[str, float | None]]:
    """Sums and KPI values over the first minutes after T0; readings are at minutes after T0."""
    told = Story(
        {role: [Report(T0 + round(60_000 * at), v) for at, v in points.items()] for role, points in roles.items()}
    )
    end = T0 + round(60_000 * minutes)
    found: Counter[str] = Counter()
    for row in quantities_of(derived(machine, told, T0, end, end).buckets).values():
        found.update(row)
    return found, {kpi: result.value for kpi, result in evaluate(found).items()}


def press(ideal_s: float, **changes: Any) -> Machine:
    meters = {role: Meter() for role in ("total", "good", "scrap")}
    usual: dict[str, Any] = {"states": STATES, "meters": meters, "ideal_us": {"": round(ideal_s * 1e6)}}
    return Machine(**(usual | changes))


def stretches(*lengths: tuple[str, float]) -> Points:
    """States that follow each other, each for some minutes."""
    found: Points = {}
    at = 0.0
    for state, length in lengths:
        found[at] = state
        at += length
    return found


def made(total: float, reject: float, at: float) -> dict[str, Points]:
    """Counters that stand at 0 in the beginning and show these counts later."""
    return {"total": {0: 0.0, at: float(total)}, "scrap": {0: 0.0, at: float(reject)}}


def test_tv5_flux() -> None:
    """influxdata/flux, apq_test: running 0:00, stopped 2:00, running 3:00 to 4:00, planned 8 h; 240 parts, 4 bad."""
    row, kpi = shown(
        480, press(30),
        state=stretches(("run", 120), ("stop", 60), ("run", 60), ("stop", 240)),
        total={0: 1200, 60: 1300, 120: 1400, 180: 1400, 240: 1440},
        scrap={0: 10, 60: 11, 120: 11, 180: 11, 240: 14},
    )  # fmt: skip
    assert row["time_producing"] == 10_800 * 10**6
    assert kpi["availability"] == pytest.approx(0.375)
    assert kpi["effectiveness"] == pytest.approx(0.6666667, abs=1e-7)
    assert kpi["quality_rate"] == pytest.approx(0.9833333, abs=1e-7)
    assert kpi["oee"] == pytest.approx(0.2458333, abs=1e-7)


def test_tv1_vorne() -> None:
    """Fast Guide to OEE: shift 480 min, breaks 60, down 47, 60 a minute, 19,271 parts, 423 rejects."""
    machine = press(
        1, rota=Rota(shifts=(("00:00", "08:00"),), breaks=(("02:00", "02:15"), ("04:00", "04:30"), ("06:00", "06:15")))
    )
    states = stretches(("run", 60), ("fault", 47), ("run", 1000))
    _, kpi = shown(480, machine, state=states, **made(19_271, 423, 470))
    assert kpi["availability"] == pytest.approx(0.8881, abs=5e-5)
    assert kpi["effectiveness"] == pytest.approx(0.8611, abs=5e-5)
    assert kpi["quality_rate"] == pytest.approx(0.9780, abs=5e-5)
    assert kpi["oee"] == pytest.approx(0.7479, abs=5e-5)
    assert kpi["teep"] == pytest.approx(0.6544, abs=5e-5)
    assert kpi["loading"] == pytest.approx(0.875)


def test_tv8_tpm_a_route_to_world_class_performance() -> None:
    """Page 127: 910 min, stops 115, changeover 12, 203 cycles of 3 min: availability 0.860, performance 0.778."""
    states = stretches(("run", 400), ("fault", 115), ("run", 200), ("set", 12), ("run", 183))
    _, kpi = shown(910, press(180), state=states, **made(203, 0, 900))
    assert kpi["availability_classic"] == pytest.approx(783 / 910)
    assert kpi["performance_classic"] == pytest.approx(203 * 3 / 783)
    assert kpi["performance_classic"] == pytest.approx(203 / 261)


def test_tv11_six_big_losses() -> None:
    """480 min, down 80 of which 30 set-up, ideal 0.5 min, 700 parts, 100 bad of which 40 at start-up: sum 180."""
    machine = press(30)
    states = stretches(("set", 30), ("run", 200), ("fault", 50), ("run", 200))
    row, kpi = shown(
        480, machine, state=states, startup={0: 1.0, 60: 0.0},
        total={0: 0, 50: 60, 470: 700}, scrap={0: 0, 50: 40, 470: 100},
    )  # fmt: skip
    names = ("breakdown", "setup", "minor_stops", "speed", "defects", "startup", "unknown")
    losses = {name: (kpi[f"loss_{name}"] or 0) / 60 for name in names}
    assert losses == pytest.approx(
        {"breakdown": 50, "setup": 30, "minor_stops": 0, "speed": 50, "defects": 30, "startup": 20, "unknown": 0}
    )
    assert sum(losses.values()) == pytest.approx(180)
    assert (row["planned"] - row["ideal_good"]) / 60e6 == pytest.approx(180)


def test_tv12_reliability() -> None:
    """1,000 h of operation, 5 failures, 50 h of repair; without a failure there is no mean time between failures."""
    cycle = [("run", 200.0 * 60), ("fault", 10.0 * 60)] * 5
    _, kpi = shown(1050 * 60, press(60, meters={}), state=stretches(*cycle))
    assert kpi["mtbf"] == pytest.approx(200)
    assert kpi["mttr"] == pytest.approx(10)
    assert kpi["inherent_availability"] == pytest.approx(0.95238, abs=1e-5)
    _, none = shown(600, press(60, meters={}), state={0: "run"})
    assert (none["mtbf"], none["mttr"]) == (None, None)


def test_tv14_iso_beside_classic() -> None:
    """PBT 420, APT 330, AUST 30, ADET 25, ideal 1 min, 300 parts, 285 good: ISO and classic differ in A and P only."""
    states = stretches(("set", 30), ("run", 300), ("fault", 20), ("short", 2), ("run", 30), ("wait", 3), ("stop", 35))
    row, kpi = shown(420, press(60, minor_stop_ms=180_000), state=states, **made(300, 15, 400))
    assert row["time_minor_stop"] == 0  # 20 + 2 and 3 + 35 min are whole stops
    expected = {
        "availability": 0.7857, "effectiveness": 0.9091, "quality_rate": 0.95, "oee": 0.6786, "nee": 0.7403,
        "allocation_efficiency": 0.9167, "utilization_efficiency": 0.8571, "technical_efficiency": 0.9296,
        "setup_ratio": 0.0833,
    }  # fmt: skip
    assert {name: kpi[name] for name in expected} == pytest.approx(expected, abs=5e-5)
    assert kpi["oee_classic"] == pytest.approx(0.6786, abs=5e-5)
    assert kpi["availability_classic"] == pytest.approx(330 / 420)


def test_tv14_with_minor_stops_inside_run_time_classic_availability_is_higher_and_performance_lower() -> None:
    """The same shift, its delays as 25 stops of one minute: ADET for ISO, lost speed for the classic way."""
    short = [("run", 330.0 / 26), ("short", 1.0)] * 25 + [("run", 330.0 / 26)]
    machine = press(60, minor_stop_ms=180_000)
    row, kpi = shown(420, machine, state=stretches(("set", 30), *short, ("stop", 35)), **made(300, 15, 400))
    assert row["minor_stops"] == 25
    assert kpi["availability"] == pytest.approx(330 / 420, abs=1e-5)
    assert kpi["availability_classic"] == pytest.approx(355 / 420, abs=1e-5)
    assert kpi["effectiveness"] == pytest.approx(300 / 330, abs=1e-5)
    assert kpi["performance_classic"] == pytest.approx(300 / 355, abs=1e-5)
    assert kpi["oee"] == pytest.approx(kpi["oee_classic"])
    assert kpi["loss_minor_stops"] == pytest.approx(25 * 60, abs=1)


def test_tv28_a_sixteen_bit_counter() -> None:
    """65530 → 4 is a roll-over of 10 parts, 500 → 3 a reset with 3; at most 1,000 are plausible, both are flagged."""
    machine = press(0.24, meters={"total": Meter(65_536)})  # twice the ideal speed over one minute and one: 1,000
    wrapped, _ = shown(2, machine, total={0: 65_530, 1: 4})
    reset, _ = shown(2, machine, total={0: 500, 1: 3})
    assert (wrapped["total"], wrapped["counter_anomalies"]) == (10, 1)
    assert (reset["total"], reset["counter_anomalies"]) == (3, 1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Ho_Chi_Minh", date(2026, 12, 31), 8),
        ("Europe/Berlin", date(2026, 3, 28), 7),
        ("Europe/Berlin", date(2026, 10, 24), 9),
    ],
)
def test_tv29_business_dates_and_lengths_of_night_shifts(zone: str, day: date, hours: int) -> None:
    nights = calendar(Rota(zone, shifts=(("22:00", "06:00"),)))
    start = instant(zone, day, "22:00")
    (shift,) = nights.shifts_in(start, start + 1)
    assert (shift.business_date, shift.start_ms, shift.end_ms - shift.start_ms) == (day, start, hours * 3_600_000)
    assert nights.planned(start - 3_600_000, shift.end_ms + 3_600_000) == [(start, shift.end_ms)]
    assert nights.business_date(shift.end_ms - 1) == day

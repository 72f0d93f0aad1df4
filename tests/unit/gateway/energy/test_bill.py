"""Cost by time of use: bands of local clocks, records by date, reactive charge, bounds for what nobody measured."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.energy.bands import Choice, bands
from gateway.energy.bill import Bill, PowerFactor, bill
from gateway.energy.demand import demand
from gateway.energy.localtime import is_month, month_span
from gateway.energy.profile import Profile
from gateway.library import Library
from gateway.packs import Found, HoursRecord, Packs, ReactiveRecord, Record, TariffRecord
from gateway.packs.records import BANDS
from tests.unit.gateway.energy.profiles import BERLIN, HANOI, HOUR, KWH, MINUTE, QUARTER, at, even, profile

PACKS = Packs.load(["vietnam"], Library.beside(Path("lineside.yaml")))
BELOW_6KV = Choice(PACKS, "tariff.production.below_6kv", "tou_hours")
FROM_110KV = Choice(PACKS, "tariff.production.from_110kv", "tou_hours")
SOURCE = {"issued_by": "us", "document": "a test", "verified": "unverified"}
MONDAY = date(2026, 11, 2)


def cost(load: Profile, choice: Choice = BELOW_6KV, zone: ZoneInfo = HANOI, **more: object) -> Bill:
    span = int(load.edge_ms[0]), int(load.edge_ms[-1])
    sundays = frozenset(more.pop("sundays", ()))  # type: ignore[call-overload]
    return bill(load, bands(choice.terms, zone, *span, sundays), **more)  # type: ignore[arg-type]


def kwh(found: Bill) -> dict[str, float]:
    return {band: sum(line.mwh for line in found.lines if line.band == band) / KWH for band in BANDS}


def hours_a_day(day: str, choice: Choice = BELOW_6KV, zone: ZoneInfo = HANOI, **more: object) -> dict[str, float]:
    """How many hours of a local day are in each band: kWh at 1 kW."""
    start = at(f"{day}T00:00", zone)
    end = at(f"{date.fromisoformat(day) + timedelta(days=1)}T00:00", zone)
    return kwh(cost(even(start, end, 1), choice, zone, **more))


def tariff(**more: object) -> TariffRecord:
    usual = {"key": "tariff.own", "currency": "EUR", "prices": {"peak": 3, "normal": 2, "off_peak": 1}}
    return TariffRecord.model_validate(SOURCE | usual | {"valid_from": "2000-01-01"} | more)


def hours(**more: object) -> HoursRecord:
    return HoursRecord.model_validate(SOURCE | {"key": "hours", "valid_from": "2000-01-01"} | more)


def own(*records: Record) -> Choice:
    return Choice(Packs((records,), strict=True), "tariff.own", "hours")


def test_a_thousand_kwh_at_the_normal_price_cost_what_the_published_example_says() -> None:
    noon = at("2026-11-02T13:00")
    found = cost(profile(noon, [1000 * KWH], HOUR))
    assert found.total == pytest.approx(2_145_960)
    assert found.currency == "VND"
    assert [label.split(" (")[0] for label in found.factors] == [
        "tariff.production.below_6kv 2025",
        "tou_hours hours_2014 2014",
    ]
    assert "contradicted by tou_hours hours_2026 2026" in found.factors[1]


def test_three_bands_cost_what_the_published_example_says() -> None:
    load = [100 * KWH, 0, 0, 0, 10 * KWH, 0, 0, 0, 0, 50 * KWH]  # 13:00 normal, 17:00 peak, 22:00 off-peak
    found = cost(profile(at("2026-11-02T13:00"), load, HOUR), FROM_110KV)
    assert kwh(found) == {"peak": 10, "normal": 100, "off_peak": 50}
    assert found.total == pytest.approx(292_744.8)
    assert found.share("peak") == pytest.approx(1 / 16)


@pytest.mark.parametrize(
    ("day", "variant", "expected"),
    [
        ("2026-11-02", "", {"peak": 5, "normal": 13, "off_peak": 6}),
        ("2026-11-07", "", {"peak": 5, "normal": 13, "off_peak": 6}),  # Saturday
        ("2026-11-08", "", {"peak": 0, "normal": 18, "off_peak": 6}),  # Sunday
        ("2026-11-02", "hours_2026", {"peak": 5, "normal": 13, "off_peak": 6}),
        ("2026-11-08", "hours_2026", {"peak": 0, "normal": 18, "off_peak": 6}),
    ],
)
def test_hours_of_a_day_in_each_band(day: str, variant: str, expected: dict[str, float]) -> None:
    assert hours_a_day(day, replace(BELOW_6KV, variant=variant)) == expected


def test_a_holiday_has_the_hours_of_a_sunday_only_where_the_site_says_so() -> None:
    assert hours_a_day("2026-09-02")["peak"] == 5
    assert hours_a_day("2026-09-02", sundays=[date(2026, 9, 2)]) == {"peak": 0, "normal": 18, "off_peak": 6}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-03-28", {"peak": 1, "normal": 21, "off_peak": 2}),
        ("2026-03-29", {"peak": 1, "normal": 21, "off_peak": 1}),  # 02:00 to 03:00 does not exist
        ("2026-10-25", {"peak": 1, "normal": 21, "off_peak": 3}),  # 02:00 to 03:00 exists twice
    ],
)
def test_where_clocks_change_a_band_is_what_they_show(day: str, expected: dict[str, float]) -> None:
    night = hours(off_peak=[{"spans": ["01:30-03:30"]}], peak=[{"spans": ["23:00-00:00"]}])
    assert hours_a_day(day, own(tariff(), night), BERLIN) == expected


def test_an_interval_across_the_edge_of_a_band_is_split_in_proportion_to_time() -> None:
    found = cost(profile(at("2026-11-02T09:00"), [KWH], HOUR))  # peak from 09:30
    assert kwh(found) == {"peak": 0.5, "normal": 0.5, "off_peak": 0}
    odd = cost(profile(at("2026-11-02T09:00"), [3], HOUR))
    assert [line.mwh for line in odd.lines] in ([1, 2], [2, 1])


def test_prices_are_those_of_each_local_day() -> None:
    cheap, dear = tariff(valid_to="2026-11-02"), tariff(valid_from="2026-11-03", prices=dict.fromkeys(BANDS, 10))
    start = at("2026-11-02T23:00")
    found = cost(profile(start, [KWH, KWH], HOUR), own(cheap, dear, hours()))
    assert [(line.band, line.price, line.mwh) for line in found.lines] == [("normal", 2, KWH), ("normal", 10, KWH)]
    assert found.net == pytest.approx(12)
    names = [label.split(" (")[0] for label in found.factors]
    assert names == ["tariff.own 2000", "hours 2000", "tariff.own 2026"]


def test_each_line_has_the_vat_of_its_own_record() -> None:
    low, high = tariff(valid_to="2026-11-02", vat_percent=8), tariff(valid_from="2026-11-03", vat_percent=10)
    found = cost(profile(at("2026-11-02T23:00"), [KWH, KWH], HOUR), own(low, high, hours()))
    assert found.vat == pytest.approx(0.16 + 0.2)
    assert found.total == pytest.approx(4.36)


def test_a_day_without_a_record_has_no_amount_but_says_what_is_missing() -> None:
    late = tariff(valid_from="2026-11-03")
    found = cost(profile(at("2026-11-02T23:00"), [KWH, KWH], HOUR), own(late, hours()))
    assert found.missing == ("tariff",)
    assert found.energy is found.net is found.vat is found.total is None
    assert found.mwh == 2 * KWH
    unused = cost(profile(at("2026-11-02T23:00"), [0, KWH], HOUR), own(late, hours()))
    assert unused.total == pytest.approx(2)  # nothing was used on the day without a price


def test_what_was_not_measured_costs_nothing_and_is_not_zero() -> None:
    found = cost(profile(at("2026-11-02T23:00"), [None, None], HOUR))
    assert found.missing == ("energy",)
    assert found.total is None


def test_a_schedule_can_be_tried_on_days_before_it_is_in_force() -> None:
    start = at("2026-03-02T17:00")
    load = profile(start, [KWH] * 6, HOUR)
    today, tried = cost(load), cost(load, replace(BELOW_6KV, variant="hours_2026"))
    assert kwh(today) == {"peak": 3, "normal": 2, "off_peak": 1}
    assert kwh(tried) == {"peak": 5, "normal": 1, "off_peak": 0}  # 17:30 to 22:30
    assert tried.factors[1].endswith("unverified), tried on days on which it is not valid")
    later = cost(profile(at("2026-11-02T17:00"), [KWH], HOUR), replace(BELOW_6KV, variant="hours_2026"))
    assert later.factors[1].endswith("unverified)")
    assert BELOW_6KV.variants() == ["hours_2014", "hours_2026"]


def test_what_fell_into_a_hole_may_have_been_used_in_any_band_of_it() -> None:
    start = at("2026-11-02T09:00")
    load = Profile(
        start + np.array([0, HOUR, 2 * HOUR]), np.array([2 * KWH, KWH]), np.array([False, True])
    )  # 09:00 to 10:00: half normal, half peak
    found = cost(load)
    assert found.spread_mwh == 2 * KWH
    assert found.energy == pytest.approx(1987 + 3640 + 3640)
    assert found.low == pytest.approx(2 * 1987 + 3640)
    assert found.high == pytest.approx(2 * 3640 + 3640)


@pytest.mark.parametrize(
    ("active", "reactive", "percent"), [(3.17, 2.95, 73.21), (4, 4.46, 66.77), (3.24, 3.28, 70.28)]
)
def test_power_factors_are_those_of_a_published_meter(active: float, reactive: float, percent: float) -> None:
    found = PowerFactor(round(active * KWH), round(reactive * KWH)).value
    assert found is not None
    assert round(100 * found, 2) == percent


@pytest.mark.parametrize(
    ("factor", "percent"),
    [(0.89, 1.12), (0.85, 5.88), (0.8, 12.5), (0.75, 20), (0.6, 50), (0.59, 52.54), (0.9, 0), (1, 0)],
)
def test_the_reactive_charge_is_that_of_the_published_table(factor: float, percent: float) -> None:
    active = 10**12
    poor = PowerFactor(active, round(active * (1 / factor**2 - 1) ** 0.5))
    found = cost(profile(at("2026-11-02T13:00"), [active], HOUR), power_factor=poor, reactive=_charge())
    assert found.reactive.amount is not None
    assert found.energy is not None
    assert 100 * found.reactive.amount == pytest.approx(percent * found.energy, abs=0.005 * found.energy)
    assert found.net == pytest.approx(found.energy + found.reactive.amount)
    assert found.total == pytest.approx(1.08 * (found.energy + found.reactive.amount))
    assert any("reactive_charge" in label for label in found.factors)


def test_a_reactive_charge_that_is_unknown_says_why() -> None:
    load, poor = profile(at("2026-11-02T13:00"), [KWH], HOUR), PowerFactor(KWH, KWH)
    assert cost(load).reactive.note == "reactive energy is not read"
    assert "factor_missing" in cost(load, power_factor=poor).reactive.note
    assert cost(load, power_factor=PowerFactor(0, KWH), reactive=_charge()).reactive.note == "no active energy"
    small = cost(load, power_factor=poor, reactive=_charge(), registered_kw=30.0).reactive
    assert (small.amount, small.note) == (0.0, "counts from 40 kW of registered power")


def test_capacity_is_paid_for_the_peak_of_a_whole_month() -> None:
    load = profile(at("2026-11-02T13:00"), [15_000 * KWH // 1000] * 60)
    choice, peak = own(tariff(capacity_per_kw_month=200.0), hours()), demand(load, QUARTER, HANOI).block
    assert cost(load, choice, peak=peak, is_whole_month=True).capacity.amount == pytest.approx(200 * 900)
    assert cost(load, choice, peak=peak).capacity.amount is None
    assert cost(load, choice, is_whole_month=True).capacity.note == "there is no peak demand"
    assert cost(load, peak=peak, is_whole_month=True).capacity.amount == 0


def test_months_are_those_of_the_local_calendar() -> None:
    span = month_span("2026-10", BERLIN)
    assert (span[1] - span[0]) / HOUR == 31 * 24 + 1
    assert is_month(span, BERLIN)
    assert not is_month((span[0], span[1] - MINUTE), BERLIN)
    with pytest.raises(ValueError, match="'2026-13' is no month: write 2026-10"):
        month_span("2026-13", BERLIN)


loads = st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1, max_size=60)
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))
zones = st.sampled_from([HANOI, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/St_Johns")])


@given(loads, days, zones, st.sampled_from([MINUTE, QUARTER, HOUR, 4 * HOUR]))
def test_bands_add_up_to_the_register_and_the_cost_lies_between_its_bounds(
    load: list[int | None], day: date, zone: ZoneInfo, step_ms: int
) -> None:
    whole = profile(at(f"{day}T00:00", zone), load, step_ms)
    found = cost(whole, own(tariff(), hours(peak=[{"days": "mon-sat", "spans": ["01:15-03:45"]}])), zone)
    assert found.mwh == sum(line.mwh for line in found.lines) == whole.total_mwh
    if found.energy is not None and found.low is not None and found.high is not None:
        assert found.low <= found.energy + 1e-9
        assert found.energy <= found.high + 1e-9


@given(days, zones)
def test_bands_cover_a_range_without_gaps_and_change_only_where_the_clock_says_so(day: date, zone: ZoneInfo) -> None:
    start, end = at(f"{day}T00:00", zone), at(f"{day}T00:00", zone) + 30 * HOUR
    found = bands(BELOW_6KV.terms, zone, start, end)
    assert (found.edge_ms[0], found.edge_ms[-1]) == (start, end)
    assert (np.diff(found.edge_ms) > 0).all()
    pieces = list(zip(found.band.tolist(), found.row.tolist(), strict=True))
    assert all(one != following for one, following in pairwise(pieces))


def _charge() -> Found[ReactiveRecord] | None:
    return PACKS.at(ReactiveRecord, "reactive_charge", MONDAY)

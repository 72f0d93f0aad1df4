"""What a baseline says of later periods: signs, sums, uncertainty, drift."""

from dataclasses import replace
from math import isclose
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.energy.baseline.comparing import LIMIT, SLACK, compare, drifts, normalised
from gateway.energy.baseline.fitting import fitted
from gateway.energy.baseline.periods import Collected
from gateway.energy.baseline.record import Ask, Baseline, Period
from gateway.energy.baseline.regression import fit

Array = NDArray[np.float64]
DAY_MS = 86_400_000
UTC = ZoneInfo("UTC")


def periods(energy: Array, drivers: Array, from_day: int = 0) -> tuple[Period, ...]:
    rows = enumerate(zip(energy.tolist(), drivers.tolist(), strict=True), from_day)
    return tuple(Period(day * DAY_MS, (day + 1) * DAY_MS, e, tuple(x)) for day, (e, x) in rows)


def baseline(energy: Array, drivers: Array, names: tuple[str, ...] = ("total", "hdd15:t.csv")) -> Baseline:
    ask = Ask("press", "", "electricity", "day", names[: drivers.shape[1]])
    found = Collected(periods(energy, drivers), (), ("kWh",) * (1 + drivers.shape[1]))
    return fitted("press", ask, found, (0, len(energy) * DAY_MS), UTC, {})


def line(drivers: Array) -> Array:
    return 200 + drivers @ np.array([0.3, 12.0])


def weather(rng: np.random.Generator, count: int) -> Array:
    return np.column_stack([rng.uniform(500, 1500, count), rng.uniform(0, 20, count)])


@pytest.fixture
def known() -> Baseline:
    rng = np.random.default_rng(1)
    drivers = weather(rng, 40)
    return baseline(line(drivers) + rng.normal(0, 10, 40), drivers)


def test_less_energy_is_a_saving_in_every_sign(known: Baseline) -> None:
    drivers = weather(np.random.default_rng(2), 10)
    found = compare(known, periods(known.model.expected(drivers) - 25, drivers))
    assert isclose(found.savings, 250)
    assert np.allclose(found.differences, -25)
    assert isclose(found.cusum[-1], -250)
    assert np.all(np.diff(found.cusum) < 0)
    assert found.enpi is not None
    assert found.improvement is not None
    assert found.enpi < 1
    assert isclose(found.improvement, 250 / found.total)
    assert {one.direction for one in found.drifts} == {"less"}


def test_more_energy_is_an_excess_in_every_sign(known: Baseline) -> None:
    drivers = weather(np.random.default_rng(3), 10)
    found = compare(known, periods(known.model.expected(drivers) + 25, drivers))
    assert isclose(found.savings, -250)
    assert isclose(found.cusum[-1], 250)
    assert found.enpi is not None
    assert found.enpi > 1
    assert found.drifts[0].direction == "more"
    assert isclose(found.drifts[0].mean, 25)
    assert found.drifts[0].since == 0


def test_the_baseline_saves_nothing_over_its_own_range(known: Baseline) -> None:
    found = compare(known, known.periods)
    assert abs(found.savings) < 1e-6
    assert found.enpi is not None
    assert isclose(found.enpi, 1)
    assert abs(found.cusum[-1]) < 1e-6
    assert found.extrapolated == 0


def test_enpi_is_a_ratio_of_sums_so_parts_of_a_range_add_up(known: Baseline) -> None:
    drivers = weather(np.random.default_rng(4), 31)
    every = periods(line(drivers) * 0.9, drivers)
    whole, first, second = (compare(known, part) for part in (every, every[:12], every[12:]))
    assert isclose(whole.energy, first.energy + second.energy)
    assert isclose(whole.total, first.total + second.total)
    assert isclose(whole.savings, first.savings + second.savings)
    assert np.allclose(whole.cusum[12:], first.cusum[-1] + second.cusum)
    assert whole.enpi is not None
    assert isclose(whole.enpi, (first.energy + second.energy) / (first.total + second.total))


def test_nothing_expected_gives_no_enpi() -> None:
    drivers = np.array([[0.0], [1], [2], [3]])
    known = baseline(np.array([0.0, 1, 2, 3]), drivers)
    found = compare(known, periods(np.array([5.0]), np.array([[0.0]])))
    assert found.enpi is None
    assert found.improvement is None
    assert isclose(found.savings, -5)


def test_periods_outside_the_fitted_range_say_which_driver_and_which_range(known: Baseline) -> None:
    low, high = known.ranges[0]
    drivers = np.array([[1000.0, 5], [high + 1, 5], [low - 1, 99]])
    found = compare(known, periods(line(drivers), drivers))
    assert found.outside[0] == ()
    assert [one.split()[0] for one in found.outside[1]] == ["total"]
    assert f"{low:.6g} … {high:.6g}" in found.outside[1][0]
    assert [one.split()[0] for one in found.outside[2]] == ["total", "hdd15"]
    assert found.extrapolated == 2


def test_a_forecast_is_less_sure_far_from_the_fitted_range(known: Baseline) -> None:
    near, far = np.array([known.model.means]), np.array([[9000.0, 100]])
    assert known.model.error_of_period(far)[0] > 3 * known.model.error_of_period(near)[0]


def test_the_interval_of_savings_holds_the_truth_in_95_of_100_plants() -> None:
    """The saving is 0 by construction; each plant has a fit over 15 days and 10 later ones of its own."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2000):
        before, after = weather(rng, 15), weather(rng, 10)
        known = baseline(line(before) + rng.normal(0, 30, 15), before)
        found = compare(known, periods(line(after) + rng.normal(0, 30, 10), after))
        held += not found.is_certain
    assert 0.935 < held / 2000 < 0.965


def test_normalised_savings_compare_two_lines_at_one_point() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(1000):
        drivers = weather(rng, 15), weather(rng, 12)
        before, _ = fit(line(drivers[0]) + rng.normal(0, 30, 15), drivers[0], ["a", "b"])
        after, _ = fit(line(drivers[1]) - 40 + rng.normal(0, 20, 12), drivers[1], ["a", "b"])
        found = normalised(before, after, (1000, 10))
        assert isclose(found.savings, found.before - found.after)
        held += abs(found.savings - 40) < found.uncertainty
    assert 0.935 < held / 1000 < 0.975


def oracle(sizes: list[float]) -> list[tuple[str, int, int]]:
    """The test from its other definition: the largest sum of (z − k) over any stretch that ends now exceeds h."""
    found, first = [], 0
    for at in range(len(sizes)):
        best = []
        for direction, sign in (("more", 1), ("less", -1)):
            sums = [sum(sign * z - SLACK for z in sizes[s : at + 1]) for s in range(first, at + 1)]
            best.append((max(sums), direction, first + int(np.argmax(sums))))
        size, direction, since = max(best)
        if size > LIMIT:
            found.append((direction, since, at))
            first = at + 1
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_drift_is_the_largest_sum_over_any_stretch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.normal(0, 1, 60) + np.repeat(rng.uniform(-2, 2, 4), 15)
    errors = rng.uniform(0.5, 20, 60)
    got = [(one.direction, one.since, one.at) for one in drifts(sizes * errors, errors)]
    assert got == oracle(sizes.tolist())


def test_without_a_change_one_alarm_comes_in_about_465_periods() -> None:
    sizes = np.random.default_rng(8).normal(0, 1, 400_000)
    assert 430 < 400_000 / len(drifts(sizes, np.ones(400_000))) < 500


def test_a_lasting_change_of_one_error_is_found_after_about_10_periods() -> None:
    sizes = np.random.default_rng(9).normal(1, 1, 50_000)
    assert 10.0 < 50_000 / len(drifts(sizes, np.ones(50_000))) < 10.8


def test_one_high_period_is_no_drift() -> None:
    sizes = np.zeros(30)
    sizes[11] = 5.0
    assert drifts(sizes, np.ones(30)) == ()


def test_drift_names_the_period_in_which_the_change_began() -> None:
    sizes = np.concatenate([np.full(20, -0.1), np.full(10, 1.5)])
    (first, *_) = drifts(sizes, np.ones(30))
    assert (first.direction, first.since, first.at) == ("more", 20, 25)
    assert isclose(first.mean, 1.5)


def test_rounding_is_no_drift_from_a_line_that_fits_exactly() -> None:
    drivers = np.linspace(1, 9, 12)[:, None] * 1e6
    known = baseline(0.1 * drivers[:, 0] + 7, drivers)
    later = np.linspace(2, 8, 40)[:, None] * 1e6
    assert compare(known, periods(0.1 * later[:, 0] + 7, later)).drifts == ()
    assert compare(known, periods(0.1 * later[:, 0] + 9, later)).drifts


def levels(known: Baseline) -> dict[str, str]:
    return {one.check: one.level for one in known.checks}


def test_a_good_baseline_has_no_warning(known: Baseline) -> None:
    assert set(levels(known).values()) == {"ok"}


def test_each_weakness_is_a_warning_of_its_own() -> None:
    rng = np.random.default_rng(10)
    drivers = weather(rng, 40)
    noise = rng.normal(0, 1, 40)
    assert levels(baseline(line(drivers[:8]) + noise[:8], drivers[:8]))["periods"] == "warning"
    assert levels(baseline(line(drivers) + 400 * noise, drivers))["R²"] == "warning"
    assert levels(baseline(line(drivers) - 430 + 100 * noise, drivers))["CV(RMSE)"] == "warning"
    only_first = levels(baseline(200 + 0.3 * drivers[:, 0] + 10 * noise, drivers))
    assert only_first["significance of total"] == "ok"
    assert only_first["significance of hdd15"] == "warning"
    alike = np.column_stack([drivers[:, 0], drivers[:, 0] + noise])
    assert levels(baseline(line(drivers) + noise, alike))["collinearity of total"] == "warning"
    assert levels(baseline(900 - 0.3 * drivers[:, 0] + noise, drivers[:, :1]))["sign of total"] == "warning"
    assert levels(baseline(line(drivers) - 400 + noise, drivers))["base"] == "warning"
    slow = np.convolve(rng.normal(0, 1, 49), np.ones(10), "valid")
    assert levels(baseline(line(drivers) + 10 * slow, drivers))["correlation of neighbours"] == "warning"


def test_periods_of_different_length_ask_for_hours() -> None:
    rng = np.random.default_rng(11)
    drivers = weather(rng, 40)
    ask = Ask("press", "", "electricity", "day", ("total", "hdd15:t.csv"))
    uneven = tuple(
        replace(one, end_ms=one.end_ms + (at % 7 == 0) * DAY_MS // 4)
        for at, one in enumerate(periods(line(drivers) + rng.normal(0, 1, 40), drivers))
    )
    known = fitted("press", ask, Collected(uneven, (), ("kWh", "", "")), (0, 1), UTC, {})
    assert levels(known)["lengths of periods"] == "warning"
    named = replace(ask, drivers=("total", "hours"))
    assert "lengths of periods" not in levels(
        fitted("press", named, Collected(uneven, (), ("kWh", "", "")), (0, 1), UTC, {})
    )

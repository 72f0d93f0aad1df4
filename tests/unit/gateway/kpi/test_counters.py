"""Roll-over, reset, jitter and implausible jumps."""

import numpy as np
import pytest

from gateway.kpi.asset import Binding
from gateway.kpi.counters import count_increments, energy_increments
from gateway.kpi.facts import Series

PARTS = Binding("total", 1, "counter", 65536)
METER = Binding("energy", 2, "counter", 65536, 1e6)  # a uint16 of kWh


def counted(*readings: float, seconds: float = 1.0, ideal_us: int | None = None, binding: Binding = PARTS) -> list[int]:
    times = np.arange(len(readings)) * round(seconds * 1000)
    return count_increments(Series.of(times, readings), binding, ideal_us).step.tolist()


def metered(*readings: float, binding: Binding = METER) -> list[int]:
    return energy_increments(Series.of(np.arange(len(readings)) * 1000, readings), binding).step.tolist()


def test_tv28_a_counter_that_wraps_rolled_over() -> None:
    assert counted(65530, 4, seconds=440, ideal_us=1_000_000) == [0, 10]  # up to 1,000 are plausible


def test_tv28_a_counter_that_falls_further_was_reset() -> None:
    assert counted(500, 3, seconds=440, ideal_us=1_000_000) == [0, 3]


def test_without_an_ideal_time_half_the_modulus_decides() -> None:
    assert counted(60_000, 10) == [0, 5546]
    assert counted(20_000, 10) == [0, 10]


def test_a_gap_in_which_anything_could_have_happened_is_no_proof_of_a_roll_over() -> None:
    day_s = 86_400.0
    assert counted(500, 3, seconds=day_s, ideal_us=1_000_000) == [0, 3]


def test_a_counter_without_modulus_never_rolls_over() -> None:
    assert counted(65530, 4, binding=Binding("total", 1, "counter")) == [0, 4]


def test_more_than_twice_the_ideal_speed_is_rejected() -> None:
    series = Series.of([0, 1000, 2000], [10, 5_000, 5_001])
    found = count_increments(series, PARTS, 1_000_000)
    assert found.step.tolist() == [0, 0, 1]
    assert found.rejected.tolist() == [False, True, False]


def test_readings_that_bunch_up_are_not_rejected() -> None:
    assert counted(10, 40, seconds=0.005, ideal_us=2_000_000) == [0, 30]


def test_a_counter_that_falls_below_nothing_counts_nothing() -> None:
    assert counted(5, -3, 1) == [0, 0, 4]


def test_bad_readings_are_stepped_over() -> None:
    assert counted(10, np.nan, 13) == [0, 3]


def test_jitter_of_a_register_cancels_itself_and_is_no_roll_over() -> None:
    assert metered(1000.0, 999.9996, 1000.0002) == [0, -400, 600]


def test_a_register_that_falls_by_more_was_reset() -> None:
    assert metered(1000.0, 2.5) == [0, 2_500_000]


def test_a_register_that_wraps_rolled_over() -> None:
    assert metered(65_535.0, 0.0, 1.0) == [0, 1_000_000, 1_000_000]


def test_energy_between_readings_is_linear_and_rounded_on_the_cumulated_value() -> None:
    grown = energy_increments(Series.of([0, 3], [0.0, 0.00001]), METER)  # 10 mWh in 3 ms
    assert grown.at(np.array([-5, 0, 1, 2, 3, 9])).tolist() == [0, 0, 3, 7, 10, 10]


@pytest.mark.parametrize("readings", [(), (5.0,)])
def test_too_few_readings_grow_by_nothing(readings: tuple[float, ...]) -> None:
    grown = energy_increments(Series.of(range(len(readings)), readings), METER)
    assert grown.at(np.array([0, 10])).tolist() == [0, 0]


def test_garbage_beyond_any_register_does_not_overflow() -> None:
    assert counted(10, 1e300, 12, ideal_us=1_000_000) == [0, 0, 12]

"""Roll-over, reset, jitter and implausible jumps."""

import numpy as np
import pytest

from gateway.kpi.asset import Binding
from gateway.kpi.counters import Anomaly, booked_increments, count_increments, energy_increments
from gateway.kpi.facts import Series

PARTS = Binding("total", 1, "counter", 65536)
METER = Binding("energy", 2, "counter", 65536, 1e6)  # a uint16 of kWh


def counted(*readings: float, seconds: float = 1.0, ideal_us: int | None = None, binding: Binding = PARTS) -> list[int]:
    times = np.arange(len(readings)) * round(seconds * 1000)
    return count_increments(Series.of(times, readings), binding, ideal_us).step.tolist()


def metered(*readings: float, binding: Binding = METER) -> list[int]:
    return energy_increments(Series.of(np.arange(len(readings)) * 1000, readings), binding).step.tolist()


def strange(*readings: float, binding: Binding = PARTS, ideal_us: int | None = None, seconds: float = 1.0) -> list[int]:
    times = np.arange(len(readings)) * round(seconds * 1000)
    series = Series.of(times, readings)
    found = energy_increments(series, binding) if binding is METER else count_increments(series, binding, ideal_us)
    return found.anomaly.tolist()


def test_tv28_a_counter_that_wraps_rolled_over() -> None:
    assert counted(65530, 4, seconds=440, ideal_us=1_000_000) == [0, 10]  # up to 1,000 are plausible
    assert strange(65530, 4, seconds=440, ideal_us=1_000_000) == [Anomaly.NONE, Anomaly.ROLLED_OVER]


def test_tv28_a_counter_that_falls_further_was_reset() -> None:
    assert counted(500, 3, seconds=440, ideal_us=1_000_000) == [0, 3]
    assert strange(500, 3, seconds=440, ideal_us=1_000_000) == [Anomaly.NONE, Anomaly.RESET]


def test_a_counter_that_was_replaced_by_a_used_one_sets_a_new_base() -> None:
    no_modulus = Binding("total", 1, "counter")
    assert counted(41_000, 38_000, 38_002, binding=no_modulus) == [0, 0, 2]
    assert strange(41_000, 38_000, 38_002, binding=no_modulus) == [0, Anomaly.REPLACED, 0]
    assert counted(41_000, 38_000, 38_002, binding=no_modulus, ideal_us=1_000_000) == [0, 0, 2]
    assert strange(41_000, 38_000, binding=no_modulus, ideal_us=1_000_000) == [0, Anomaly.IMPLAUSIBLE]
    assert counted(41_000, 45_000, 45_001, ideal_us=1_000_000) == [0, 0, 1]


def test_a_shortest_cycle_of_the_counter_goes_before_the_ideal_time() -> None:
    fast = Binding("total", 1, "counter", min_cycle_us=1000)
    assert counted(10, 5_010, ideal_us=1_000_000, binding=fast) == [0, 5_000]
    assert counted(10, 90_010, ideal_us=1_000_000, binding=fast) == [0, 0]


def test_increments_count_as_they_are_from_the_first_one_on() -> None:
    added = Binding("good", 1, "increment")
    assert counted(12, 3, 0, np.nan, 4, binding=added) == [12, 3, 0, 4]
    assert counted(500, 3, 700, -2, binding=added, ideal_us=1_000_000) == [500, 3, 0, 0]
    assert strange(500, 3, 700, -2, binding=added, ideal_us=1_000_000) == [0, 0, *[Anomaly.IMPLAUSIBLE] * 2]


def test_each_pulse_is_one_part_also_within_one_millisecond() -> None:
    both = Series.of([5, 5, 9, 11], [1.0, 7.0, 0.0, 1.0], seq=[3, 4, 0, 0])
    found = count_increments(both, Binding("total", 1, "pulse"), 1_000_000)
    assert found.step.tolist() == [1, 1, 0, 1]
    assert not found.anomaly.any()


def test_bookings_keep_their_sign() -> None:
    assert booked_increments(Series.of([1, 2], [5.0, -3.0])).step.tolist() == [5, -3]


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


def test_a_meter_that_was_replaced_by_a_used_one_sets_a_new_base() -> None:
    assert metered(1000.0, 800.0, 801.0, binding=Binding("energy", 2, "counter", 0, 1e6)) == [0, 0, 1_000_000]
    assert strange(40_000.0, 39_000.0, binding=METER) == [0, Anomaly.REPLACED]


def test_a_meter_grows_no_faster_than_the_power_that_its_asset_can_draw() -> None:
    meter = Binding("energy", 2, "counter", 0, 1e6, most_w=60_000)  # a minute and a second of it are 1.0166 kWh
    assert metered(100.0, 101.016, 102.033, 102.034, binding=meter) == [0, 1_016_000, 0, 1_000]
    assert metered(12.9, 3.5, 3.6, binding=meter) == [0, 0, 100_000]  # another meter
    assert metered(12.9, 0.2, binding=meter) == [0, 200_000]  # a reset
    assert metered(1000.0, 999.9996, 1000.0002, binding=meter) == [0, -400, 600]
    found = energy_increments(Series.of([0, 3_600_000], [100.0, 160.5]), meter)
    assert found.step.tolist() == [0, 60_500_000]  # an hour and a minute
    assert energy_increments(Series.of([0, 3_600_000], [100.0, 162.0]), meter).rejected.tolist() == [False, True]


@pytest.mark.parametrize("garbage", [1e300, 1e308, -1e308])
def test_garbage_beyond_any_register_neither_overflows_nor_counts(garbage: float) -> None:
    assert counted(10, garbage, 12, ideal_us=1_000_000) == [0, 0, 12 if garbage > 0 else 0]
    for step in (*metered(10.0, garbage, 12.0), *counted(10, garbage, 12)):
        assert abs(step) <= 10**15


def test_garbage_of_a_meter_is_flagged() -> None:
    assert strange(10.0, 1e308, binding=METER) == [0, Anomaly.IMPLAUSIBLE]

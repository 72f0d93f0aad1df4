"""Roll-over, reset, jitter and implausible jumps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.asset import Binding
from gateway.kpi.counters import Anomaly, Increments, booked_increments, count_increments, energy_increments
from gateway.kpi.facts import Series, merge, slice_with_neighbours, touched

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


def test_a_part_that_takes_far_longer_than_a_poll_counts() -> None:
    assert sum(counted(7, 7, 8, 8, 9, ideal_us=3_000_000_000)) == 2  # an arc furnace, fifty minutes a heat
    assert sum(counted(7, 9, ideal_us=3_000_000_000)) == 0


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
    assert counted(10, garbage, 12, ideal_us=1_000_000) == [0, 0, 2 if garbage > 0 else 0]
    for step in (*metered(10.0, garbage, 12.0), *counted(10, garbage, 12)):
        assert abs(step) <= 10**15


def test_garbage_of_a_meter_is_flagged() -> None:
    assert strange(10.0, 1e308, binding=METER) == [0, Anomaly.IMPLAUSIBLE]


@pytest.mark.parametrize("garbage", [65_000, 200, 1e300])
def test_a_spike_up_and_back_counts_what_grew_between_the_readings_around_it(garbage: float) -> None:
    assert counted(10, garbage, 12, 13, ideal_us=1_000_000) == [0, 0, 2, 1]
    assert strange(10, garbage, 12, 13, ideal_us=1_000_000) == [0, Anomaly.SPIKE, 0, 0]
    no_modulus = Binding("total", 1, "counter")
    assert counted(41_000, 38_000, 41_002, binding=no_modulus, ideal_us=1_000_000) == [0, 0, 2]
    assert counted(65_530, 30_000, 4, 5, ideal_us=1_000_000) == [0, 0, 10, 1]
    assert strange(65_530, 30_000, 4, 5, ideal_us=1_000_000) == [0, Anomaly.SPIKE, Anomaly.ROLLED_OVER, 0]


def test_a_counter_that_goes_on_from_its_leap_was_replaced() -> None:
    assert counted(10, 500, 510, 511, seconds=600, ideal_us=6_000_000) == [0, 0, 10, 1]
    assert counted(10, 65_000, 64_000, 12, ideal_us=1_000_000) == [0, 0, 0, 12]  # two of them: nobody knows


def test_of_several_readings_that_could_be_the_spike_the_first_one_is() -> None:
    two_machines = (50_000, 65_000, 50_002, 65_004, 50_004)
    assert strange(*two_machines, ideal_us=1_000_000) == [0, Anomaly.SPIKE, 0, *[Anomaly.IMPLAUSIBLE] * 2]
    assert counted(*two_machines, ideal_us=1_000_000) == [0, 0, 2, 0, 0]
    series = Series.of(np.arange(5) * 1000, two_machines)
    for at, step in zip(range(0, 5000, 1000), (0, 0, 2, 0, 0), strict=True):
        found = count_increments(slice_with_neighbours(series, at, at + 1), PARTS, 1_000_000)
        assert found.step[found.time_ms == at].tolist() == [step]


def test_the_energy_around_a_spike_is_spread_from_the_reading_before_to_the_one_after() -> None:
    meter = Binding("energy", 2, "counter", 0, 1e6, most_w=60_000)
    grown = energy_increments(Series.of([0, 1000, 2000, 3000], [10.0, 900.0, 10.000002, 10.000002]), meter)
    assert grown.at(np.array([0, 500, 1000, 1500, 2000, 3000])).tolist() == [0, 0, 1, 2, 2, 2]
    assert grown.rejected.tolist() == [False, True, False, False]


_ODD = (1, 2, 9, -39_990, 300, 50_000, None, "spike", "spike", "back")
_READINGS = st.lists(st.tuples(st.integers(1, 90_000), st.sampled_from(_ODD)), max_size=14)


def _story(steps: list[tuple[int, int | str | None]]) -> Series:
    """Readings of a counter with everything that goes wrong, some of it several times in a row."""
    time_ms, level, times, values = 0, 40_000.0, [], []
    for gap_ms, what in steps:
        time_ms += gap_ms
        level = max(0.0, level + what) if isinstance(what, int) else level
        times.append(time_ms)
        shown: dict[int | str | None, float] = {None: np.nan, "spike": level + 20_000, "back": 3.0}
        values.append(shown.get(what, level))
    return Series.of(times, values)


def _all(series: Series) -> list[Increments]:
    meter = Binding("energy", 2, "counter", 100, 1e3, most_w=200_000)
    bound = Binding("total", 1, "counter", 65_536), Binding("total", 1, "counter")
    return [*(count_increments(series, one, 500_000) for one in bound), energy_increments(series, meter)]


@given(_READINGS, st.integers(-1, 900_000), st.integers(0, 300_000))
@settings(deadline=None, max_examples=300)
def test_a_range_counts_the_same_from_its_neighbours_as_from_all_readings(
    steps: list[tuple[int, int | str | None]], from_ms: int, length_ms: int
) -> None:
    whole, to_ms = _story(steps), from_ms + length_ms
    edges = np.linspace(from_ms, to_ms, 9).astype(np.int64)
    for every, near in zip(_all(whole), _all(slice_with_neighbours(whole, from_ms, to_ms)), strict=True):
        found = [
            [(t, s, a) for t, s, a in zip(*map(np.ndarray.tolist, columns), strict=True) if from_ms <= t < to_ms]
            for columns in ((one.time_ms, one.step, np.minimum(one.anomaly, 4)) for one in (every, near))
        ]
        assert found[0] == found[1]
        assert np.diff(every.at(edges)).tolist() == np.diff(near.at(edges)).tolist()


@given(_READINGS, st.integers(0, 900_000), st.sampled_from([np.nan, 3.0, 55.0, 400.0, 65_000.0]))
@settings(deadline=None, max_examples=300)
def test_a_late_reading_changes_no_count_outside_the_range_that_it_touches(
    steps: list[tuple[int, int | str | None]], time_ms: int, value: float
) -> None:
    before = _story(steps)
    after = merge(before, Series.of([time_ms], [value], revision=[1]))
    low, high = touched(after, time_ms, counter=True)
    edges = np.unique([*after.time_ms, low, min(high, 2_000_000)])
    for old, new in zip(_all(before), _all(after), strict=True):
        for one, other in ((old, new), (new, old)):
            known = dict(zip(other.time_ms.tolist(), other.step.tolist(), strict=True))
            changed = [t for t, s in zip(one.time_ms.tolist(), one.step.tolist(), strict=True) if known.get(t) != s]
            assert all(low <= t <= high for t in changed)
        for outside in (edges[edges <= low], edges[edges >= high]):
            assert np.diff(old.at(outside)).tolist() == np.diff(new.at(outside)).tolist()

"""Demand by the clock and sliding, of what was measured only."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.energy.demand import Peak, block_windows, coincidence, demand, sliding_windows
from gateway.energy.profile import Profile, kw, summed
from tests.unit.gateway.energy.profiles import BERLIN, HANOI, HOUR, KWH, MINUTE, QUARTER, at, even, profile

START = at("2026-11-02T06:00")
minutes = st.lists(st.one_of(st.none(), st.integers(0, 50_000)), min_size=15, max_size=130)


def power(peak: Peak | None) -> float:
    assert peak is not None
    return peak.kw


def test_demand_is_the_mean_power_of_the_clocks_quarters() -> None:
    found = demand(profile(START, [10_000] * 15 + [20_000] * 15 + [15_000] * 15), QUARTER, HANOI)
    assert found.block is not None
    assert found.block.kw == pytest.approx(1.2)  # 20 Wh a minute
    assert (found.block.start_ms, found.block.end_ms) == (START + QUARTER, START + 2 * QUARTER)
    assert found.load_factor == pytest.approx(15 / 20)


def test_a_peak_across_the_edge_of_two_blocks_is_seen_by_sliding_windows_only() -> None:
    found = demand(profile(START, [0] * 8 + [60_000] * 15 + [0] * 7), QUARTER, HANOI)
    assert found.block is not None
    assert found.sliding is not None
    assert found.sliding.kw == pytest.approx(3.6)
    assert found.sliding.start_ms == START + 8 * MINUTE
    assert found.block.kw == pytest.approx(3.6 * 8 / 15)


def test_a_window_with_a_minute_that_was_not_measured_has_no_demand() -> None:
    load = profile(START, [90_000] * 7 + [None] + [90_000] * 7 + [10_000] * 15)
    found = demand(load, QUARTER, HANOI)
    assert found.block is not None
    assert found.block.start_ms == START + QUARTER
    assert found.blocks.invalid_runs() == [(START, START + QUARTER)]
    assert found.sliding is not None
    assert found.sliding.start_ms == START + 8 * MINUTE  # the first that begins behind the hole


def test_a_profile_of_hours_has_no_demand_over_quarters_but_says_why() -> None:
    found = demand(profile(START, [KWH, KWH], HOUR), QUARTER, HANOI)
    assert (found.block, found.sliding, found.load_factor) == (None, None, None)
    assert found.reason == "energy is known for longer intervals than 15 min only"
    assert demand(profile(START, [None] * 30), QUARTER, HANOI).reason == "no energy was measured"
    assert "without a hole" in demand(profile(START, [5, None] * 15), QUARTER, HANOI).reason


def test_quarters_of_a_meter_file_give_demand_over_quarters_and_halves() -> None:
    load = profile(START, [1_000_000, 3_000_000, 2_000_000, 1_000_000], QUARTER)
    quarters, halves = demand(load, QUARTER, HANOI), demand(load, 2 * QUARTER, HANOI)
    assert power(quarters.block) == pytest.approx(12)
    assert power(halves.block) == pytest.approx(8)
    assert power(halves.sliding) == pytest.approx(10)


def test_blocks_begin_with_the_local_clock() -> None:
    start = at("2026-11-02T00:00", ZoneInfo("Asia/Kathmandu"))  # 18:15 UTC
    found = block_windows(even(start, start + 3 * HOUR, 10), 2 * QUARTER, ZoneInfo("Asia/Kathmandu"))
    assert found.start_ms.tolist() == [start + n * 2 * QUARTER for n in range(6)]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_a_day_on_which_clocks_change_has_its_own_number_of_blocks(day: str, hours: int) -> None:
    start, end = at(f"{day}T00:00", BERLIN), at(f"{day}T00:00", BERLIN) + hours * HOUR
    found = block_windows(even(start, end, 10), QUARTER, BERLIN)
    assert len(found.start_ms) == 4 * hours
    assert found.valid.all()


def test_a_plants_peak_is_that_of_the_sum_and_coincidence_its_share_of_the_peaks() -> None:
    one = profile(START, [30_000] * 15 + [10_000] * 15)
    other = profile(START, [10_000] * 15 + [20_000] * 15)
    plant = demand(summed([one, other]), QUARTER, HANOI).block
    peaks = [demand(load, QUARTER, HANOI).block for load in (one, other)]
    assert power(plant) == pytest.approx(2.4)
    assert coincidence(plant, peaks) == pytest.approx(40 / 50)
    assert coincidence(plant, [*peaks, None]) is None
    assert coincidence(plant, []) is None


@given(minutes, st.sampled_from([QUARTER, 2 * QUARTER]))
def test_no_block_is_above_the_sliding_peak(load: list[int | None], length_ms: int) -> None:
    found = demand(profile(START, load), length_ms, HANOI)
    if found.block is not None:
        assert found.sliding is not None
        assert found.block.mwh <= found.sliding.mwh
        assert found.load_factor is None or found.load_factor >= 0


@given(minutes)
def test_the_sliding_peak_is_the_largest_sum_of_fifteen_minutes_in_a_row(load: list[int | None]) -> None:
    runs = [load[n : n + 15] for n in range(len(load) - 14)]
    sums = [sum(one for one in run if one is not None) for run in runs if None not in run]
    peak = sliding_windows(profile(START, load), QUARTER).peak
    assert (None if peak is None else peak.mwh) == max(sums, default=None)


@given(st.lists(minutes, min_size=1, max_size=4))
def test_the_peak_of_a_sum_is_no_higher_than_the_sum_of_peaks(loads: list[list[int | None]]) -> None:
    length = min(map(len, loads))
    parts = [profile(START, load[:length]) for load in loads]
    plant = demand(summed(parts), QUARTER, HANOI)
    peaks = [demand(part, QUARTER, HANOI).block for part in parts]
    if plant.block is not None:
        assert plant.block.mwh <= sum(peak.mwh for peak in peaks if peak is not None)
        assert 0 <= (coincidence(plant.block, peaks) or 0) <= 1


@given(minutes, st.lists(st.integers(0, 130 * MINUTE), max_size=20))
def test_any_partition_of_a_profile_adds_up_to_it(load: list[int | None], cuts: list[int]) -> None:
    whole = profile(START, load)
    edges = np.unique(np.clip([START + cut for cut in cuts] + whole.edge_ms[[0, -1]].tolist(), *whole.edge_ms[[0, -1]]))
    assert int(np.diff(whole.at(edges)).sum()) == whole.total_mwh
    assert int(np.diff(whole.unknown_at(edges)).sum()) == whole.span_ms - whole.known_ms


def test_intervals_that_are_missing_are_unknown() -> None:
    start_ms, mwh = np.array([START + MINUTE, START + 3 * MINUTE]), np.array([5, 7])
    found = Profile.of(start_ms, start_ms + MINUTE, mwh, np.array([True, True]), (START, START + 5 * MINUTE))
    assert found.mwh.tolist() == [0, 5, 0, 7, 0]
    assert found.known.tolist() == [False, True, False, True, False]
    assert found.unknown_runs() == [(START + n * MINUTE, START + (n + 1) * MINUTE) for n in (0, 2, 4)]


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    assert kw(KWH, HOUR) == pytest.approx(1)

"""For how long an electricity meter was read."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.asset import Binding, Hold
from gateway.kpi.counters import energy_increments
from gateway.kpi.facts import Series
from gateway.kpi.meter_time import metered_ms

KWH = Binding("energy", 1, "counter", 0, 1e6)
SLOW = Binding("energy", 1, "counter", 0, 1e6, hold=Hold(polled=True, period_ms=60_000))
S = 1000


def measured(readings: Sequence[tuple[int, float | None]], edges: Sequence[int], binding: Binding = KWH) -> list[int]:
    """Readings (s, kWh; None: bad) and edges in s → measured s between the edges."""
    times, values = [time * S for time, _ in readings], [value for _, value in readings]
    series = Series.of(times, [value or 0.0 for value in values], [value is not None for value in values])
    found = metered_ms(energy_increments(series, binding), binding, np.array(edges, np.int64) * S)
    seconds: list[int] = (found // S).tolist()
    return seconds


def test_time_between_near_readings_is_measured_and_a_hole_is_not() -> None:
    assert measured([(0, 1), (60, 2), (180, 3), (301, 4), (360, 5)], [0, 60, 180, 301, 360]) == [60, 120, 0, 59]


def test_before_the_first_and_after_the_last_reading_nothing_is_measured() -> None:
    assert measured([(60, 1), (120, 2)], [0, 60, 90, 120, 180]) == [0, 30, 30, 0]
    assert measured([(60, 1)], [0, 60, 120]) == [0, 0]
    assert measured([], [0, 60]) == [0]


def test_a_bad_reading_measures_nothing() -> None:
    assert measured([(0, 1), (60, None), (120, 2), (180, None), (241, 3)], [0, 120, 241]) == [120, 0]


def test_a_register_that_is_polled_slowly_is_measured_over_three_polls() -> None:
    assert measured([(0, 1), (180, 2), (361, 3)], [0, 180, 361], SLOW) == [180, 0]


def test_when_another_meter_took_its_place_nobody_knows_what_was_used() -> None:
    assert measured([(0, 100), (60, 101), (120, 90), (180, 91)], [0, 60, 120, 180]) == [60, 0, 60]


def test_around_a_spike_nobody_knows_when_the_energy_was_used() -> None:
    limited = Binding("energy", 1, "counter", 0, 1e6, most_w=1_000_000)
    readings = [(0, 10), (60, 11), (120, 12), (180, 5_000_000), (240, 14), (300, 15), (360, 16)]
    assert measured(readings, [0, 120, 180, 240, 360], limited) == [120, 0, 0, 120]


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.one_of(st.none(), st.integers(0, 5))), max_size=12),
    st.lists(st.integers(0, 2000), min_size=2, max_size=8),
)
def test_any_partition_of_time_adds_up_to_the_near_pairs(found: list[tuple[int, int | None]], cuts: list[int]) -> None:
    growing, total = [], 0
    for time, grown in sorted(dict(found).items()):
        total += grown or 0
        growing.append((time, None if grown is None else float(total)))
    known = [time for time, value in growing if value is not None]
    near = {second for a, b in pairwise(known) if b - a <= 120 for second in range(a, b)}
    edges = sorted(cuts)
    assert measured(growing, edges) == [sum(a <= second < b for second in near) for a, b in pairwise(edges)]

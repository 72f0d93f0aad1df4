import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.readings import Readings
from gateway.history.rollup import MINUTE_MS, coarser, last_rows, steps
from gateway.model import BAD, GOOD, UNCERTAIN

values = st.one_of(st.integers(-1000, 1000).map(float), st.sampled_from([float("nan"), float("inf"), -0.0]))
rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-200_000, 200_000), values, st.sampled_from([BAD, UNCERTAIN, GOOD])),
    max_size=60,
)
Rows = list[tuple[int, int, float, int]]


def readings(made: Rows) -> Readings:
    tag, time_ms, value, quality = zip(*made, strict=True) if made else ((), (), (), ())
    return Readings(
        np.array(tag, np.int32), np.array(time_ms, np.int64), np.array(value, np.float64), np.array(quality, np.uint8)
    ).sorted()


@given(rows)
def test_steps_equal_a_plain_loop_over_the_readings(made: Rows) -> None:
    expected: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for tag, time_ms, value, quality in made:
        if quality != BAD and np.isfinite(value):
            expected.setdefault((tag, time_ms // MINUTE_MS), []).append((time_ms, value))
    found = steps(readings(made))
    assert list(zip(found.tag.tolist(), found.step.tolist(), strict=True)) == sorted(expected)
    for n, key in enumerate(sorted(expected)):
        seen = [value for _, value in expected[key]]
        last_ms, last = sorted(expected[key], key=lambda item: item[0])[-1]
        assert (found.count[n], found.total[n]) == (len(seen), sum(seen))
        assert (found.low[n], found.high[n]) == (min(seen), max(seen))
        assert (found.last[n], found.last_ms[n]) == (last, last_ms - key[1] * MINUTE_MS)


@given(rows)
def test_sorting_orders_by_tag_and_time_and_keeps_the_order_of_arrival(made: Rows) -> None:
    numbered = [(tag, time_ms, float(n), quality) for n, (tag, time_ms, _, quality) in enumerate(made)]
    found = readings(numbered)
    assert found.value.tolist() == [row[2] for row in sorted(numbered, key=lambda row: row[:2])]


def test_ids_beyond_sixteen_bits_sort_like_small_ones() -> None:
    found = readings([(70_000, 5, 1.0, GOOD), (3, 9, 2.0, GOOD), (70_000, 4, 3.0, GOOD), (65_536 + 3, 1, 4.0, GOOD)])
    assert found.value.tolist() == [2.0, 4.0, 3.0, 1.0]


@given(rows, st.integers(1, 5))
def test_coarser_steps_equal_those_made_from_the_readings(made: Rows, by: int) -> None:
    fine, coarse = steps(readings(made)), steps(readings(made), by * MINUTE_MS)
    merged = coarser(fine, by)
    for name in ("tag", "step", "count", "total", "low", "high", "last"):
        assert getattr(merged, name).tolist() == getattr(coarse, name).tolist()


def test_the_newest_reading_counts_even_when_it_is_bad() -> None:
    found = readings([(1, 10, 1.0, GOOD), (1, 20, 2.0, BAD), (2, 5, 3.0, GOOD)])
    assert found.value[last_rows(found)].tolist() == [2.0, 3.0]


def test_sums_beyond_a_float_do_not_raise() -> None:
    huge = [(1, 0, 1e308, GOOD), (1, 1, 1e308, GOOD), (2, 0, 1e308, GOOD), (2, 1, 1e308, GOOD), (2, 2, -1e308, GOOD)]
    assert steps(readings(huge)).total.tolist()[0] == float("inf")

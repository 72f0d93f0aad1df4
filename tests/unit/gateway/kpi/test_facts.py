from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.facts import (
    FOREVER_MS,
    Series,
    decode,
    encode,
    merge,
    merge_all,
    slice_with_neighbours,
    text_code,
    touched,
)

_VALUES = st.one_of(st.floats(allow_nan=True), st.sampled_from([0.0, -0.0, 1.0, 4.0, 0.25, 12.34, text_code("RUN")]))
_FACTS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 1), _VALUES, st.booleans(), st.integers(0, 2)), max_size=40
)
Fact = tuple[int, int, float, bool, int]


def made(facts: list[Fact]) -> Series:
    time_ms, seq, value, usable, revision = zip(*facts, strict=True) if facts else ((),) * 5
    return Series.of(time_ms, value, usable, seq, revision)


@given(_FACTS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_duplicates_and_splitting_change_nothing(facts: list[Fact], random: Random, parts: int) -> None:
    shuffled = facts + facts[: len(facts) // 2]
    random.shuffle(shuffled)
    merged = Series.empty()
    for part in range(parts):
        merged = merge(made(shuffled[part::parts]), merged)
    assert merged == made(facts)
    assert merge_all([made(shuffled[part::parts]) for part in range(parts)]) == made(facts)


@given(_FACTS, _FACTS, _FACTS)
def test_merging_commutes_and_associates_and_repeats_without_effect(
    a: list[Fact], b: list[Fact], c: list[Fact]
) -> None:
    one, two, three = made(a), made(b), made(c)
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(merge(one, two), two) == merge(one, two)


@given(_FACTS)
def test_facts_are_sorted_and_each_key_is_there_once(facts: list[Fact]) -> None:
    series = made(facts)
    keys = list(zip(series.time_ms.tolist(), series.seq.tolist(), strict=True))
    assert keys == sorted(set(keys))


def test_a_correction_wins_over_what_was_read_and_a_usable_reading_over_a_bad_one() -> None:
    read = Series.of([5, 6], [9.0, np.nan])
    later = Series.of([5, 6], [2.0, 3.0], revision=[1, 0])
    assert merge(read, later).value.tolist() == [2.0, 3.0]
    assert merge(read, later).usable.all()


@given(_FACTS)
@settings(deadline=None)
def test_bytes_give_the_same_bits_back(facts: list[Fact]) -> None:
    assert decode(encode(made(facts))) == made(facts)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(width=32)), max_size=20))
@settings(deadline=None)
def test_any_time_and_single_precision_come_back(facts: list[tuple[int, float]]) -> None:
    series = Series.of([time for time, _ in facts], [value for _, value in facts])
    assert decode(encode(series)) == series


@pytest.mark.parametrize(
    "values", [np.arange(3600) // 7, np.round(1000 + np.arange(3600) / 300, 2), np.ones(3600)], ids=str
)
def test_an_hour_of_polled_facts_takes_less_than_a_byte_each(values: np.ndarray) -> None:
    jitter = np.random.default_rng(7).integers(0, 8, 3600)
    assert len(encode(Series.of(np.arange(3600) * 1000 + jitter, values))) < 3600


def test_an_hour_of_single_precision_noise_takes_four_bytes_each() -> None:
    noise = np.random.default_rng(7).normal(230, 2, 3600).astype(np.float32)
    assert len(encode(Series.of(np.arange(3600) * 1000, noise))) <= 4 * 3600


@pytest.mark.parametrize("damage", [b"", b"not zstd", encode(Series.of([1, 2], [3, 4]))[:-6]])
def test_damaged_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="no facts"):
        decode(damage)


def test_the_code_of_a_text_never_changes() -> None:
    assert text_code("EXECUTE") == 171437807821234.0
    assert text_code("EXECUTE") != text_code("execute")
    assert float(int(text_code("Sản xuất"))) == text_code("Sản xuất")


def test_neighbours_are_three_usable_facts_before_a_range_and_two_after_it() -> None:
    series = Series.of(np.arange(10) * 10, [1, 2, 3, np.nan, 4, np.nan, 5, np.nan, 6, 7])
    assert slice_with_neighbours(series, 45, 55).time_ms.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert slice_with_neighbours(series, 60, 60).time_ms.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert slice_with_neighbours(series, 0, 5).time_ms.tolist() == [0, 10, 20]
    assert slice_with_neighbours(series, 91, 99).time_ms.tolist() == [60, 70, 80, 90]
    assert len(slice_with_neighbours(Series.empty(), 0, 9)) == 0


def test_a_fact_touches_the_time_between_its_usable_neighbours() -> None:
    series = Series.of([0, 10, 20, 30, 40], [1, np.nan, 2, np.nan, 3])
    assert touched(series, 20) == (0, 40)
    assert touched(series, 10) == (0, 20)
    assert touched(series, 40) == (20, FOREVER_MS)
    assert touched(series, -5) == (-5, 0)


def test_a_reading_of_a_counter_touches_the_time_from_the_second_before_to_the_third_after() -> None:
    series = Series.of(np.arange(9) * 10, [1, 2, np.nan, 3, 4, 5, np.nan, 6, 7])
    assert touched(series, 40, counter=True) == (10, 80)
    assert touched(series, 10, counter=True) == (0, 50)
    assert touched(series, 70, counter=True) == (40, 80)
    assert touched(series, 80, counter=True) == (50, FOREVER_MS)
    assert touched(series, -5, counter=True) == (-5, 30)

"""Rows of the state timeline."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.board.timeline import Span, joined, row

CLASSES = st.sampled_from(["producing", "idle", "fault"])
LENGTHS = st.lists(st.tuples(st.integers(1, 500), CLASSES), max_size=60)


def spans_of(lengths: list[tuple[int, str]], start: int = 0) -> list[Span]:
    result: list[Span] = []
    for length, name in lengths:
        result.append((start, start + length, name))
        start += length
    return result


def test_recent_states_replace_the_stored_ones_from_their_first_on() -> None:
    stored = [(0, 60, "producing"), (60, 120, "idle")]
    recent = [(90, 100, "fault"), (100, 150, "producing")]
    assert row(stored, recent, 0, 150, 0) == [
        (0, 60, "producing"),
        (60, 90, "idle"),
        (90, 100, "fault"),
        (100, 150, "producing"),
    ]


def test_states_are_cut_at_the_ends_of_the_row() -> None:
    assert row([(0, 100, "idle")], [], 20, 70, 0) == [(20, 70, "idle")]


def test_touching_neighbours_of_one_class_are_joined_but_not_over_a_gap() -> None:
    spans = [(0, 10, "idle"), (10, 20, "idle"), (25, 30, "idle")]
    assert joined(spans) == [(0, 20, "idle"), (25, 30, "idle")]


def test_a_crowd_of_short_states_shows_the_class_that_fills_most_of_it() -> None:
    crowd = [(0, 4, "producing"), (4, 5, "fault"), (5, 9, "producing"), (9, 10, "fault")]
    assert row(crowd, [], 0, 10, 10) == [(0, 10, "producing")]


@given(LENGTHS, st.integers(1, 200))
def test_a_thinned_row_covers_the_same_time_in_order_with_few_spans(lengths: list[tuple[int, str]], step: int) -> None:
    stored = spans_of(lengths)
    end = stored[-1][1] if stored else 1
    thin = row(stored, [], 0, end, step)
    assert sum(b - a for a, b, _ in thin) == sum(b - a for a, b, _ in stored)
    assert all(one[1] == two[0] for one, two in pairwise(thin))
    assert len(thin) <= 2 * end / step + 2


@given(LENGTHS)
def test_a_row_as_fine_as_it_is_keeps_the_time_of_each_class(lengths: list[tuple[int, str]]) -> None:
    stored = spans_of(lengths)
    fine = row(stored, [], 0, stored[-1][1] if stored else 1, 0)
    for name in ("producing", "idle", "fault"):
        assert sum(b - a for a, b, c in fine if c == name) == sum(b - a for a, b, c in stored if c == name)

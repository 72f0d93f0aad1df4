"""The search for addresses: exact where it matters, few reads, an end in any case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.frames import Answer, Failure, Read, Reply
from adapters.modbus.point import Table
from adapters.modbus.scan import Search, all_alike, is_there
from gateway.model import Reason

SILENCE = Failure(Reason.TIMEOUT, "no answer", 0)


def refusal(code: int) -> Failure:
    return Failure(Reason.DEVICE_EXCEPTION, f"exception {code}", 0, code)


def run(search: Search, has: set[int], largest: int = 2000) -> list[Read]:
    """Answers as a device that has these addresses."""
    reads: list[Read] = []
    while (read := search.next()) is not None:
        reads.append(read)
        wanted = set(range(read.address, read.address + read.count))
        search.take(Reply(b"", 0) if wanted <= has and read.count <= largest else refusal(2))
    return reads


def test_a_map_that_begins_at_the_start_is_found_to_its_last_register() -> None:
    search = Search(1, Table.HOLDING, (0, 9999), 300)
    reads = run(search, set(range(80)))
    assert search.ranges == [(0, 79)]
    assert (len(reads), search.why) == (300, "ended after 300 reads")
    assert search.unknown > 0


@pytest.mark.parametrize(("first", "length"), [(0, 2), (1, 40), (10, 5), (1000, 20), (4000, 61), (700, 50)])
def test_small_maps_where_maps_use_to_begin_are_found_within_the_usual_budget(first: int, length: int) -> None:
    search = Search(1, Table.HOLDING, (0, 9999), 400)
    run(search, set(range(first, first + length)))
    assert search.ranges == [(first, first + length - 1)]


def test_a_map_with_holes_is_found_where_a_part_of_it_was_found() -> None:
    has = {*range(36), *range(52, 54), *range(56, 58), *range(60, 64), *range(70, 80), *range(342, 382)}
    search = Search(1, Table.INPUT, (0, 999), 400)
    run(search, has)
    assert search.ranges == [(0, 35), (52, 53), (56, 57), (60, 63), (70, 79), (342, 381)]


def test_several_ranges_are_found_with_their_edges() -> None:
    has = {*range(10, 42), *range(1000, 1300), *range(5000, 5100)}
    search = Search(1, Table.INPUT, (0, 5999), 800)
    run(search, has)
    assert search.ranges == [(10, 41), (1000, 1299), (5000, 5099)]


def test_a_device_that_gives_few_registers_at_a_time_has_them_all() -> None:
    search = Search(1, Table.HOLDING, (0, 249), 500)
    run(search, set(range(250)), largest=20)
    assert (search.ranges, search.unknown, search.why) == ([(0, 249)], 0, "")


@given(st.sets(st.integers(0, 299)))
def test_with_patience_every_address_is_found_and_none_invented(has: set[int]) -> None:
    search = Search(1, Table.HOLDING, (0, 299), 10_000)
    reads = run(search, has)
    assert {a for first, last in search.ranges for a in range(first, last + 1)} == has
    assert len({(read.address, read.count) for read in reads}) == len(reads)  # none twice
    assert all(1 <= read.count <= 125 and read.address + read.count <= 300 for read in reads)
    assert search.unknown == 0


def test_a_table_that_the_device_does_not_have_costs_one_read() -> None:
    search = Search(1, Table.COIL, (0, 9999), 500)
    assert search.next() is not None
    search.take(refusal(1))
    assert search.next() is None
    assert (search.asked, search.ranges, search.why) == (1, [], "the device has no such table")


def test_a_unit_that_falls_silent_is_left_alone() -> None:
    search = Search(1, Table.HOLDING, (0, 9999), 500)
    for _ in range(3):
        assert search.next() is not None
        search.take(SILENCE)
    assert search.next() is None
    assert search.why == "ended: no answer"


@pytest.mark.parametrize(
    ("answer", "there"),
    [(Reply(b"\0\0", 0), True), (refusal(2), True), (refusal(6), True), (refusal(11), False), (SILENCE, False)],
)
def test_a_unit_is_there_if_it_answers_by_itself(answer: Answer, there: bool) -> None:
    assert is_there(answer) is there


def test_units_that_all_say_the_same_are_one_device() -> None:
    same, other = Reply(b"\0\1", 5), Reply(b"\0\2", 5)
    assert all_alike({1: same, 2: same, 3: Reply(b"\0\1", 9)})
    assert not all_alike({1: same, 2: same})
    assert not all_alike({1: same, 2: same, 3: other})
    assert all_alike(dict.fromkeys((1, 2, 3), refusal(2)))

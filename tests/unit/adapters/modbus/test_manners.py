"""What an endpoint bears, when a unit is left alone, and what may still be on its way."""

from adapters.modbus.doubts import Doubts
from adapters.modbus.frames import Read
from adapters.modbus.manners import Breaker, Manners, Watch
from adapters.modbus.point import Table


def test_of_sources_that_share_an_endpoint_the_gentlest_wins() -> None:
    rough = Manners(depth=8)
    slow = Manners(depth=2, pause_s=0.05, connect_delay_s=1.0)
    shy = Manners(depth=4, turnaround_s=0.1, close_after_poll=True)
    assert Manners.gentlest([rough, slow, shy]) == Manners(2, 0.05, 0.1, 1.0, close_after_poll=True)
    assert Manners.gentlest([rough]) == rough
    assert Manners.gentlest([]) == Manners()


def test_a_breaker_opens_at_the_second_miss_and_waits_longer_each_time() -> None:
    breaker, now, waits = Breaker(), 100.0, []
    breaker.missed(1, now)
    assert not breaker.is_open
    for _ in range(6):
        breaker.missed(1, now)
        waits.append(breaker.closed_in(now))
        now += waits[-1]
        assert breaker.closed_in(now) == 0
    assert waits == [2, 4, 8, 16, 30, 30]


def test_a_breaker_closes_with_the_first_answer_and_begins_anew() -> None:
    breaker = Breaker()
    breaker.missed(5, 0.0)
    assert breaker.closed_in(0.0) == 2  # one poll is one miss too many, not five
    breaker.heard()
    assert not breaker.is_open
    breaker.missed(1, 10.0)
    assert not breaker.is_open


def test_one_silent_unit_of_several_does_not_make_a_connection_gone() -> None:
    watch = Watch()
    for _ in range(5):
        watch.missed(9)
    assert watch.is_gone(units=1)
    assert not watch.is_gone(units=32)
    watch.missed(10)
    assert watch.is_gone(units=32)
    watch.heard()
    assert not watch.is_gone(units=1)


def test_before_a_read_that_a_late_reply_would_fit_a_smaller_one_is_sent() -> None:
    doubts, lost = Doubts(), Read(1, Table.HOLDING, 10, 4)
    assert doubts.before(lost, 0.0) == []
    doubts.note(lost, 0.0)
    like_it = Read(1, Table.HOLDING, 500, 4)
    assert doubts.before(like_it, 1.0) == [Read(1, Table.HOLDING, 500, 3)]
    for other in (Read(2, Table.HOLDING, 10, 4), Read(1, Table.INPUT, 10, 4), Read(1, Table.HOLDING, 10, 5)):
        assert doubts.before(other, 1.0) == []


def test_a_decoy_never_looks_like_another_reply_that_is_owed() -> None:
    doubts = Doubts()
    for count in (4, 3, 2):
        doubts.note(Read(1, Table.HOLDING, 0, count), 0.0)
    assert doubts.before(Read(1, Table.HOLDING, 9, 4), 1.0) == [Read(1, Table.HOLDING, 9, 1)]


def test_what_cannot_be_smaller_waits_for_a_read_of_another_size_that_is_known_to_be_answered() -> None:
    doubts, read, known = Doubts(), Read(1, Table.HOLDING, 7, 1), Read(1, Table.INPUT, 0, 9)
    for other in (known, read):
        doubts.note(other, 0.0)
        doubts.answered(other)
    doubts.note(read, 0.0)
    assert doubts.before(read, 1.0) == [known]


def test_else_it_is_read_once_more_than_replies_are_owed() -> None:
    doubts, read = Doubts(), Read(1, Table.HOLDING, 7, 1)
    for _ in range(2):
        doubts.note(Read(1, Table.HOLDING, 6, 1), 0.0)
    assert doubts.before(read, 1.0) == [read, read]
    doubts.note(read, 1.0)
    doubts.answered(read)  # by itself or by what is late: nobody knows
    assert doubts.before(read, 29.0) == [read, read]
    doubts.renew(read, 29.0)
    assert doubts.before(read, 58.0) == [read, read]
    assert doubts.before(read, 60.0) == []


def test_doubts_end_with_a_reply_of_another_shape_or_after_half_a_minute() -> None:
    doubts, read, other = Doubts(), Read(1, Table.COIL, 0, 16), Read(1, Table.COIL, 0, 8)
    doubts.note(read, 0.0)
    assert doubts.before(read, 29.0) == [other]
    assert doubts.before(read, 31.0) == []
    doubts.note(read, 31.0)
    doubts.note(other, 32.0)
    doubts.answered(other)
    assert doubts.before(read, 33.0) == []


def test_an_exception_ends_no_doubt_about_older_reads() -> None:
    doubts, read, other = Doubts(), Read(1, Table.COIL, 0, 16), Read(1, Table.COIL, 0, 8)
    doubts.note(read, 0.0)
    doubts.refused(read)
    assert doubts.before(read, 1.0) == []
    doubts.note(read, 1.0)
    doubts.note(other, 2.0)
    doubts.refused(other)
    assert doubts.before(read, 3.0) != []

"""Polling keeps its phase: late polls run late once, missed ones are skipped and counted."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.modbus.health import Health
from adapters.modbus.schedule import Schedule


def test_every_group_is_due_at_once_the_frequent_one_first() -> None:
    schedule = Schedule([30.0, 1.0], 100.0)
    assert schedule.next() == (1, 100.0)
    schedule.done(1, 100.1)
    assert schedule.next() == (0, 100.0)


def test_the_phase_is_kept_however_long_a_poll_takes() -> None:
    schedule = Schedule([1.0], 100.0)
    due = []
    for took in (0.2, 0.9, 0.0):
        group, at = schedule.next()
        due.append(at)
        assert schedule.done(group, at + took) == 0
    assert due == [100.0, 101.0, 102.0]


def test_missed_slots_are_skipped_and_counted_never_made_up() -> None:
    schedule = Schedule([1.0], 0.0)
    assert schedule.done(0, 3.5) == 3  # slots 1, 2 and 3 have passed
    assert schedule.next() == (0, 4.0)


def test_a_poll_that_ends_on_the_next_slot_misses_nothing() -> None:
    schedule = Schedule([0.1], 0.0)
    for k in range(1, 1000):
        assert schedule.done(0, k * 0.1) == 0
    assert schedule.next()[1] == 999 * 0.1


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=4), st.lists(st.floats(0, 50), max_size=30))
def test_slots_stay_on_the_grid_and_only_move_forward(periods: list[float], takes: list[float]) -> None:
    schedule, now, last = Schedule(periods, 7.0), 7.0, dict.fromkeys(range(len(periods)), -1)
    for took in takes:
        group, due = schedule.next()
        slot = (due - 7.0) / periods[group]
        assert abs(slot - round(slot)) < 1e-6
        assert round(slot) > last[group]
        last[group] = round(slot)
        now = max(now, due) + took
        skipped = schedule.done(group, now)
        assert skipped >= 0


def test_lateness_is_known_for_the_last_poll_and_as_a_percentile() -> None:
    health = Health()
    for ms in range(1, 101):
        health.late(ms / 1000)
    health.late(-1e-9)
    assert health.lateness_last_s == 0.0
    assert 0.098 <= health.lateness_p99_s <= 0.1

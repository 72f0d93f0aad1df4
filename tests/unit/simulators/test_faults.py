"""The timetable of faults, and what they make of counters and messages."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulators.fault_board import FaultBoard
from simulators.faults import Effect, Fault, FaultRule, Kind, Targets, timetable

START = 1_772_000_000_000
PLANT = Targets(
    {"modbus-1": "modbus", "cells": "mqtt"},
    {"machine/press-01": "modbus-1", "meter/main": "modbus-1", "machine/weld-03": "cells"},
)


def rule(**said: Any) -> FaultRule:
    return FaultRule.model_validate(said)


def table(*rules: FaultRule, seed: int = 7, hours: float = 10) -> list[Fault]:
    return timetable(rules, PLANT, seed, START, START + round(hours * 3_600_000))


def board(*rules: FaultRule, booked: list[Fault] | None = None) -> FaultBoard:
    return FaultBoard(rules, PLANT, 7, START, (lambda _: None) if booked is None else booked.append)


def test_a_fault_on_a_timetable_begins_when_the_scenario_says() -> None:
    (fault,) = table(rule(kind="silence", on="press-01", at="10m", **{"for": "30s"}))
    assert (fault.kind, fault.on, fault.effect) == (Kind.SILENCE, "machine/press-01", Effect.UNREAD)
    assert (fault.from_ms, fault.to_ms) == (START + 600_000, START + 630_000)


def test_the_same_seed_has_the_same_faults_and_another_seed_others() -> None:
    storm = rule(kind=["reset", "slow", "silence"], on="*", every="20m", **{"for": ["5s", "60s"]})
    assert table(storm) == table(storm)
    assert table(storm, seed=8) != table(storm)


@given(st.floats(0.1, 20), st.floats(0.1, 20))
def test_a_later_end_only_adds_faults(one: float, other: float) -> None:
    rules = (rule(kind=["reset", "silence"], every="20m"), rule(kind="reboot", on="press-01", at=["1h", "3h"]))
    short, long = sorted([table(*rules, hours=one), table(*rules, hours=other)], key=len)
    assert long[: len(short)] == short


def test_random_faults_of_a_rule_come_as_often_as_it_says_and_never_together() -> None:
    found = table(rule(kind="silence", every="10m", **{"for": ["5s", "15s"]}), hours=500)
    assert 0.9 < len(found) / (500 * 6 / (1 + 10 / 600)) < 1.1
    assert all(before.to_ms <= after.from_ms for before, after in pairwise(found))
    assert {fault.on for fault in found} == {
        *("machine/press-01", "meter/main", "machine/weld-03"),
        *("face/modbus-1", "face/cells"),
    }


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"kind": "silence"}, "either `at`"),
        ({"kind": "silence", "at": "1s", "every": "1s"}, "either `at`"),
        ({"kind": "sleepy", "at": "1s"}, "Input should be"),
        ({"kind": "silence", "at": "1"}, "not a duration"),
        ({"kind": "silence", "at": "1s", "for": ["9s", "1s"]}, "the shortest and the longest"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        rule(**said)


@pytest.mark.parametrize(
    ("kind", "on", "problem"),
    [
        ("silence", "press-09", "silence cannot happen on 'press-09'"),
        ("garbage", "weld-03", "it needs face or machine or meter with a face of kind modbus"),
        ("duplicate", "press-01", "it fits machine/weld-03"),
        ("broker-restart", "cells", "needs broker"),
    ],
)
def test_a_fault_that_cannot_happen_there_is_refused(kind: str, on: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        table(rule(kind=kind, on=on, at="1s"))


def test_a_fault_is_booked_once_when_it_begins() -> None:
    booked: list[Fault] = []
    asked = board(rule(kind="silence", on="press-01", at="10s", **{"for": "5s"}), booked=booked)
    assert not asked.silent("machine/press-01", START + 9_999)
    assert not booked
    assert asked.silent("machine/press-01", START + 10_000)
    assert asked.silent("machine/press-01", START + 14_999)
    assert not asked.silent("machine/press-01", START + 15_000)
    assert not asked.silent("meter/main", START + 12_000)
    assert [fault.kind for fault in booked] == [Kind.SILENCE]


def count(at_ms: int) -> float:
    """A machine that makes a part a second."""
    return (at_ms - START) // 1000


def test_counters_begin_at_zero_after_a_reboot() -> None:
    asked = board(rule(kind="reboot", on="press-01", at=["100s", "300s"], **{"for": "20s"}))
    shown = [asked.shown("machine/press-01", START + at, count(START + at), count) for at in (99_000, 121_000, 330_000)]
    assert shown == [99, 1, 10]


def test_what_a_counter_shows_after_many_reboots_needs_no_look_at_the_old_ones() -> None:
    asked = board(rule(kind="reboot", on="press-01", every="60s", **{"for": "5s"}))
    looks: list[int] = []

    def looked(at_ms: int) -> float:
        looks.append(at_ms)
        return count(at_ms)

    for second in range(0, 86_400, 10):
        now_ms = START + second * 1000
        looks.clear()
        shown = asked.shown("machine/press-01", now_ms, count(now_ms), looked)
        assert shown == count(now_ms) - (count(looks[-1]) if looks else 0)
        assert len(looks) <= 3


def test_a_replaced_meter_counts_on_from_its_own_reading() -> None:
    asked = board(rule(kind="replaced-meter", on="main", at="100s", reading=5000, **{"for": "20s"}))
    assert asked.shown("meter/main", START + 99_000, 99, count) == 99
    assert asked.shown("meter/main", START + 130_000, 130, count) == 5010


def test_a_dead_meter_misses_what_was_used_meanwhile() -> None:
    asked = board(rule(kind="dead-meter", on="main", at="100s", **{"for": "50s"}))
    shown = [asked.shown("meter/main", START + at, count(START + at), count) for at in (100_000, 140_000, 160_000)]
    assert shown == [100, 100, 110]


def test_messages_are_late_doubled_or_of_another_time_only_while_the_fault_lasts() -> None:
    on = {"on": "weld-03", "at": "10s", "for": "5s"}
    asked = board(
        rule(kind="late", delay="2s", **on), rule(kind="duplicate", copies=3, **on), rule(kind="clock-jump", **on)
    )
    for at, expected in ((9_000, (0, 1, 0)), (12_000, (2000, 3, -3_600_000)), (15_000, (0, 1, 0))):
        now = START + at
        target = "machine/weld-03"
        assert (
            asked.lateness_ms(target, now),
            asked.copies(target, now),
            asked.clock_offset_ms(target, now),
        ) == expected

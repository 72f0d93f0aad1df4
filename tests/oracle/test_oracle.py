"""The engine against the oracle over simulated weeks of random plants, with clocks that change."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from tests.oracle import world
from tests.oracle.bridge import derived, quantities_of, slices_of
from tests.oracle.calendars import instant
from tests.oracle.compare import by_label, by_minute, differences, energy_drift
from tests.oracle.ledger import MINUTE_MS, Oracle
from tests.oracle.machine import Machine, Story

WEEKS = {
    "Berlin, clocks go forward": ("Europe/Berlin", date(2026, 3, 26)),
    "Berlin, clocks go back": ("Europe/Berlin", date(2026, 10, 22)),
    "New York, clocks go forward": ("America/New_York", date(2026, 3, 5)),
    "New York, clocks go back": ("America/New_York", date(2026, 10, 29)),
    "Ho Chi Minh City, over New Year": ("Asia/Ho_Chi_Minh", date(2026, 12, 28)),
}
HOLDS = ("next", "polled", "session")


@dataclass(frozen=True)
class Week:
    """A machine, what it reported, and when."""

    machine: Machine
    story: Story
    retold: Story
    from_ms: int
    to_ms: int


def lived(key: str, hold: str, days: int = 7, seed: int = 0) -> Week:
    """A random machine's week; the same for the same arguments."""
    zone, first = WEEKS[key]
    dice = random.Random(f"{hold} {key} {seed}")
    machine = world.machine(dice, world.rota(dice, zone, [first + timedelta(days=n) for n in range(days)]), hold)
    from_ms, to_ms = instant(zone, first, "00:00"), instant(zone, first + timedelta(days=days), "00:00")
    story = world.story(dice, machine, from_ms, to_ms)
    return Week(machine, story, world.again(dice, story), from_ms, to_ms)


def agree(week: Week) -> None:
    """The engine's minutes and slices of a week are the oracle's."""
    horizon_ms = week.to_ms + 1_000
    slices = Oracle(week.machine, week.story, horizon_ms).slices(week.from_ms, week.to_ms)
    expected = by_minute(slices, week.from_ms // MINUTE_MS, week.to_ms // MINUTE_MS)
    buckets = derived(week.machine, week.retold, week.from_ms, week.to_ms, horizon_ms).buckets
    found = quantities_of(buckets)
    assert not _first(differences(expected, found))
    assert energy_drift(expected, found) <= 1
    if week.story.reports.keys() & {"product", "order"}:
        assert not _first(differences(by_label(slices), slices_of(buckets)))


def _first(wrong: Mapping[Any, object]) -> str:
    return f"{len(wrong)} differ (oracle, engine), first {dict(list(wrong.items())[:4])}" if wrong else ""


@pytest.mark.parametrize("key", WEEKS)
@pytest.mark.parametrize("hold", HOLDS)
def test_a_week_of_a_random_machine_is_what_the_oracle_says(hold: str, key: str) -> None:
    agree(lived(key, hold))

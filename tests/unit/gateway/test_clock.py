"""The clock that a simulated plant shares with Lineside."""

import asyncio
import time

import pytest

from gateway.clock import ScaledClock
from simulators.clock import ScaledClock as PlantClock


def test_both_sides_of_a_text_are_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PlantClock(60, 1_772_406_000_000_000_000, 5_000_000_000)
    ours = ScaledClock.parse(str(plant))
    for steady_ns in (5_000_000_000, 5_100_000_000, 3_605_000_000_123):
        monkeypatch.setattr(time, "monotonic_ns", lambda steady=steady_ns: steady)
        assert ours.wall_ns() // 1_000_000 == plant()
    assert PlantClock.parse(str(ours)) == plant
    assert ours.wall_ns() - plant.wall_origin_ns == 60 * 3_600_000_000_123
    assert ours.monotonic() == pytest.approx(60 * 3600.000000123)


def test_a_text_keeps_every_digit_of_a_speed() -> None:
    clock = PlantClock(1.5, 1, 2)
    assert str(clock) == "1.5x@1@2"
    assert ScaledClock.parse("1.5x@1@2").speed == 1.5


@pytest.mark.parametrize("text", ["", "60x", "60x@1", "0x@1@2", "-1x@1@2", "60x@a@2", "now"])
def test_what_is_no_clock_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a clock"):
        ScaledClock.parse(text)
    with pytest.raises(ValueError, match="is not a clock"):
        PlantClock.parse(text)


async def test_sleep_is_in_the_plants_time() -> None:
    clock = ScaledClock(100, time.time_ns(), time.monotonic_ns())
    before = clock.monotonic()
    async with asyncio.timeout(5):
        await clock.sleep(10)
    assert clock.monotonic() - before >= 10


def test_the_plants_clock_starts_where_it_is_told_to() -> None:
    clock = PlantClock.from_now(10, start_ms=5_000)
    assert 5_000 <= clock() < 15_000
    assert clock.real_s(20_000) == 2

"""Where the running window will end, and the warning before a new peak."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.energy.config import ElectricityConfig
from gateway.energy.electricity import Electricity
from gateway.energy.outlook import outlook
from gateway.energy.watch import CEILING, DEMAND, EXPECTED, WARNING, PeakWatch, watch_demand
from gateway.model import Tag, TagTable
from gateway.packs import Packs
from gateway.ports import Delivery
from tests.clock import VirtualClock
from tests.unit.gateway.energy.profiles import MINUTE, QUARTER, at, profile
from tests.unit.gateway.kpi.kit import START, Kit, fed

BEGIN = at("2026-11-02T10:00")
KW_MINUTE = 1_000_000 // 60  # mWh of a minute at 1 kW


def minutes(*kw: float | None) -> list[int | None]:
    return [None if one is None else round(one * KW_MINUTE) for one in kw]


def test_a_window_is_expected_to_end_as_its_last_five_minutes_went_on() -> None:
    found = outlook(profile(BEGIN - 5 * MINUTE, minutes(*[100] * 5, *[100] * 5, *[400] * 5)), BEGIN, QUARTER, 200)
    assert found is not None
    assert found.so_far == pytest.approx(250, abs=0.1)
    assert found.expected == pytest.approx(300, abs=0.1)
    assert found.is_warning
    assert found.allowed == pytest.approx(100, abs=0.1)  # 5 × 100 + 5 × 400 + 5 × 100 = 15 × 200


def test_a_single_minute_at_the_beginning_makes_no_peak() -> None:
    found = outlook(profile(BEGIN - 5 * MINUTE, minutes(*[100] * 5, 300)), BEGIN, QUARTER, 200)
    assert found is not None
    assert found.expected == pytest.approx((300 + 14 * 140) / 15, abs=0.1)
    assert not found.is_warning


def test_a_window_that_cannot_stay_below_its_ceiling_allows_nothing() -> None:
    found = outlook(profile(BEGIN, minutes(*[900] * 10)), BEGIN, QUARTER, 200)
    assert found is not None
    assert found.allowed == 0


def test_nothing_is_expected_of_a_window_whose_beginning_was_not_measured() -> None:
    assert outlook(profile(BEGIN, minutes(100, None, 100)), BEGIN, QUARTER, 200) is None
    assert outlook(profile(BEGIN - MINUTE, minutes(100)), BEGIN, QUARTER, 200) is None
    before = outlook(profile(BEGIN - 2 * MINUTE, minutes(100, None, 100)), BEGIN, QUARTER, None)
    assert before is not None
    assert before.ceiling is before.allowed is None
    assert not before.is_warning


def electricity(**section: object) -> Electricity:
    return Electricity(ElectricityConfig.model_validate(section), Packs(), ZoneInfo("UTC"))


class Outlet:
    """What the watch needs of a journal."""

    def __init__(self) -> None:
        self.tags = TagTable()
        self.readings: list[tuple[str, float]] = []
        self.told = asyncio.Event()

    async def register(self, tags: Iterable[Tag]) -> None:
        for tag in tags:
            self.tags.add(len(self.tags) + 1, tag)

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        assert producer == "gateway"
        self.readings += [(self.tags[reading.tag].name, reading.value) for reading in delivery.batch]
        self.told.set()

    def values(self, tag: Tag) -> list[float]:
        return [value for name, value in self.readings if name == tag.name]


async def test_a_new_peak_is_warned_of_once_and_the_window_is_journalled_every_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kit, path, clock, outlet = Kit(), tmp_path / "kpi.db", VirtualClock(), Outlet()
    window = -(-START // QUARTER) * QUARTER  # the first whole quarter
    seconds = (window - START) // 1000 + 400
    await fed(kit, path, kit.records(kit.run(seconds), size=500))
    clock.jump_wall((window + 6 * MINUTE) / 1000 - clock.wall_ns() / 1e9)
    watch = PeakWatch(electricity(demand_limit="1W"), path, "site/plant")
    task = asyncio.create_task(watch_demand(watch, outlet, clock))
    with caplog.at_level(logging.WARNING, "lineside.energy"):
        for _ in range(2):
            outlet.told.clear()
            await clock.advance(60)
            async with asyncio.timeout(20):
                await outlet.told.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert outlet.values(WARNING) == [1, 1]
    assert outlet.values(CEILING) == [0.001, 0.001]
    assert 0 < outlet.values(DEMAND)[0] < 20
    assert 0 < outlet.values(EXPECTED)[0] < 20
    (line,) = [record.message for record in caplog.records if record.name == "lineside.energy"]
    assert line.startswith("site/plant: demand of ")
    assert "at most 0 kW from now on" in line


def test_without_a_limit_the_ceiling_is_the_highest_window_so_far(tmp_path: Path) -> None:
    kit, path = Kit(), tmp_path / "kpi.db"
    window = -(-START // QUARTER) * QUARTER
    asyncio.run(fed(kit, path, kit.records(kit.run((window - START) // 1000 + 1300), size=500)))
    watch = PeakWatch(electricity(), path, "press")
    first = watch.look(window + 8 * MINUTE)
    assert first is None  # kpi.db is further on than this window
    second = watch.look(window + QUARTER + 6 * MINUTE)
    assert second is not None
    assert second.start_ms == window + QUARTER
    assert second.ceiling is not None
    assert second.ceiling == pytest.approx(11, abs=3)  # 14.4 kW while it runs, 3.6 kW else

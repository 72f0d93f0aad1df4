"""The gateway's core is killed again and again during a simulated day: every minute stays bit-equal to the truth."""

import asyncio
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import open_readonly, read_tags
from gateway.kpi.buckets import quantities
from gateway.kpi.reading import reading
from gateway.kpi.replay import replay
from gateway.model.wire import decode
from tests.faults.day import Day, Life
from tests.faults.mortal import PLACES
from tests.oracle.compare import by_minute, differences, energy_drift
from tests.oracle.ledger import MINUTE_MS, Minutes, Oracle

pytestmark = pytest.mark.timeout(120)
HOURS = 24


async def started(folder: Path, day: Day, place: str = "never", count: int = 1) -> asyncio.subprocess.Process:
    words = (str(folder), str(day.seed), str(day.hours), place, str(count))
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.faults.day", *words)


async def killed_until_it_is_over(folder: Path, day: Day, dice: random.Random, deaths: int) -> list[str]:
    """Lets the day run in lives of random length, then to its end in peace; where it died."""
    died: list[str] = []
    while len(died) < deaths:
        place = dice.choice([*PLACES, "any moment", "any moment"])
        process = await started(folder, day, place if place in PLACES else "never", dice.randint(1, 12))
        try:
            async with asyncio.timeout(dice.uniform(0.7, 2.5) if place == "any moment" else 60):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
        if code == 0:
            break
        assert code == -signal.SIGKILL
        died.append(place)
    async with asyncio.timeout(90):
        assert await (await started(folder, day)).wait() == 0
    return died


def stored(folder: Path, asset: str) -> Minutes:
    """Minutes as kpi.db has them."""
    with reading(folder / "kpi.db") as db:
        rows: list[Any] = db.execute(
            f"SELECT minute, {', '.join(quantities)} FROM minute WHERE asset = ?", (asset,)
        ).fetchall()
    return {int(row[0]): Counter(dict(zip(quantities, row[1:], strict=True))) for row in rows}


def published(folder: Path, asset: str) -> Minutes:
    """Σ of the bucket ledger in the journal."""
    db = open_readonly(folder / "journal.db")
    names = {tag_id: tag.name for tag_id, tag in read_tags(db)}
    found: Minutes = {}
    for (body,) in db.execute("SELECT body FROM batch"):
        for one in decode(body)[1]:
            owner, _, quantity = names[one.tag].partition("/bucket/")
            if owner == asset and quantity:
                found.setdefault(one.time_ns // 60_000_000_000, Counter())[quantity] += int(one.value)
    db.close()
    return found


def told(day: Day, life: Life, last: int) -> Minutes:
    """What the oracle says of the same story, never disturbed."""
    horizon_ms = day.to_ms + 7_200_000 - 10_000
    slices = Oracle(life.machine, life.story, horizon_ms).slices(day.from_ms, last * MINUTE_MS)
    return by_minute(slices, day.from_ms // MINUTE_MS, last)


def compare(folder: Path, day: Day) -> None:
    """kpi.db against the oracle, against its own facts, and against what was published."""
    tiers_add_up(folder)
    for life in day.lives:
        found = stored(folder, life.machine.name)
        first, last = min(found) + 1, max(found)  # the first minute begins with the first fact
        assert last >= day.to_ms // MINUTE_MS
        expected = {minute: row for minute, row in told(day, life, last).items() if minute >= first}
        kept = {minute: row for minute, row in found.items() if first <= minute < last}
        assert differences(expected, kept) == {}
        assert energy_drift(expected, kept) <= 1
        assert {minute: row for minute, row in published(folder, life.machine.name).items() if minute in kept} == {
            minute: Counter({name: value for name, value in row.items() if value}) for minute, row in kept.items()
        }
        with reading(folder / "kpi.db") as db:
            pieces = list(replay(db, life.machine.name, day.from_ms, last * MINUTE_MS))
        assert [piece.differences for piece in pieces if piece.differences] == []
        assert sum(piece.minutes for piece in pieces) >= len(kept)


def tiers_add_up(folder: Path) -> None:
    """Hours, shifts, days, weeks, months, slices and groups are the sums of what they are made of."""
    sums, same = ", ".join(f"sum({name})" for name in quantities), ", ".join(quantities)
    with reading(folder / "kpi.db") as db:

        def rows(sql: str) -> dict[Any, tuple[Any, ...]]:
            return {tuple(row[:2]): tuple(row[2:]) for row in db.execute(sql)}

        for tier in ("hour", "day", "shift"):
            of = f"FROM {tier} AS t JOIN minute AS m ON m.asset = t.asset AND m.minute * 60000 >= t.from_ms"
            totals = ", ".join(f"sum(m.{name})" for name in quantities)
            parts = rows(f"SELECT t.asset, t.from_ms, {totals} {of} AND m.minute * 60000 < t.to_ms GROUP BY 1, 2")
            assert rows(f"SELECT asset, from_ms, {same} FROM {tier}") == parts, tier
        quarters = rows(f"SELECT asset, minute / 15, {sums} FROM minute GROUP BY 1, 2")
        assert rows(f"SELECT asset, quarter, {same} FROM quarter") == quarters
        for tier in ("week", "month"):  # kept from when they are over
            of = f"FROM {tier} AS t JOIN day AS d ON d.asset = t.asset AND d.from_ms BETWEEN t.from_ms AND t.to_ms - 1"
            totals = ", ".join(f"sum(d.{name})" for name in quantities)
            days = rows(f"SELECT t.asset, t.from_ms, {totals} {of} WHERE t.revision IS NOT NULL GROUP BY 1, 2")
            assert rows(f"SELECT asset, from_ms, {same} FROM {tier} WHERE revision IS NOT NULL") == days, tier
        plant = rows(f"SELECT 'site/plant', minute, {sums} FROM minute WHERE asset NOT LIKE '%/%' GROUP BY minute")
        assert rows(f"SELECT asset, minute, {same} FROM minute WHERE asset = 'site/plant'") == plant
        sliced = rows(f"SELECT asset, minute, {sums} FROM slice GROUP BY 1, 2")
        minutes = rows(f"SELECT asset, minute, {same} FROM minute")
        assert sliced
        assert sliced == {key: minutes[key] for key in sliced}
        by_day = rows(f"SELECT asset, '', {sums} FROM slice_day GROUP BY asset")
        assert by_day == rows(f"SELECT asset, '', {sums} FROM slice GROUP BY asset")


@pytest.mark.parametrize("seed", [1])
async def test_kills_at_any_moment_of_a_day_change_no_bit(tmp_path: Path, seed: int) -> None:
    day = Day(seed, HOURS)
    died = await killed_until_it_is_over(tmp_path, day, random.Random(seed), 12)
    assert len(died) >= 8
    await asyncio.to_thread(compare, tmp_path, day)

"""The numbers of the open minute: what is stored plus what is not, without waiting for a minute to close."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.kpi.asset import Hold
from gateway.kpi.engine import Engine
from tests.clock import VirtualClock
from tests.unit.gateway.kpi.kit import START, Kit, engine


async def fresh(one: Engine, clock: VirtualClock) -> dict[str, Any]:
    """The live numbers after everything taken."""
    await clock.advance(60.0)
    found = await one.live()
    while one._refreshing:
        found = await one.live()
    return found


def asset(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["assets"] if one["asset"] == name)


@pytest.mark.parametrize("seconds", [9, 59, 61, 200, 421])
async def test_live_numbers_are_those_of_the_whole_window_up_to_now(tmp_path: Path, seconds: int) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    rows = kit.run(seconds)
    await one.take(kit.records(rows))
    press = asset(await fresh(one, one._clock), "press")
    now = START + 1000 * (seconds - 1) + 137
    whole = await one.between("press", START + 137, max(now, press["segments"][-1][1]))
    assert press["total"] == whole.sums["total"]
    assert press["good"] == whole.sums["good"]
    assert press["kpis"]["energy"] == pytest.approx(whole.sums["energy"] / 1e6)
    assert press["kpis"]["availability"] == pytest.approx(whole.kpis["availability"])
    assert press["target"] == round(3000 * whole.sums["planned"] / 3.6e9)
    assert press["segments"][-1][1] >= now
    state = next(v for tag, _, v in reversed(rows) if tag == kit.ids["press/state"])
    assert press["state"] == state
    assert press["kw"] == 0.015
    assert press["window"] == "today"
    await one.close()


async def test_live_numbers_say_how_good_their_data_are(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    rows = kit.run(200)
    await one.take(kit.records([row for row in rows if row[1] < START + 100_000 or row[0] != kit.ids["press/state"]]))
    found = await fresh(one, one._clock)
    press, weld, (hall,) = asset(found, "press"), asset(found, "weld"), found["lines"]
    assert (press["status"], weld["status"]) == ("uncertain", "good")
    assert press["scores"]["data_sufficient"] == pytest.approx(
        1 - 0.5 / 4, abs=0.01
    )  # one of four roles, half the time
    assert hall["scores"]["data_sufficient"] > press["scores"]["data_sufficient"]
    await one.close()


@pytest.mark.parametrize("seconds", [9, 200])
async def test_open_energy_is_what_the_stored_minutes_do_not_hold(tmp_path: Path, seconds: int) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    await one.take(kit.records(kit.run(seconds)))
    press = asset(await fresh(one, one._clock), "press")
    opened = press["open"]
    since = await one.between("press", opened["from_ms"], press["segments"][-1][1])
    kwh = sum(sum(hour["kwh"].values()) for hour in opened["energy"])
    assert kwh == pytest.approx(since.sums["energy"] / 1e6)
    assert 0 < kwh < press["kpis"]["energy"] + 1e-9
    assert all(hour["hour_ms"] % 3_600_000 == 0 for hour in opened["energy"])
    assert opened["from_ms"] == (START + 137 if seconds < 60 else opened["from_ms"] // 60_000 * 60_000)
    assert press["kw_ms"] == START + 1000 * (seconds - 1) + 137
    await one.close()


async def test_since_tells_when_the_state_began_even_minutes_ago(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    mine = kit.ids["press/state"]
    change = START + 100_000
    steady = [(tag, t, ("IDLE" if t > change else "EXECUTE") if tag == mine else v) for tag, t, v in kit.run(420)]
    await one.take(kit.records(steady))
    press = asset(await fresh(one, one._clock), "press")
    assert (press["class"], press["since_ms"]) == ("idle", START + 100_137)
    await one.close()


async def test_lines_are_sums_of_their_assets(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    await one.take(kit.records(kit.run(300)))
    found = await fresh(one, one._clock)
    (line,) = found["lines"]
    assert line["line"] == "hall"
    both = sum(asset(found, name)["kpis"]["energy"] for name in ("press", "weld"))
    assert line["kpis"]["energy"] == pytest.approx(both)
    low, high = sorted(asset(found, name)["kpis"]["availability"] for name in ("press", "weld"))
    assert low <= line["kpis"]["availability"] <= high
    await one.close()


async def test_there_are_numbers_before_the_first_minute_is_over(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    first, *others = kit.records(kit.run(8), size=2)
    await one.take([first])  # the sessions come up: nothing to compute yet
    await one.take(others)
    press = asset(await fresh(one, one._clock), "press")
    assert press["state"] == "EXECUTE"
    assert press["kpis"]["availability"] > 0.9
    assert press["total"] == (await one.between("press", START + 137, START + 7138)).sums["total"]
    await one.close()


async def test_an_asset_without_facts_is_shown_as_unknown(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    alive = [kit.reading(kit.alive, START, 1.0)]
    await one.take(kit.records(alive))
    press = asset(await fresh(one, one._clock), "press")
    assert (press["class"], press["state"]) == ("unknown", None)
    await one.close()


async def test_silence_shows_as_unknown_with_both_bounds(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    rows = kit.run(300)
    rows += [kit.reading(kit.alive, START + 300_000 + 10_000 * n, 1.0) for n in range(60)]
    await one.take(kit.records(rows))
    press = asset(await fresh(one, one._clock), "press")
    assert press["class"] == "unknown"
    assert press["kpis"]["oee_low"] < press["kpis"]["oee_high"]
    assert press["kpis"]["coverage"] < 0.4
    assert press["kw"] is None
    await one.close()


async def test_without_a_power_tag_the_energy_of_the_last_minute_gives_kw(tmp_path: Path) -> None:
    kit = Kit()
    model = kit.model("press", Hold(True, 1000))
    kit.models["press"] = type(model)(
        *("press", {k: v for k, v in model.bindings.items() if k != "power"}, model.state_map),
        *(model.ideal_cycle_us, model.calendar, None, "hall", "no power"),
    )
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    await one.take(kit.records(kit.run(300)))
    press = asset(await fresh(one, one._clock), "press")
    assert 3.0 < press["kw"] < 16.0
    assert press["target"] is None
    await one.close()


async def test_live_numbers_are_recomputed_at_most_every_two_seconds_and_publish_nothing(tmp_path: Path) -> None:
    kit = Kit()
    one = await asyncio.to_thread(engine, kit, tmp_path / "kpi.db")
    rows = kit.run(59)
    await one.take(kit.records(rows[: len(rows) // 2]))
    clock = one._clock
    first = await fresh(one, clock)
    await one.take(kit.records(rows, first=50))
    assert await one.live() is first
    await clock.advance(2.1)
    while (second := await one.live()) is first:
        pass
    assert asset(second, "press")["segments"][-1][1] > asset(first, "press")["segments"][-1][1]
    assert kit.inbox.readings == []
    await one.close()

"""Requests answered by journal and engine of a process that runs nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway, headless
from gateway.asking import asking
from gateway.config import Config, load
from gateway.control import Refused, Reply, judged
from gateway.kpi.entries import Entry
from gateway.kpi.entries import load as load_entry
from gateway.kpi.reading import audit_records, reading
from gateway.model import BatchBuilder
from gateway.ports import Delivery
from tests.integration.test_entries import SITE

START = 1_780_000_020_000 // 60_000 * 60_000
MINUTES = 10
SCRAP = {"asset": "press", "kind": "count", "role": "scrap", "from": START + 90_000, "value": 5}
STOP = {"asset": "press", "kind": "stop", "from": START, "to": START + 60_000, "value": "jam"}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(port=1))
    return load(file)


async def ran(gateway: Gateway) -> None:
    """Ten minutes of a machine that makes a part a second, all of them good."""
    tags, builder = gateway.journal.tags, BatchBuilder()
    for second in range(0, 60 * MINUTES + 30, 10):
        time_ns = (START + 1000 * second) * 1_000_000
        builder.add_text(tags.id_of("press/state"), time_ns, "RUN")
        builder.add(tags.id_of("press/total"), time_ns, second)
        builder.add(tags.id_of("press/good"), time_ns, second)
        builder.add(tags.id_of("source/cell/session"), time_ns, 1.0)
    await gateway.journal.append(Delivery(builder.build()), "cell")
    await gateway.caught_up("kpi")


class Asked:
    """Asks a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, op: str, **more: Any) -> Reply:
        return judged(await self.gateway.control.reply(json.dumps({"op": op, **more}).encode()))

    async def refusal(self, op: str, **more: Any) -> str:
        with pytest.raises(Refused) as caught:
            await self(op, **more)
        return str(caught.value)

    async def entry(self, entry_id: str) -> Entry:
        found = await self("list", **{"from": START - 10**9, "to": START + 10**12})
        return next(entry for _, text in found["entries"] if (entry := load_entry(text)).id == entry_id)


@asynccontextmanager
async def asked(config: Config) -> AsyncIterator[Asked]:
    async with headless(config) as gateway:
        yield Asked(gateway)


def minutes(config: Config, quantity: str) -> dict[int, int]:
    """Minute from the start → a quantity of the press."""
    with reading(config.data_file("kpi.db")) as db:
        found = db.execute(f"SELECT minute, {quantity} FROM minute WHERE asset = 'press'").fetchall()
    return {int(minute) - START // 60_000: int(value) for minute, value in found}  # type: ignore[arg-type]


async def test_a_booking_changes_the_minute_that_it_belongs_to_and_no_other(config: Config) -> None:
    async with asked(config) as ask:
        await ran(ask.gateway)
    before = minutes(config, "good")
    async with asked(config) as ask:
        await ask("book", drafts=[SCRAP], by="Lan")
    after = minutes(config, "good")
    assert {minute: before[minute] - after[minute] for minute in before if before[minute] != after[minute]} == {1: 5}
    assert minutes(config, "scrap")[1] == 5
    assert minutes(config, "total") == before


async def test_an_order_that_goes_on_marks_all_time_from_its_start(config: Config) -> None:
    async with asked(config) as ask:
        await ran(ask.gateway)
        order = {"asset": "press", "kind": "order", "from": START + 30_000, "value": "A-1"}
        (entry_id,) = (await ask("book", drafts=[order]))["ids"]
    assert list(minutes(config, "time_order").values()) == [30_000_000, *[60_000_000] * (MINUTES - 1)]
    async with asked(config) as ask:
        await ask("correct", id=entry_id, to=START + 120_000)
    assert list(minutes(config, "time_order").values()) == [30_000_000, 60_000_000, *[0] * (MINUTES - 2)]


async def test_revisions_count_up_and_the_list_shows_the_newest(config: Config) -> None:
    async with asked(config) as ask:
        (entry_id,) = (await ask("book", drafts=[STOP], by="Lan"))["ids"]
        await ask("correct", id=entry_id, value="bearing", by="Minh")
        await ask("correct", id=entry_id, to=START + 90_000, note="until the fitter came", by="Minh")
        one = await ask.entry(entry_id)
        assert (one.revision, one.value, one.to_ms, one.by) == (2, "bearing", START + 90_000, "Minh")
        assert await ask.refusal("correct", id=entry_id, value="bearing") == "that is what it says already"
        assert "ends before it begins" in await ask.refusal("correct", id=entry_id, to=START)
        await ask("withdraw", id=entry_id)
        assert not (await ask.entry(entry_id)).usable
        assert "withdrawn already" in await ask.refusal("withdraw", id=entry_id)
        await ask("correct", id=entry_id, value="jam")
        one = await ask.entry(entry_id)
    assert (one.usable, one.revision) == (True, 4)


async def test_two_who_correct_one_entry_at_once_make_two_revisions_of_it(config: Config) -> None:
    async with asked(config) as ask:
        await ask("book", drafts=[SCRAP | {"id": "box"}])
        await asyncio.gather(*(ask("correct", id="box", value=value) for value in (6, 7, 8)))
        assert (await ask.entry("box")).revision == 3
    with reading(config.data_file("kpi.db")) as db:
        assert db.execute("SELECT count(DISTINCT revision) FROM entry").fetchone() == (4,)


async def test_what_is_wrong_in_a_booking_is_said_for_each_and_nothing_is_taken(config: Config) -> None:
    async with asked(config) as ask:
        with pytest.raises(Refused) as caught:
            await ask("book", drafts=[SCRAP, SCRAP | {"asset": "pres"}, STOP, STOP | {"to": START - 1}])
        assert caught.value.problems == {
            1: "no asset 'pres'; did you mean 'press'?",
            3: "ends before it begins: `to` must be after `from`",
        }
        assert (await ask("list", **{"from": 0, "to": 2**50}))["entries"] == []
        assert "no entry 'x'" in await ask.refusal("correct", id="x", value=1)
        assert "no asset 'x'" in await ask.refusal("list", asset="x", **{"from": 0, "to": 1})
        await ask("book", drafts=[SCRAP | {"id": "box"}])
        assert "time of a count does not change" in await ask.refusal("correct", id="box", **{"from": START})
        assert "'many' is no number" in await ask.refusal("correct", id="box", value="many")
        assert "booked already: correct or withdraw" in await ask.refusal(
            "book", drafts=[SCRAP | {"id": "box", "value": 6}]
        )
        assert (await ask("book", drafts=[SCRAP | {"id": "box"}]))["known"] == 1


async def test_an_import_takes_what_is_new_corrects_what_differs_and_leaves_what_was_withdrawn(config: Config) -> None:
    rows = [SCRAP | {"id": "1"}, SCRAP | {"id": "2"}, STOP | {"id": "3"}]

    async with asked(config) as ask:

        async def imported(*drafts: dict[str, object], dry: bool = False) -> tuple[int, int]:
            reply = await ask("book", drafts=drafts, mode="import", dry=dry)
            return reply["booked"], reply["known"]

        assert await imported(*rows, dry=True) == (3, 0)
        assert await imported(*rows) == (3, 0)
        await ask("withdraw", id="2")
        assert await imported(*rows) == (0, 3)
        assert not (await ask.entry("2")).usable
        assert await imported(rows[0] | {"value": 7}, rows[2] | {"to": START + 70_000}) == (2, 0)
        assert [(await ask.entry(name)).revision for name in "13"] == [1, 1]
        other = await ask.refusal("book", drafts=[SCRAP | {"id": "3"}], mode="import")
        moved = await ask.refusal("book", drafts=[SCRAP | {"id": "1", "from": START}], mode="import")
    assert other == "3 is booked already as a stop of press"
    assert moved == "1 is booked already at another time: withdraw it, and take another id"


async def test_a_reading_is_corrected_where_it_was_recorded_and_bad_when_withdrawn(config: Config) -> None:
    right = {"asset": "press", "kind": "reading", "role": "state", "from": START + 60_000, "value": "STOP"}
    async with asked(config) as ask:
        await ran(ask.gateway)
        near = await ask.refusal("book", drafts=[right | {"from": START + 61_000}])
        assert "no reading at that very moment, the nearest is -1000 ms away" in near
        assert "total is a number" in await ask.refusal("book", drafts=[right | {"role": "total"}])
        (entry_id,) = (await ask("book", drafts=[right]))["ids"]
        assert "booked already" in await ask.refusal("book", drafts=[right | {"value": "RUN"}])
    assert entry_id == f"press/state@{START + 60_000}"
    assert minutes(config, "time_idle")[1] == 10_000_000
    async with asked(config) as ask:
        await ask("withdraw", id=entry_id)
    assert (minutes(config, "time_idle")[1], minutes(config, "time_unknown")[1]) == (0, 10_000_000)
    async with asked(config) as ask:
        await ask("correct", id=entry_id, value="RUN")
    assert minutes(config, "time_producing")[1] == 60_000_000


async def test_an_entry_survives_a_kill_between_journal_and_engine(config: Config) -> None:
    """What was acknowledged is in the journal; the engine of the next start takes it from there."""
    async with asked(config) as ask:
        await ran(ask.gateway)
        await ask.gateway.engine.flush()
    kept = {name: config.data_file(name).read_bytes() for name in ("kpi.db",)}
    async with asked(config) as ask:
        await ask("book", drafts=[SCRAP | {"id": "box"}])
    for name in ("kpi.db-wal", "kpi.db-shm"):
        config.data_file(name).unlink(missing_ok=True)
    config.data_file("kpi.db").write_bytes(kept["kpi.db"])
    async with asked(config) as ask:
        assert (await ask.entry("box")).value == 5.0
    assert minutes(config, "scrap")[1] == 5


async def test_minutes_are_computed_again_with_the_config_of_today_only_when_asked(config: Config) -> None:
    async with asked(config) as ask:
        await ran(ask.gateway)
    text = config.file.read_text()
    config.file.write_text(text.replace("ideal_cycle_time: 1s", "ideal_cycle_time: 500ms"))
    faster = load(config.file)
    span = {"from": START + 60_000, "to": START + 180_000, "by": "auditor"}
    async with asked(faster) as ask:
        assert (await ask("recompute", model="recorded", **span))["changed"] == 0
    assert list(minutes(config, "ideal_total").values()) == [50_000_000, *[60_000_000] * (MINUTES - 1)]
    async with asked(faster) as ask:
        reply = await ask("recompute", model="current", **span)
        assert (await ask("recompute", model="current", assets=["press"], **span))["changed"] == 0
        assert "begins" in await ask.refusal("recompute", model="current", **(span | {"to": START}))
        assert "no asset 'x'" in await ask.refusal("recompute", model="current", assets=["x"], **span)
    assert (reply["minutes"], reply["changed"]) == (2, 2)
    assert {m for m, value in minutes(config, "ideal_total").items() if value == 30_000_000} == {1, 2}
    with reading(config.data_file("kpi.db")) as db:
        found = [(one.kind, one.by, one.detail.get("model")) for one in audit_records(db, ["press"], 10)]
    assert [one for one in found if one[0] == "recompute"] == [
        ("recompute", "auditor", "current"),
        ("recompute", "auditor", "current"),
        ("recompute", "auditor", "recorded"),
    ]


async def test_a_refusal_while_no_gateway_runs_comes_as_it_is(config: Config) -> None:
    with pytest.raises(Refused, match="no entry 'x'"):
        async with asking(config) as ask:
            await ask({"op": "withdraw", "id": "x"})

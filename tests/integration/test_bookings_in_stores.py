"""What is booked and corrected after the fact ends in the right sums in real stores, and leaves a trace."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.config import Config, load
from gateway.journal import SqliteJournal
from gateway.kpi.reading import audit_records, reading
from tests.integration.test_entries import running, said
from tests.integration.test_ledger_in_stores import MINUTES, SITE, START_MS, in_kpi_db, influx, readings, victoria
from tests.servers import Server, eventually

pytestmark = pytest.mark.server
EDGES = [time.strftime("%H:%M", time.gmtime(START_MS // 1000 + 60 * minutes)) for minutes in (0, 10)]
EXTRA = f"""\
lateness: 1s
board: {{ enabled: false }}
calendars:
  default: {{ shifts: {{ first: "{EDGES[0]}-{EDGES[1]}", rest: "{EDGES[1]}-{EDGES[0]}" }} }}
"""


def after(seconds: int) -> str:
    """A moment after the first reading, as people write it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(START_MS // 1000 + seconds))}Z"


async def seeded(folder: Path, site: str, vm: Server, store: Server) -> Config:
    """A config whose journal holds readings of two hours ago."""
    file = folder / "site.yaml"
    await asyncio.to_thread(file.write_text, SITE.format(site=site, vm=vm.url, influx=store.url) + EXTRA)
    config = await asyncio.to_thread(load, file)
    journal = await asyncio.to_thread(SqliteJournal, config.journal_path, SystemClock())
    await journal.open([("kpi", False), ("history", False), ("vm", False), ("influx", False)], config.tags)
    for delivery in readings(journal.tags, range(MINUTES)):
        await journal.append(delivery, "cell")
    await journal.close()
    return config


async def done(*arguments: str) -> None:
    """The command ends well."""
    code, out = await said(*arguments)
    assert code == 0, out


async def _is(there: Callable[[], Awaitable[int]], expected: int) -> bool:
    return await there() == expected


async def test_scrap_booked_hours_later_corrected_and_withdrawn_ends_in_the_right_sums(
    tmp_path: Path, victoria_server: Server, influx1_server: Server
) -> None:
    site = f"booked-{time.time_ns() % 10**9}"
    config = await seeded(tmp_path, site, victoria_server, influx1_server)
    file, kpi_db = str(config.file), config.data_file("kpi.db")

    async def sums(good: int, scrap: int) -> None:
        """Both stores and kpi.db come to say so."""

        def wrong() -> dict[str, int]:
            found = {
                f"{name} {quantity}": ask(server, quantity, site)
                for name, ask, server in (("vm", victoria, victoria_server), ("influx", influx, influx1_server))
                for quantity in ("good", "scrap", "total")
            }
            found |= {f"kpi.db {quantity}": in_kpi_db(kpi_db, quantity) for quantity in ("good", "scrap", "total")}
            expected = {"good": good, "scrap": scrap, "total": total}
            return {key: value for key, value in found.items() if value != expected[key.split()[1]]}

        async def right() -> bool:
            nonlocal differing
            differing = await asyncio.to_thread(wrong)
            return not differing

        differing: dict[str, int] = {}
        try:
            await eventually(right, 40, 0.3)
        except AssertionError:
            raise AssertionError(f"not good {good}, scrap {scrap}, total {total}: {differing}") from None

    total = 10 * (MINUTES - 1) + 5
    good = total * 9 // 10
    async with running(config.file):
        await sums(good, total - good)
        await done("fact", "add", file, "cell-1", "scrap", "5", "--at", after(330), "--id", "box", "--by", "Lan")
        await sums(good - 5, total - good + 5)
        await done("fact", "correct", file, "box", "--value", "3", "--by", "An")
        await sums(good - 3, total - good + 3)
        await done("fact", "withdraw", file, "box", "--by", "Lan")
        await sums(good, total - good)
    with reading(kpi_db) as db:
        records = audit_records(db, ["cell-1"], 100)
        reopened = [one for one in records if (one.kind, one.detail.get("window")) == ("reopened", "shift")]
        (revision,) = db.execute("SELECT max(revision) FROM minute WHERE asset = 'cell-1'").fetchone() or (0,)
    assert revision == 3
    assert [record.detail["revision"] for record in reopened] == [3, 2, 1]
    assert [one.by for one in reopened] == ["booked by Lan", "booked by An", "booked by Lan"]
    assert {(one.detail["from_ms"], one.detail["to_ms"]) for one in reopened} == {(START_MS, START_MS + 600_000)}
    code, out = await said("kpi", "audit", file, "--json")
    assert code == 0
    assert "reopened" in {record["kind"] for record in json.loads(out)}


async def test_a_reading_corrected_without_a_running_gateway_reaches_the_stores_with_the_next_run(
    tmp_path: Path, victoria_server: Server, influx1_server: Server
) -> None:
    site = f"corrected-{time.time_ns() % 10**9}"
    config = await seeded(tmp_path, site, victoria_server, influx1_server)
    file = str(config.file)
    async with running(config.file):
        await eventually(lambda: asyncio.to_thread(lambda: victoria(victoria_server, "time_idle", site) > 0), 40, 0.3)
    code, out = await said("fact", "add", file, "cell-1", "reading", "STOP", "--role", "state", "--at", after(375))
    assert code == 1
    assert "no reading at that very moment, the nearest is" in out
    code, out = await said("fact", "add", file, "cell-1", "reading", "STOP", "--role", "state", "--at", after(360))
    assert code == 0, out
    idle = await asyncio.to_thread(in_kpi_db, config.data_file("kpi.db"), "time_idle")
    assert idle == (MINUTES // 5 * 60 + 30) * 1_000_000  # five minutes idle, and from one reading to the next
    async with running(config.file):
        for ask, server in ((victoria, victoria_server), (influx, influx1_server)):
            there = partial(asyncio.to_thread, ask, server, "time_idle", site)
            await eventually(lambda there=there: _is(there, idle), 40, 0.3)
    code, out = await said("kpi", "replay", file, "2020-01-01", "now")
    assert (code, "0 numbers differ" in out) == (0, True), out

"""From readings to buckets in real stores: after late readings their sums are what kpi.db holds."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from pathlib import Path

import apsw
import pytest

from adapters import SINKS
from gateway.clock import SystemClock
from gateway.config import Config, build, load, models
from gateway.flow import Link, deliver, follow
from gateway.journal import SqliteJournal
from gateway.kpi.engine import Engine
from gateway.kpi.query import KpiReader
from gateway.model import BatchBuilder, TagTable
from gateway.ports import Delivery
from tests.servers import Server, eventually

pytestmark = pytest.mark.server

SITE = """\
site: {site}
packs: [vietnam]
lines:
  hall: {{ area: north }}
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1:1
    time: $.ts
    tags:
      cell-1/state: {{ topic: a, path: $.state, type: string }}
      cell-1/total: {{ topic: a, path: $.total, type: uint32, counter: true }}
      cell-1/good:  {{ topic: a, path: $.good, type: uint32, counter: true }}
      cell-1/kwh:   {{ topic: a, path: $.kwh, type: float64, unit: kWh, counter: true }}
assets:
  cell-1:
    line: hall
    state: {{ tag: state, producing: [RUN], idle: [STOP] }}
    total: total
    good: good
    energy: {{ electricity: kwh }}
    ideal_cycle_time: 5s
sinks:
  vm: {{ kind: victoriametrics, url: "{vm}" }}
  influx: {{ kind: influxdb, url: "{influx}", database: {site}, version: 1 }}
"""
START_MS = (time.time_ns() // 60_000_000_000 - 120) * 60_000  # two hours ago: inside every store's retention
MINUTES = 25
SILENT = range(8, 18)  # ten minutes


def readings(tags: TagTable, minutes: range) -> list[Delivery]:
    """A delivery a minute: a running machine makes 10 parts, 9 of them good, from 0.5 kWh; its session is up."""
    found = []
    for minute in minutes:
        builder = BatchBuilder()
        for second in (0, 30):
            time_ns = (START_MS + 60_000 * minute + 1000 * second) * 1_000_000
            parts = 10 * minute + second // 6
            builder.add_text(tags.id_of("cell-1/state"), time_ns, "RUN" if minute % 5 else "STOP")
            builder.add(tags.id_of("cell-1/total"), time_ns, parts)
            builder.add(tags.id_of("cell-1/good"), time_ns, parts * 9 // 10)
            builder.add(tags.id_of("cell-1/kwh"), time_ns, 100 + minute / 2 + second / 120)
            builder.add(tags.id_of("source/cell/session"), time_ns, 1.0)
        found.append(Delivery(builder.build()))
    return found


def victoria(server: Server, quantity: str, site: str) -> int:
    urllib.request.urlopen(f"{server.url}/internal/force_flush").read()
    query = f'sum(sum_over_time(bucket_{quantity}{{site="{site}"}}[1d]))'
    with urllib.request.urlopen(
        f"{server.url}/api/v1/query?{urllib.parse.urlencode({'query': query, 'nocache': 1})}"
    ) as a:
        found = json.load(a)["data"]["result"]
    return round(float(found[0]["value"][1])) if found else 0


def influx(server: Server, quantity: str, site: str) -> int:
    query = urllib.parse.urlencode({"db": site, "q": f'SELECT sum("{quantity}") FROM bucket'})
    with urllib.request.urlopen(f"{server.url}/query?{query}") as answer:
        series = json.load(answer)["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


def in_kpi_db(path: Path, quantity: str) -> int:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(f"SELECT sum({quantity}) FROM minute WHERE asset = 'cell-1'").fetchone()
    db.close()
    return int(found[0] or 0)  # type: ignore[index,arg-type]


async def test_late_readings_reach_both_stores_as_corrections_and_silence_is_unknown_until_then(
    tmp_path: Path, victoria_server: Server, influx1_server: Server
) -> None:
    config, site = await asyncio.to_thread(_config, tmp_path, victoria_server, influx1_server)
    clock = SystemClock()
    journal = await asyncio.to_thread(SqliteJournal, tmp_path / "journal.db", clock)
    await journal.open([("kpi", False), ("vm", False), ("influx", False)], config.tags)
    tags = journal.tags
    engine = await asyncio.to_thread(
        Engine, tmp_path / "kpi.db", models(config.root, tags), config.site, config.factors, journal, clock
    )
    stores = {
        name: build(SINKS, section.kind)(name, section, tags, config.site, clock)
        for name, section in config.sinks.items()
    }
    async with asyncio.TaskGroup() as work:
        tasks = [work.create_task(follow(engine, "kpi", journal, clock, Link("kpi", clock)))]
        tasks += [
            work.create_task(deliver(sink, journal, clock, Link(name, clock), tags)) for name, sink in stores.items()
        ]

        async def settled() -> None:
            await journal.flush()
            await engine.flush()
            await journal.flush()
            quantities = ("planned", "time_producing", "time_unknown", "total", "good", "energy", "minor_stops")
            quantities += ("time_minor_stop", "energy_minor_stop", "time_idle", "output", "ideal_total")
            for quantity in quantities:
                expected = await asyncio.to_thread(in_kpi_db, tmp_path / "kpi.db", quantity)
                for query, server in ((victoria, victoria_server), (influx, influx1_server)):
                    await eventually(
                        lambda q=query, s=server, k=quantity, e=expected: asyncio.to_thread(lambda: q(s, k, site) == e),
                        20,
                    )

        early = [m for m in range(MINUTES) if m not in SILENT]
        for minute in early:
            for delivery in readings(tags, range(minute, minute + 1)):
                await journal.append(delivery, "cell")
        await _until_taken(journal, engine)
        await settled()
        await asyncio.to_thread(_silence_is_unknown, tmp_path / "kpi.db")
        for delivery in reversed(readings(tags, range(SILENT.start, SILENT.stop))):
            await journal.append(delivery, "cell")
        await _until_taken(journal, engine)
        await settled()
        assert await asyncio.to_thread(in_kpi_db, tmp_path / "kpi.db", "time_unknown") == 0
        assert await asyncio.to_thread(in_kpi_db, tmp_path / "kpi.db", "total") == 10 * (MINUTES - 2) + 5
        assert await asyncio.to_thread(in_kpi_db, tmp_path / "kpi.db", "minor_stops") == 4  # not the first, unseen one
        assert await asyncio.to_thread(in_kpi_db, tmp_path / "kpi.db", "time_minor_stop") == 5 * 60_000_000
        for task in tasks:
            task.cancel()
    await engine.close()
    await journal.close()


async def _until_taken(journal: SqliteJournal, engine: Engine) -> None:
    await journal.flush()
    newest = (await journal.ledger()).newest

    async def taken() -> bool:
        await engine.flush()
        return engine.position() >= newest

    await eventually(taken)


def _config(folder: Path, vm: Server, store: Server) -> tuple[Config, str]:
    site = f"late-{time.time_ns() % 10**9}"
    file = folder / "site.yaml"
    text = SITE.replace("ideal_cycle_time: 5s", "ideal_cycle_time: 5s\n    minor_stop: 90s")
    file.write_text(text.format(site=site, vm=vm.url, influx=store.url))
    return load(file), site


def _silence_is_unknown(path: Path) -> None:
    """Ten minutes without a word are ten minutes unknown, with both bounds."""
    reader = KpiReader(path)
    found = reader.kpis("cell-1", "minute", START_MS, START_MS + 60_000 * MINUTES)
    silent = [row for row in found if (row.start_ms - START_MS) // 60_000 in SILENT]
    reader.close()
    assert len(silent) == len(SILENT)
    for row in silent[1:-1]:
        assert row.values["coverage"] == 0
        assert row.values["availability_low"] == 0
        assert row.values["availability_high"] == 1
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    (unknown_us,) = db.execute("SELECT sum(time_unknown) FROM minute WHERE asset = 'cell-1'").fetchone()
    db.close()
    assert unknown_us == (len(SILENT) + 0.5) * 60_000_000  # from the last proof of life, half a minute before

"""The queries of docs/data-model.md, run against real stores on a day of hand-made buckets with corrections."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from adapters.influx.config import InfluxConfig, VictoriaConfig
from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import CATALOGUE, EVERY, evaluate
from gateway.model import GOOD, Tag, TagTable, TagType
from tests.integration.influx_rig import Row, batch, fetch, sink
from tests.servers import Server

pytestmark = pytest.mark.server

DOC = (Path(__file__).parents[2] / "docs" / "data-model.md").read_text()
DAY_MS = round(datetime(2026, 5, 31, 17, tzinfo=UTC).timestamp() * 1000)
MINUTES = 1440
KG_PER_KWH = 0.6592
DATABASE = "kpis"

_SECTION = re.compile(r"^### `(\w+)`.*?\n```metricsql\n(.*?)```\n\n```influxql\n(.*?)```", re.MULTILINE | re.DOTALL)
QUERIES = {kpi: (metricsql, influxql) for kpi, metricsql, influxql in _SECTION.findall(DOC)}

SUMS = {
    kpi: tuple(rest.split(" | "))
    for kpi, rest in re.findall(r"^\| `(\w+)` \| (.*?) \|$", DOC.partition("### Every other KPI")[2], re.MULTILINE)
}


def minute(number: int) -> dict[str, int]:
    """A minute of a machine that is never set up and idles every tenth minute; two minutes are unknown."""
    if number in {700, 701}:
        return {"planned": 60_000_000, "time_unknown": 60_000_000}
    if number % 10 == 9:
        return {"planned": 60_000_000, "time_idle": 60_000_000, "energy": 100_000, "energy_idle": 100_000}
    return {
        "planned": 60_000_000,
        "time_producing": 60_000_000,
        "total": 30,
        "output": 30,
        "good": 29,
        "ideal_total": 54_000_000,
        "ideal_good": 52_200_000,
        "energy": 500_000,
        "energy_producing": 500_000,
    }


def corrected(number: int) -> dict[str, int]:
    """What late data made of the minute: scrap that was found later, and one unknown minute that was not."""
    found = minute(700 if number == 700 else 0 if number == 701 else number)
    if number % 100 == 0 and number != 700:
        found = found | {"good": 20, "scrap": 10, "ideal_good": 36_000_000}
    return found


def entries(tags: TagTable) -> Iterator[Row]:
    """The ledger of press-07 over the day, and numbers around it that belong to no sum."""
    for number in range(MINUTES):
        start_ms = DAY_MS + number * 60_000
        yield from ledger(tags, start_ms, {}, minute(number))
        # A first correction that went too far, and a second that put it right.
        if (wrong := corrected(number)) != minute(number):
            wrong = {name: value + 7 for name, value in wrong.items()}
            yield from ledger(tags, start_ms + 1, minute(number), wrong)
            yield from ledger(tags, start_ms + 2, wrong, corrected(number))
    strange = dict.fromkeys(quantities, 10**12)
    yield from ledger(tags, DAY_MS - 60_000, {}, strange)
    yield from ledger(tags, DAY_MS - 60_000 + 2, {}, strange)
    yield from ledger(tags, DAY_MS + MINUTES * 60_000, {}, strange)
    yield from ledger(tags, DAY_MS + 60_000, {}, strange, asset="press-08")


def ledger(
    tags: TagTable, stamp_ms: int, old: dict[str, int], new: dict[str, int], asset: str = "press-07"
) -> Iterator[Row]:
    for name in quantities:
        if change := new.get(name, 0) - old.get(name, 0):
            yield tags.id_of(f"{asset}/bucket/{name}"), stamp_ms * 10**6, float(change), GOOD


def bucket_tags() -> TagTable:
    names = [f"{asset}/bucket/{name}" for asset in ("press-07", "press-08") for name in quantities]
    return TagTable((number, Tag(name, TagType.INT)) for number, name in enumerate(names, 1))


def expected() -> dict[str, float]:
    """The KPIs of the corrected day by plain arithmetic."""
    sums = dict.fromkeys(quantities, 0)
    for number in range(MINUTES):
        for name, value in corrected(number).items():
            sums[name] += value
    planned_h, kwh = sums["planned"] / 3.6e9, sums["energy"] / 1e6
    assert (planned_h, sums["time_setup"]) == (24, 0)
    return {
        "availability": sums["time_producing"] / sums["planned"],
        "effectiveness": sums["ideal_total"] / sums["time_producing"],
        "quality_rate": sums["good"] / sums["total"],
        "oee": sums["ideal_good"] / sums["planned"],
        "throughput": sums["total"] / planned_h,
        "energy": kwh,
        "sec": kwh / sums["good"],
        "idle_energy_share": sums["energy_idle"] / sums["energy"],
        "co2e": kwh * KG_PER_KWH,
        "carbon_intensity": kwh * KG_PER_KWH / sums["good"],
        "coverage": 1439 / 1440,
    }


def test_each_kpi_of_the_catalogue_has_its_two_queries_or_its_sums() -> None:
    assert set(QUERIES) == {kpi.id for kpi in CATALOGUE if kpi.windows == EVERY} == set(expected())
    assert set(SUMS) | set(QUERIES) == {kpi.id for kpi in CATALOGUE}


def test_each_quantity_is_described() -> None:
    table = DOC[DOC.index("| quantity |") : DOC.index("Late data and corrections")]
    assert set(re.findall(r"`(\w+)`", table)) >= set(quantities)


async def test_metricsql_sums_a_corrected_day_right(victoria_server: Server) -> None:
    tags = bucket_tags()
    async with sink(VictoriaConfig(kind="victoriametrics", url=victoria_server.url), tags) as store:
        await store.write(batch(list(entries(tags))))
        await store.write(batch(list(entries(tags))))  # sent again after a crash
    await fetch(f"{victoria_server.url}/internal/force_flush")
    found = {kpi: await metricsql(victoria_server, query) for kpi, (query, _) in QUERIES.items()}
    assert found == pytest.approx(expected(), rel=1e-12)


async def test_the_sums_of_the_table_give_every_other_kpi(victoria_server: Server) -> None:
    tags = bucket_tags()
    async with sink(VictoriaConfig(kind="victoriametrics", url=victoria_server.url), tags) as store:
        await store.write(batch(list(entries(tags))))
    await fetch(f"{victoria_server.url}/internal/force_flush")
    sums = {name: sum(corrected(number).get(name, 0) for number in range(MINUTES)) for name in quantities}
    wanted = {kpi: one.value for kpi, one in evaluate(sums).items() if kpi in SUMS and one.value is not None}
    found = {kpi: await metricsql(victoria_server, _from_table(kpi)) for kpi in wanted}
    assert len(found) > 20
    assert found == pytest.approx(wanted, rel=1e-12)


def _from_table(kpi: str) -> str:
    """The query that a row of the table stands for."""
    given = QUERIES["oee"][0].splitlines()[0]
    above, below, scale = (text.replace("×", "*").replace("÷", "/") for text in SUMS[kpi])
    above, below = (re.sub(r"[a-z]\w+", lambda found: f's("bucket_{found[0]}")', text) for text in (above, below))
    return f"{given}\n({above}) / (({below}) > 0) {scale}"


async def test_influxql_sums_a_corrected_day_right(influx1_server: Server) -> None:
    tags = bucket_tags()
    config = InfluxConfig(kind="influxdb", url=influx1_server.url, database=DATABASE)
    async with sink(config, tags) as store:
        await store.write(batch(list(entries(tags))))
        await store.write(batch(list(entries(tags))))
    found = {kpi: await influxql(influx1_server, query) for kpi, (_, query) in QUERIES.items()}
    assert found == pytest.approx(expected(), rel=1e-12)


async def test_an_asset_without_a_divisor_has_no_value_in_either_store(
    victoria_server: Server, influx1_server: Server
) -> None:
    tags = TagTable(enumerate([Tag("press-99/bucket/energy", TagType.INT)], 1))
    one = batch([(1, DAY_MS * 10**6, 5e6, GOOD)])
    async with sink(VictoriaConfig(kind="victoriametrics", url=victoria_server.url), tags) as store:
        await store.write(one)
    async with sink(InfluxConfig(kind="influxdb", url=influx1_server.url, database=DATABASE), tags) as store:
        await store.write(one)
    await fetch(f"{victoria_server.url}/internal/force_flush")
    queries = {kpi: [query.replace("press-07", "press-99") for query in pair] for kpi, pair in QUERIES.items()}
    assert await metricsql(victoria_server, queries["energy"][0]) == 5
    assert await influxql(influx1_server, queries["energy"][1]) == 5
    for kpi in ("availability", "effectiveness", "quality_rate", "oee", "throughput", "sec", "carbon_intensity"):
        assert await metricsql(victoria_server, queries[kpi][0]) is None
        assert await influxql(influx1_server, queries[kpi][1]) is None


async def metricsql(server: Server, query: str) -> float | None:
    end_s = DAY_MS // 1000 + 86_400
    answer = orjson.loads(await fetch(f"{server.url}/api/v1/query", query=query, time=str(end_s), nocache="1"))
    rows = answer["data"]["result"]
    return float(rows[0]["value"][1]) if rows else None


async def influxql(server: Server, query: str) -> float | None:
    answer = orjson.loads(await fetch(f"{server.url}/query", db=DATABASE, q=query))
    (result,) = answer["results"]
    assert "error" not in result, result
    series = result.get("series")
    value = series[0]["values"][0][1] if series else None
    return None if value is None else float(value)

"""The sink against a real InfluxDB 1.6: values, types, resends, poison, lost servers."""

from pathlib import Path

import orjson
import pytest

from adapters.influx.config import InfluxConfig
from gateway.model import GOOD, Reason, Tag, TagType, bad, uncertain
from gateway.ports import NotConnected, Rejected
from tests.integration.influx_rig import HOUR_NS, batch, fetch, poll, recent_ns, sink, table
from tests.servers import Server, influxdb1, running

pytestmark = pytest.mark.server

PLANT = tuple(Tag(f"press-07/point_{n}", source="meter") for n in range(500))


def config(server: Server, database: str) -> InfluxConfig:
    return InfluxConfig(kind="influxdb", url=server.url, database=database)


async def query(server: Server, database: str, text: str) -> list[dict[str, object]]:
    """The rows of an InfluxQL query, times in ns."""
    answer = orjson.loads(await fetch(f"{server.url}/query", db=database, q=text, epoch="ns"))
    (result,) = answer["results"]
    assert "error" not in result, result
    return [
        dict(zip(series["columns"], row, strict=True)) | series.get("tags", {})
        for series in result.get("series", [])
        for row in series["values"]
    ]


async def count(server: Server, database: str, measurement: str = "telemetry") -> int:
    """How many values a measurement holds."""
    rows = await query(server, database, f'SELECT COUNT(*) FROM "{measurement}"')
    return sum(int(str(n)) for row in rows for key, n in row.items() if key.startswith("count_"))


async def test_values_come_back_with_their_types_labels_and_nanoseconds(influx1_server: Server) -> None:
    tags = table(
        Tag("press-07/active_power", source="m"),
        Tag("press-07/total_count", TagType.INT),
        Tag("press-07/door open", TagType.BOOL),
        Tag("press-07/state", TagType.TEXT),
        Tag("press-07/kpi/shift@1/oee"),
    )
    time_ns = recent_ns() + 123_456_789
    text = 'EXECUTE "now", \\ phần 1\nphần 2'
    rows = [
        (1, time_ns, 230.1, GOOD),
        (2, time_ns, 2.0**53, uncertain(Reason.STALE)),
        (3, time_ns, 1.0, GOOD),
        (4, time_ns, 0.0, GOOD),
        (5, time_ns, 0.71, GOOD),
        (1, time_ns + 1, 0.0, bad(Reason.TIMEOUT)),
    ]
    async with sink(config(influx1_server, "types"), tags) as store:
        assert await store.write(batch(rows, [text])) == {}
    labels = {"site": "bac-ninh-1", "area": "press-shop", "line": "stamping", "asset": "press-07"}
    fields = {"active_power": 230.1, "total_count": 2**53, "door open": True, "state": text}
    found = await query(influx1_server, "types", "SELECT * FROM telemetry")
    assert found == [{"time": time_ns} | fields | labels]
    types = await query(influx1_server, "types", "SHOW FIELD KEYS FROM telemetry")
    assert {row["fieldKey"]: row["fieldType"] for row in types} == {
        "active_power": "float",
        "total_count": "integer",
        "door open": "boolean",
        "state": "string",
    }
    kpis = await query(influx1_server, "types", "SELECT * FROM kpi")
    assert kpis == [{"time": time_ns, "oee": 0.71, "window": "shift", "rev": "1"} | labels]
    traces = await query(influx1_server, "types", "SELECT active_power, total_count FROM quality")
    assert traces == [
        {"time": time_ns, "active_power": None, "total_count": uncertain(Reason.STALE)},
        {"time": time_ns + 1, "active_power": bad(Reason.TIMEOUT), "total_count": None},
    ]


async def test_a_batch_sent_twice_is_stored_once(influx1_server: Server) -> None:
    readings = poll(500, recent_ns())
    async with sink(config(influx1_server, "twice"), table(*PLANT)) as store:
        await store.write(readings)
        await store.write(readings)
    assert await count(influx1_server, "twice") == 500


async def test_a_connect_to_a_database_that_exists_changes_nothing(influx1_server: Server) -> None:
    async with sink(config(influx1_server, 'odd "name" ü'), table(*PLANT)) as store:
        await store.write(poll(3, recent_ns()))
        await store.connect()
    assert await count(influx1_server, 'odd "name" ü') == 3


async def test_poison_is_rejected_alone_and_everything_else_is_stored(influx1_server: Server) -> None:
    earlier = table(Tag("press-01/point_7", TagType.TEXT))
    time_ns = recent_ns()
    async with sink(config(influx1_server, "poison"), earlier) as store:
        await store.write(batch([(1, time_ns, 0.0, GOOD)], ["a text"]))
    async with sink(config(influx1_server, "poison"), table(*PLANT)) as store:
        readings = poll(500, time_ns)
        with pytest.raises(Rejected, match="field type conflict") as refused:
            await store.write(readings)
        assert list(refused.value.rows) == [7]
        await store.write(readings.where(readings.tag != 8))
    assert await count(influx1_server, "poison") == 1 + 499


async def test_every_reading_of_a_poisoned_tag_is_found(influx1_server: Server) -> None:
    earlier = table(Tag("press-01/point_7", TagType.TEXT))
    time_ns = recent_ns()
    async with sink(config(influx1_server, "poisons"), earlier) as store:
        await store.write(batch([(1, time_ns, 0.0, GOOD)], ["a text"]))
    rows = [(tag, time_ns + second * 10**9, 1.0, GOOD) for second in range(40) for tag in range(1, 11)]
    async with sink(config(influx1_server, "poisons"), table(*PLANT)) as store:
        with pytest.raises(Rejected) as refused:
            await store.write(batch(rows))
        assert list(refused.value.rows) == [row for row, (tag, *_) in enumerate(rows) if tag == 8]
    assert await count(influx1_server, "poisons") == 1 + 40 * 9


async def test_readings_beyond_the_retention_policy_are_rejected_and_newer_ones_stored(influx1_server: Server) -> None:
    await fetch(f"{influx1_server.url}/query", q='CREATE DATABASE "short" WITH DURATION 2h SHARD DURATION 1h')
    now = recent_ns()
    rows = [(1, now - 24 * HOUR_NS + n, 1.0, GOOD) for n in range(300)] + [(1, now + n, 1.0, GOOD) for n in range(300)]
    async with sink(config(influx1_server, "short"), table(*PLANT)) as store:
        with pytest.raises(Rejected, match="retention policy") as refused:
            await store.write(batch(rows))
    assert list(refused.value.rows) == list(range(300))
    assert await count(influx1_server, "short") == 300


async def test_a_database_that_vanishes_holds_the_data_back(influx1_server: Server) -> None:
    async with sink(config(influx1_server, "gone"), table(*PLANT)) as store:
        await fetch(f"{influx1_server.url}/query", q='DROP DATABASE "gone"')
        with pytest.raises(NotConnected, match=r"no such database, bucket or path.*database not found"):
            await store.write(poll(500, recent_ns()))
        await store.connect()
        await store.write(poll(500, recent_ns()))
    assert await count(influx1_server, "gone") == 500


async def test_a_server_killed_in_the_middle_gets_everything_in_the_end(tmp_path: Path) -> None:
    time_ns = recent_ns()
    with running(influxdb1(tmp_path)) as server:
        async with sink(config(server, "killed"), table(*PLANT)) as store:
            await store.write(poll(500, time_ns))
            server.kill()
            with pytest.raises(NotConnected, match="cannot be reached"):
                await store.write(poll(500, time_ns + 1))
            with pytest.raises(NotConnected):
                await store.connect()
            await server.restart()
            await store.connect()
            await store.write(poll(500, time_ns + 1))
        assert await count(server, "killed") == 1000


async def test_the_keys_of_influxdb_2_are_explained_to_someone_who_has_influxdb_1(influx1_server: Server) -> None:
    wrong = InfluxConfig.model_validate(
        {"kind": "influxdb", "url": influx1_server.url, "org": "plant", "bucket": "ot", "token": "t"}
    )
    async with sink(wrong, table(*PLANT), connected=False) as store:
        with pytest.raises(NotConnected, match="this is InfluxDB 1: it needs `database`"):
            await store.connect()

"""The source against devices that refuse, stall and die, on a clock that only the test moves; then against pymodbus."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from adapters.modbus.config import ModbusConfig
from adapters.modbus.source import ModbusSource, build
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import GOOD, Batch, Reason, TagTable, bad
from gateway.ports import Clock, Delivery, NotConnected
from simulators.states import State
from tests.benchmarks import stub_plc
from tests.clock import VirtualClock, settle
from tests.integration.modbus.fault_server import HOST, Behaviour, Device, Request, device, honest, silent, word
from tests.plant import Hand, demo_live, modbus_plant

SHIPPED = Library.beside(Path("nowhere.yaml"))
PATIENCE_S = 5.0


def words(*addresses: int, group: str = "fast") -> dict[str, object]:
    """Points that read one register each."""
    return {f"r{a}": {"table": "holding", "address": a, "type": "uint16", "group": group} for a in addresses}


def source_of(endpoint: str, clock: Clock, name: str = "plc", /, **said: object) -> tuple[ModbusSource, TagTable]:
    base = {"kind": "modbus", "endpoint": endpoint, "asset": "press", "timeout": "50ms"}
    config = ModbusConfig.model_validate(base | said)
    tags = TagTable(enumerate(config.tags(name, SHIPPED), start=100))
    return ModbusSource(name, config, config.resolve(SHIPPED), config.handling(SHIPPED), tags, clock), tags


@asynccontextmanager
async def polling(
    plc: Device, clock: Clock | None = None, **said: object
) -> AsyncIterator[tuple[ModbusSource, TagTable, "Deliveries"]]:
    source, tags = source_of(plc.endpoint, clock or VirtualClock(), **said)
    await source.connect()
    plc.requests.clear()
    async with aclosing(source.deliveries()) as deliveries:  # type: ignore[type-var]
        yield source, tags, Deliveries(deliveries)
    await source.close()


class Deliveries:
    """Takes deliveries one by one."""

    def __init__(self, iterator: AsyncIterator[Delivery]) -> None:
        self._iterator = iterator

    async def next(self) -> Batch:
        async with asyncio.timeout(PATIENCE_S):
            return (await anext(self._iterator)).batch

    async def after(self, clock: VirtualClock, seconds: float) -> Batch:
        """The delivery that comes when the clock has moved."""
        following = asyncio.create_task(self.next())
        await clock.advance(seconds)
        return await following


def by_name(batch: Batch, tags: TagTable) -> dict[str, tuple[float | str, int]]:
    """Point → (value or text, quality)."""
    found: dict[str, tuple[float | str, int]] = {}
    for reading in batch:
        tag = tags[reading.tag]
        is_text = tag.type == "text" and not math.isnan(reading.value)
        found[tag.name.removeprefix("press/")] = (
            batch.text(reading.value) if is_text else reading.value,
            reading.quality,
        )
    return found


def value(address: int) -> tuple[float, int]:
    return float(word(1, 3, address)), GOOD


def refusing(*addresses: int, code: int = 2) -> Behaviour:
    """A device that has no such registers."""

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        touched = any(request.address <= a < request.address + request.count for a in addresses)
        return [request.exception(code) if touched else request.frame()]

    return behave


async def test_the_first_poll_comes_at_once_and_the_next_ones_in_phase() -> None:
    clock = VirtualClock()
    async with device() as plc, polling(plc, clock, points=words(1, 2)) as (source, tags, deliveries):
        assert by_name(await deliveries.next(), tags) == {"r1": value(1), "r2": value(2)}
        stamps = []
        for _ in range(3):
            batch = await deliveries.after(clock, 1.0)
            stamps.append(set(batch.time_ns.tolist()))
        start = VirtualClock().wall_ns()
        assert stamps == [{start + k * 10**9} for k in (1, 2, 3)]
        assert (source.health.polls, source.health.overruns) == (4, 0)


async def test_each_group_has_its_own_period_on_the_same_connection() -> None:
    clock = VirtualClock()
    points = words(1) | words(500, group="slow")
    async with device() as plc, polling(plc, clock, points=points, poll={"slow": "2s"}) as (_, tags, deliveries):
        names = [set(by_name(await deliveries.next(), tags)) for _ in range(2)]
        names += [set(by_name(await deliveries.after(clock, seconds), tags)) for seconds in (1.0, 1.0, 0.0, 1.0)]
        assert names == [{"r1"}, {"r500"}, {"r1"}, {"r1"}, {"r500"}, {"r1"}]
        assert plc.accepted == 1


async def test_slots_that_pass_unread_are_skipped_counted_and_never_made_up() -> None:
    clock = VirtualClock()
    async with device() as plc, polling(plc, clock, points=words(1)) as (source, _, deliveries):
        await deliveries.next()
        await clock.advance(3.5)  # the journal took its time
        batch = await deliveries.after(clock, 0.5)
        assert batch.time_ns.item(0) == VirtualClock().wall_ns() + 4 * 10**9
        assert source.health.overruns == 3
        assert len(plc.requests) == 2


async def test_skipped_polls_are_told_when_they_begin_and_when_they_are_over(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    async with device() as plc, polling(plc, clock, points=words(1)) as (source, _, deliveries):
        await deliveries.next()
        with caplog.at_level(logging.INFO, "lineside.modbus"):
            for _ in range(3):
                await clock.advance(1.5)  # the journal took its time
                await deliveries.after(clock, 0.5)
            assert [r.getMessage() for r in caplog.records] == [
                "plc: polls take longer than their period: some are skipped"
            ]
            caplog.clear()
            for _ in range(302):
                await deliveries.after(clock, 1.0)
            assert [r.getMessage() for r in caplog.records] == ["plc: polls keep their period again"]
        assert source.health.overruns == 3


async def test_a_source_begins_at_its_own_place_and_keeps_its_phase() -> None:
    clock = VirtualClock()
    async with device() as plc:
        config = ModbusConfig.model_validate({"endpoint": plc.endpoint, "asset": "press", "points": words(1)})
        tags = TagTable(enumerate(config.tags("plc", SHIPPED)))
        source = ModbusSource("plc", config, config.resolve(SHIPPED), config.handling(SHIPPED), tags, clock, phase=0.4)
        await source.connect()
        plc.requests.clear()
        async with aclosing(source.deliveries()) as iterator:  # type: ignore[type-var]
            deliveries = Deliveries(iterator)
            first = asyncio.create_task(deliveries.next())
            await clock.advance(0.3)
            assert plc.requests == []
            await clock.advance(0.1)
            batches = [await first, await deliveries.after(clock, 1.0)]
        start = VirtualClock().wall_ns()
        assert [batch.time_ns.item(0) - start for batch in batches] == [400_000_000, 1_400_000_000]
        await source.close()


async def test_the_lateness_of_a_poll_is_measured() -> None:
    clock = VirtualClock()
    points = words(1) | words(500, group="slow")
    async with device() as plc, polling(plc, clock, points=points) as (source, _, deliveries):
        await deliveries.next()
        await clock.advance(0.25)
        await deliveries.next()
        assert source.health.lateness_last_s == pytest.approx(0.25)
        assert source.health.lateness_p99_s == pytest.approx(0.25)


async def test_points_of_a_failed_block_are_bad_and_all_others_good() -> None:
    async with (
        device(refusing(500, code=4)) as plc,
        polling(plc, points=words(1, 500, 501)) as (source, tags, deliveries),
    ):
        found = by_name(await deliveries.next(), tags)
        assert found["r1"] == value(1)
        for name in ("r500", "r501"):
            assert math.isnan(found[name][0])  # type: ignore[arg-type]
            assert found[name][1] == bad(Reason.DEVICE_EXCEPTION)
        assert source.health.exceptions == 1


async def test_a_register_that_the_device_refuses_is_quarantined_and_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock()
    async with (
        device(refusing(3)) as plc,
        polling(plc, clock, points=words(1, 2, 3, 4, 6)) as (source, tags, deliveries),
    ):
        with caplog.at_level(logging.INFO, "lineside.modbus"):
            found = by_name(await deliveries.next(), tags)
            assert found.pop("r3")[1] == bad(Reason.QUARANTINED)
            assert found == {f"r{a}": value(a) for a in (1, 2, 4, 6)}
            plc.requests.clear()
            for _ in range(5):
                await deliveries.after(clock, 1.0)
            assert {(r.address, r.count) for r in plc.requests} == {(1, 2), (4, 3)}
            assert source.health.quarantined == 1
        assert [r.getMessage() for r in caplog.records] == [
            "plc: the device refuses r3 (holding 3): left out, tried again every 60 s"
        ]


async def test_a_quarantined_register_is_tried_again_slowly_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    async with (
        device(refusing(3, 4)) as plc,
        polling(plc, clock, points=words(1, 3, 4), poll={"fast": "20s"}) as (source, tags, deliveries),
    ):
        await deliveries.next()
        plc.requests.clear()
        for _ in range(4):
            await deliveries.after(clock, 20.0)
        assert sum(r.address in {3, 4} for r in plc.requests) == 1  # one try in 80 s
        plc.behave = honest
        caplog.clear()
        with caplog.at_level(logging.INFO, "lineside.modbus"):
            for _ in range(3):
                batch = await deliveries.after(clock, 20.0)
        assert by_name(batch, tags) == {f"r{a}": value(a) for a in (1, 3, 4)}
        assert source.health.quarantined == 0
        assert {r.getMessage() for r in caplog.records} == {
            f"plc: the device gives r{a} (holding {a}) again" for a in (3, 4)
        }


async def test_a_hole_that_the_device_refuses_costs_no_point() -> None:
    clock = VirtualClock()
    async with (
        device(refusing(2, code=3)) as plc,
        polling(plc, clock, points=words(0, 1, 3, 4)) as (source, tags, deliveries),
    ):
        assert by_name(await deliveries.next(), tags) == {f"r{a}": value(a) for a in (0, 1, 3, 4)}
        plc.requests.clear()
        await deliveries.after(clock, 1.0)
        assert [(r.address, r.count) for r in plc.requests] == [(0, 2), (3, 2)]
        assert source.health.quarantined == 0


async def test_a_device_that_gives_one_point_per_read_gets_one_point_per_read() -> None:
    def single(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.exception(2) if request.count > 1 else request.frame()]

    async with device(single) as plc, polling(plc, points=words(0, 1, 3)) as (source, tags, deliveries):
        assert by_name(await deliveries.next(), tags) == {f"r{a}": value(a) for a in (0, 1, 3)}
        assert source.health.quarantined == 0


async def test_a_device_that_refuses_everything_stays_connected_and_is_asked_for_life() -> None:
    clock = VirtualClock()
    async with device(refusing(1)) as plc, polling(plc, clock, points=words(1)) as (_, tags, deliveries):
        for _ in range(2):
            found = by_name(await deliveries.after(clock, 1.0), tags)
            assert found["r1"][1] == bad(Reason.QUARANTINED)
        plc.behave = silent
        await deliveries.after(clock, 1.0)
        with pytest.raises(NotConnected, match="no answer for holding 1 of unit 1"):
            await deliveries.next()


async def test_a_busy_device_is_asked_again_after_a_pause() -> None:
    def busy_twice(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.exception(6) if len(plc.requests) < 3 else request.frame()]

    async with device() as plc, polling(plc, SystemClock(), points=words(1)) as (_, tags, deliveries):
        plc.behave = busy_twice
        assert by_name(await deliveries.next(), tags) == {"r1": value(1)}
        assert len(plc.requests) == 3


async def test_a_silent_device_gives_a_bad_batch_and_then_the_connection_up() -> None:
    async with device() as plc, polling(plc, points=words(1, 500)) as (source, tags, deliveries):
        plc.behave = silent
        found = by_name(await deliveries.next(), tags)
        assert {quality for _, quality in found.values()} == {bad(Reason.TIMEOUT)}
        with pytest.raises(NotConnected, match=f"{plc.endpoint}: no answer for holding 1 of unit 1"):
            await deliveries.next()
        assert source.health.timeouts == 2


async def test_a_lost_connection_gives_a_bad_batch_and_says_so() -> None:
    clock = VirtualClock()
    async with device() as plc, polling(plc, clock, points=words(1)) as (_, tags, deliveries):
        await deliveries.next()
        plc.behave = lambda plc, request: plc.drop() or []  # type: ignore[func-returns-value]
        found = by_name(await deliveries.after(clock, 1.0), tags)
        assert found["r1"][1] == bad(Reason.NOT_CONNECTED)
        with pytest.raises(NotConnected, match="the device closed the connection"):
            await deliveries.next()


async def test_what_came_before_the_connection_broke_is_good() -> None:
    def half(plc: Device, request: Request) -> Sequence[bytes]:
        if request.address == 1:
            return [request.frame()]
        plc.drop()
        return []

    async with device() as plc, polling(plc, points=words(1, 500)) as (_, tags, deliveries):
        plc.behave = half
        found = by_name(await deliveries.next(), tags)
        assert found["r1"] == value(1)
        assert found["r500"][1] == bad(Reason.NOT_CONNECTED)
        with pytest.raises(NotConnected):
            await deliveries.next()


async def test_a_source_connects_again_after_a_loss() -> None:
    async with device() as plc:
        source, tags = source_of(plc.endpoint, VirtualClock(), points=words(1))
        for _ in range(2):
            await source.connect()
            async with aclosing(source.deliveries()) as deliveries:  # type: ignore[type-var]
                assert by_name(await Deliveries(deliveries).next(), tags) == {"r1": value(1)}
            plc.drop()
            await source.close()
            await source.close()
        assert plc.accepted == 2


async def test_a_device_that_never_answers_is_not_connected_and_holds_no_connection() -> None:
    async with device(silent) as plc:
        source, _ = source_of(plc.endpoint, VirtualClock(), points=words(1))
        with pytest.raises(NotConnected, match="no answer for holding 1 of unit 1"):
            await source.connect()
        await settle()
        assert plc.connections == []


async def test_a_gateway_that_answers_for_a_dead_device_is_not_connected() -> None:
    async with device(refusing(1, code=11)) as plc:
        source, _ = source_of(plc.endpoint, VirtualClock(), points=words(1))
        with pytest.raises(NotConnected, match=r"exception 11 \(gateway target does not answer\)"):
            await source.connect()


async def test_two_units_behind_one_address_use_one_connection_and_never_mix() -> None:
    async with device() as plc:
        pairs = [source_of(plc.endpoint, VirtualClock(), f"u{u}", unit_id=u, points=words(1, 300)) for u in (1, 2)]
        for source, _ in pairs:
            await source.connect()
        for unit, (source, _) in enumerate(pairs, start=1):
            assert [row.value for row in await source.poll()] == [word(unit, 3, 1), word(unit, 3, 300)]
        assert plc.accepted == 1
        for source, _ in pairs:
            await source.close()


async def test_one_read_of_everything_shows_raw_registers_beside_values() -> None:
    points = {
        "power": {"table": "input", "address": 52, "type": "uint32", "scale": 0.1, "unit": "W"},
        "valve": {"table": "coil", "address": 9, "type": "bool"},
        "door": {"table": "holding", "address": 2, "type": "bool", "bit": 4},
        "gone": {"table": "holding", "address": 900, "type": "uint16"},
    }
    async with device(refusing(900)) as plc:
        source, _ = source_of(plc.endpoint, VirtualClock(), points=points)
        await source.connect()
        rows = {row.tag.name.removeprefix("press/"): row for row in await source.poll()}
        await source.close()
    high, low = word(1, 4, 52), word(1, 4, 53)
    assert (rows["power"].address, rows["power"].raw) == ("input 52", f"{high:04X} {low:04X}")
    assert rows["power"].value == (high * 65536 + low) / 10
    assert (rows["valve"].address, rows["valve"].raw) == ("coil 9", f"{rows['valve'].value:.0f}")
    assert (rows["door"].address, rows["door"].value) == ("holding 2 bit 4", word(1, 3, 2) >> 4 & 1)
    assert (rows["gone"].raw, rows["gone"].value, rows["gone"].quality) == ("", None, bad(Reason.QUARANTINED))


async def test_one_read_of_everything_connects_by_itself_and_says_when_it_cannot() -> None:
    async with device() as plc:
        source, _ = source_of(plc.endpoint, VirtualClock(), points=words(7))
        assert [row.value for row in await source.poll()] == [word(1, 3, 7)]
        plc.behave = silent
        with pytest.raises(NotConnected, match="no answer for holding 7"):
            await source.poll()
        await source.close()


async def test_the_stub_of_the_benchmarks_reads_as_its_profile_says(tmp_path: Path) -> None:
    (tmp_path / "profiles/bench").mkdir(parents=True)
    (tmp_path / "profiles/bench/stub.yaml").write_text(stub_plc.profile(300))
    machine = stub_plc.Machine(0, 300)
    server = await asyncio.get_running_loop().create_server(lambda: stub_plc.Session(machine), HOST, 0)
    config = ModbusConfig(
        endpoint=f"tcp://{HOST}:{server.sockets[0].getsockname()[1]}", profile="bench/stub", asset="press"
    )
    library = Library((tmp_path,))
    tags = TagTable(enumerate(config.tags("stub", library)))
    source = build("stub", config, tags, library, SystemClock())
    seen = []
    for seconds in (10.0, 55.0):
        machine.refresh(seconds)
        seen.append({row.tag.name.removeprefix("press/"): row for row in await source.poll()})
    await source.close()
    server.close()
    assert [len(rows) for rows in seen] == [150, 150]
    assert {row.quality for rows in seen for row in rows.values()} == {GOOD}
    assert [rows["state"].value for rows in seen] == ["EXECUTE", "IDLE"]
    assert [rows["total_count"].value for rows in seen] == [10, 50]
    assert seen[0]["value_298"].value != seen[1]["value_298"].value


NUMBERS = {
    "int16": -1234,
    "uint16": 65000,
    "int32": -123_456_789,
    "uint32": 4_000_000_000,
    "int64": -(2**52) - 7,
    "uint64": 2**53 - 1,
    "float32": 123.5,
    "float64": -math.pi,
}


@pytest.mark.parametrize("word_order", ["big", "little"])
@pytest.mark.parametrize("table", ["holding", "input"])
async def test_every_type_is_read_from_pymodbuss_own_server(table: str, word_order: str) -> None:
    points: dict[str, object] = {}
    registers: list[int] = []
    for name, number in NUMBERS.items():
        points[name] = {"table": table, "address": len(registers), "type": name, "word_order": word_order}
        kind = ModbusClientMixin.DATATYPE[name.upper()]
        registers += ModbusClientMixin.convert_to_registers(number, kind, word_order=word_order)  # type: ignore[arg-type]
    server = ModbusTcpServer(SimDevice(1, SimData(0, values=registers, datatype=DataType.REGISTERS)), address=(HOST, 0))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    source, tags = source_of(f"tcp://{HOST}:{port}", SystemClock(), points=points, timeout="1s")
    await source.connect()
    assert {row.tag.name.removeprefix("press/"): row.value for row in await source.poll()} == NUMBERS
    await source.close()
    await server.shutdown()  # type: ignore[no-untyped-call]
    assert len(tags) == len(NUMBERS)


@pytest.mark.parametrize("profile", ["eastron/sdm630", "schneider/iem3000"])
async def test_a_press_and_its_meter_read_as_the_plant_means_them(profile: str) -> None:
    hand = Hand()
    live = demo_live(hand)
    units = {
        1: ("machine/press-01", "lineside/machine"),
        2: ("meter/press-01", profile),
        3: ("machine/press-01", "lineside/machine-16bit"),
    }
    async with modbus_plant(live, units) as port:
        live.start()
        hand.now_ms += 90_000
        plc, _ = source_of(f"tcp://{HOST}:{port}", SystemClock(), "plc", profile="lineside/machine", timeout="1s")
        old, _ = source_of(
            f"tcp://{HOST}:{port}", SystemClock(), "old", profile="lineside/machine-16bit", unit_id=3, timeout="1s"
        )
        energy, _ = source_of(f"tcp://{HOST}:{port}", SystemClock(), "meter", profile=profile, unit_id=2, timeout="1s")
        read = {}
        for source in (plc, old, energy):
            await source.connect()
            read[source.name] = {row.tag.name.removeprefix("press/"): row for row in await source.poll()}
            assert {row.quality for row in read[source.name].values()} == {GOOD}
        for source in (plc, old, energy):
            await source.close()
        panel = live.panels["press-01"]
    assert read["plc"]["state"].value == read["old"]["state"].value
    assert read["plc"]["state"].value in {state.name for state in State}
    total = read["plc"]["total_count"].value
    assert panel.total > 40
    assert total == 65500 + panel.total == read["plc"]["good_count"].value + read["plc"]["scrap_count"].value  # type: ignore[operator]
    assert read["old"]["total_count"].value == total % 65536
    assert read["meter"]["active_power"].value == pytest.approx(panel.electric.watts, rel=1e-6)
    assert read["meter"]["import_energy"].value == pytest.approx(12 + panel.electric.energy_wh / 1000, abs=0.0011)
    assert read["meter"]["voltage_l1"].value == pytest.approx(230.4, rel=1e-6)
    assert read["meter"]["frequency"].value == pytest.approx(50, rel=1e-6)

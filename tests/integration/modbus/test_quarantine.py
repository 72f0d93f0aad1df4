"""Devices that refuse registers: found with few reads, said once, read around, and tried again slowly."""

import logging
from collections.abc import Sequence
from math import log2

import pytest

from gateway.model import GOOD, Reason, bad
from tests.clock import VirtualClock
from tests.integration.modbus.fault_server import Behaviour, Device, Request, device, honest
from tests.integration.test_modbus_source import by_name, polling, refusing, value, words

PERIOD_S = 30.0


def at_most(registers: int) -> Behaviour:
    """A device that gives only few registers at a time."""

    def behave(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.exception(3) if request.count > registers else request.frame()]

    return behave


def everything(plc: Device, request: Request) -> Sequence[bytes]:
    """Refuses every register, as a device does that is starting."""
    return [request.exception(2)]


def spans(plc: Device) -> list[tuple[int, int]]:
    return [(request.address, request.count) for request in plc.requests]


async def test_one_bad_register_of_many_is_found_by_halving_and_costs_its_neighbours_nothing() -> None:
    clock = VirtualClock()
    async with device(refusing(37)) as plc, polling(plc, clock, points=words(*range(100))) as (_, tags, deliveries):
        found = by_name(await deliveries.next(), tags)
        assert found.pop("r37")[1] == bad(Reason.QUARANTINED)
        assert found == {f"r{a}": value(a) for a in range(100) if a != 37}
        assert len(plc.requests) <= 1 + 2 * (log2(100) + 1) + 2
        plc.requests.clear()
        await deliveries.after(clock, 1.0)
        assert spans(plc) == [(0, 37), (38, 62)]


async def test_several_bad_registers_are_all_found_at_once() -> None:
    gone = (0, 1, 50, 98, 99)
    async with device(refusing(*gone)) as plc, polling(plc, points=words(*range(100))) as (source, tags, deliveries):
        found = by_name(await deliveries.next(), tags)
        assert {name for name, (_, quality) in found.items() if quality != GOOD} == {f"r{a}" for a in gone}
        assert source.health.quarantined == len(gone)


async def test_a_device_that_gives_twenty_words_at_a_time_loses_no_point_and_is_not_asked_in_vain_again() -> None:
    clock = VirtualClock()
    async with device(at_most(20)) as plc, polling(plc, clock, points=words(*range(100))) as (source, tags, deliveries):
        assert by_name(await deliveries.next(), tags) == {f"r{a}": value(a) for a in range(100)}
        plc.requests.clear()
        await deliveries.after(clock, 1.0)
        assert len(plc.requests) <= 8
        assert (source.health.quarantined, max(count for _, count in spans(plc))) == (0, 13)


async def test_points_that_share_a_refused_register_are_left_out_together_with_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bits = {f"bit{n}": {"table": "holding", "address": 5, "type": "bool", "bit": n, "group": "fast"} for n in range(10)}
    with caplog.at_level(logging.INFO, "lineside.modbus"):
        async with device(refusing(5)) as plc, polling(plc, points=words(4, 6) | bits) as (source, tags, deliveries):
            found = by_name(await deliveries.next(), tags)
            assert (found["r4"], found["r6"]) == (value(4), value(6))
            assert (source.health.quarantined, source.trouble) == (10, "")
    (record,) = caplog.records
    assert record.getMessage().startswith("plc: the device refuses bit0 (holding 5 bit 0), bit1 (holding 5 bit 1), ")
    assert record.getMessage().endswith(" and 2 more: left out, tried again every 60 s")


async def test_a_device_that_refuses_everything_while_it_starts_is_read_as_before_once_it_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock()
    async with device() as plc, polling(plc, clock, points=words(0, 1, 2, 5, 9)) as (source, tags, deliveries):
        plc.behave = everything
        with caplog.at_level(logging.INFO, "lineside.modbus"):
            found = by_name(await deliveries.next(), tags)
            assert {quality for _, quality in found.values()} == {bad(Reason.QUARANTINED)}
            assert source.trouble.startswith("unit 1 refuses every register: wrong profile or unit_id")
            plc.requests.clear()
            await deliveries.after(clock, 1.0)
            assert len(plc.requests) == 1  # one register is tried: that is enough to see that it still starts
            plc.behave = honest
            await deliveries.after(clock, 1.0)
            plc.requests.clear()
            assert by_name(await deliveries.after(clock, 1.0), tags) == {f"r{a}": value(a) for a in (0, 1, 2, 5, 9)}
        assert spans(plc) == [(0, 10)]
        assert (source.health.quarantined, source.trouble) == (0, "")
        refuses, gives = [record.getMessage() for record in caplog.records]
        assert refuses == (
            "plc: unit 1 refuses every register of the group fast, such as r0 (holding 0): "
            "wrong profile or unit_id, or the device is starting; one is tried at every poll"
        )
        assert gives.startswith("plc: the device gives r")
        assert gives.endswith(" again")


async def test_a_hole_that_was_refused_is_tried_again_after_an_hour() -> None:
    clock = VirtualClock()
    said = {"points": words(0, 3), "poll": {"fast": f"{PERIOD_S:g}s"}}
    async with device(refusing(1)) as plc, polling(plc, clock, **said) as (_, tags, deliveries):
        assert by_name(await deliveries.next(), tags) == {"r0": value(0), "r3": value(3)}
        plc.behave = honest
        plc.requests.clear()
        for _ in range(int(3600 / PERIOD_S) - 1):
            await deliveries.after(clock, PERIOD_S)
        assert set(spans(plc)) == {(0, 1), (3, 1)}
        plc.requests.clear()
        await deliveries.after(clock, PERIOD_S)
        assert spans(plc) == [(0, 4)]


async def test_registers_that_come_and_go_with_a_module_are_read_when_it_is_back() -> None:
    clock = VirtualClock()
    said = {"points": words(0, 1, 10, 11, 12), "poll": {"fast": f"{PERIOD_S:g}s"}}
    async with device(refusing(10, 11, 12)) as plc, polling(plc, clock, **said) as (source, tags, deliveries):
        await deliveries.next()
        assert source.health.quarantined == 3
        plc.behave = honest
        for _ in range(2):
            batch = await deliveries.after(clock, PERIOD_S)
        assert by_name(batch, tags) == {f"r{a}": value(a) for a in (0, 1, 10, 11, 12)}
        plc.requests.clear()
        await deliveries.after(clock, PERIOD_S)
        assert spans(plc) == [(0, 13)]


async def test_a_time_out_while_halving_teaches_nothing() -> None:
    clock = VirtualClock()

    def mute_after_a_refusal(plc: Device, request: Request) -> Sequence[bytes]:
        return [request.exception(2)] if request.count == 4 else []

    async with device() as plc, polling(plc, clock, points=words(0, 1, 2, 3)) as (source, tags, deliveries):
        plc.behave = mute_after_a_refusal
        found = by_name(await deliveries.next(), tags)
        assert {quality for _, quality in found.values()}.isdisjoint({GOOD, bad(Reason.QUARANTINED)})
        assert source.health.quarantined == 0


async def test_a_device_that_refuses_everything_is_not_asked_for_each_register_before_that_is_believed() -> None:
    async with device() as plc, polling(plc, points=words(*range(100))) as (source, _, deliveries):
        plc.behave = everything
        await deliveries.next()
        assert source.health.quarantined == 100
        assert len(plc.requests) <= 1 + 2 * (log2(100) + 4) + 4


async def test_a_device_that_refuses_now_and_then_what_it_has_loses_next_to_nothing() -> None:
    clock = VirtualClock()
    seen = []

    def moody(plc: Device, request: Request) -> Sequence[bytes]:
        seen.append(request)
        return [request.exception(2) if len(seen) % 5 == 0 else request.frame()]

    points = words(*range(0, 200, 2))
    async with device() as plc, polling(plc, clock, points=points) as (source, tags, deliveries):
        plc.behave = moody
        await deliveries.next()
        for _ in range(100):
            found = by_name(await deliveries.after(clock, 1.0), tags)
        assert source.health.quarantined == 0
        assert {quality for _, quality in found.values()} == {GOOD}
        plc.requests.clear()
        plc.behave = honest
        await deliveries.after(clock, 1.0)
        assert len(plc.requests) == 2

"""A plant on whose wires everything goes wrong, at thirty times the speed: unknown where nothing could be read, and
nowhere else a number that is not the plant's own."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.app import Gateway, run
from gateway.clock import ScaledClock
from gateway.config import load
from gateway.demo.plant import simulator
from gateway.kpi.asset import TimeClass
from gateway.kpi.between import Between
from gateway.kpi.query import KpiReader, Segment
from simulators.broker import free_port
from simulators.ledger import Ledger

SPEED = 30
STEP_MS = 250
POLL_MS = 6000  # 0.2 s of real time: other tests want the machine too
HELD_MS = 3 * POLL_MS + 1000  # so long a polled value holds
SEEN_MS = 2 * POLL_MS + 2000  # until a change is read, on a busy machine
FIRST_MS = 5000  # what came before the first connection is not ours
BACK_MS = 45_000  # until a line is read again: a second and a half of real time
PLANT = """
scenario: faulty
seed: 5
timezone: UTC
machines:
  press-01: { kind: press, ideal_cycle: 2s, cycle: 2.1s, stops: { misfeed: { every: 2m } } }
  weld-04: { kind: robot-cell, ideal_cycle: 3s, cycle: 3.1s }
meters: { press-01: { of: press-01 } }
faces:
  - kind: modbus
    name: plc
    listen: tcp://127.0.0.1:0
    units: { 1: { machine: press-01, profile: lineside/machine }, 2: { meter: press-01, profile: eastron/sdm630 } }
  - { kind: mqtt, name: cell, broker: "mqtt://127.0.0.1:BROKER", prefix: p, machines: [weld-04] }
faults:
"""
CLASSES = {
    "EXECUTE": TimeClass.PRODUCING, "SETUP": TimeClass.SETUP, "ABORTED": TimeClass.FAULT, "IDLE": TimeClass.IDLE,
    "STOPPED": TimeClass.IDLE, "SUSPENDED": TimeClass.STARVED, "HELD": TimeClass.BLOCKED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """What the plant knows, and what Lineside made of it; all times are the plant's."""

    ledger: Ledger
    segments: Mapping[str, Sequence[Segment]]
    between: Mapping[str, Between]
    spans: Mapping[str, tuple[int, int]]


async def lived(folder: Path, faults: Sequence[str], minutes: float) -> Day:
    """Runs the plant and Lineside on one clock for some of the plant's minutes."""
    scenario, config, truth = folder / "plant.yaml", folder / "site.yaml", folder / "truth.json"
    scenario.write_text(PLANT.replace("BROKER", str(free_port())) + "".join(f"  - {fault}\n" for fault in faults))
    arguments = ("run", str(scenario), "--driven", "--wait", "--speed", str(SPEED), "--ledger", str(truth))
    async with simulator(folder / "plant.log", *arguments, "--site-config", str(config)) as plant:
        text = config.read_text().replace("kind: modbus\n", "kind: modbus\n    timeout: 150ms\n")
        text, polled = re.subn(r"fast: \w+", f"fast: {POLL_MS}ms", text)
        assert polled == 2
        config.write_text(text.partition("board:")[0] + "board: { enabled: false }\n")
        checked = await asyncio.to_thread(load, config)
        stop, found = asyncio.Event(), {}
        clock = ScaledClock.parse(str(plant.ready["clock"]))

        async def watch(gateway: Gateway) -> None:
            await all_read(gateway)
            await plant.ask("start")
            await clock.sleep(60 * minutes)
            await plant.ask("freeze")
            await clock.sleep(30)
            await gateway.stop_sources()
            await gateway.caught_up("kpi")
            await gateway.engine.flush()
            for asset in ("press-01", "weld-04"):
                roles = await gateway.engine.spans(asset)
                span = max(first for first, _ in roles.values()), max(last for _, last in roles.values())
                found[asset] = span, await gateway.engine.between(asset, *span)
            stop.set()

        async with asyncio.timeout(110):
            await run(checked, stop, watch, clock)
    reader = KpiReader(checked.data_file("kpi.db"))
    segments = {asset: reader.segments(asset, *span) for asset, (span, _) in found.items()}
    reader.close()
    spans = {asset: span for asset, (span, _) in found.items()}
    return Day(Ledger.load(truth), segments, {asset: one for asset, (_, one) in found.items()}, spans)


async def all_read(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while not all(source.readings for source in gateway.health.sources):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def seen(day: Day, asset: str, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that Lineside gives each moment."""
    labels = {one.label: one.value for one in TimeClass}
    segments = day.segments[asset]
    starts = np.array([one.from_ms for one in segments])
    return np.array([labels[one.time_class] for one in segments])[np.searchsorted(starts, at_ms, "right") - 1]


def true(day: Day, asset: str, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that each moment truly has."""
    book = day.ledger.machines[asset]
    classes = np.array([CLASSES[state.name].value for state in book.states])
    return classes[np.searchsorted(book.state_ms, at_ms, "right") - 1]


def moments(day: Day, asset: str) -> NDArray[np.int64]:
    """Every quarter of a second in which the plant lived and Lineside was there."""
    first, last = day.spans[asset]
    last = min(last, day.segments[asset][-1].to_ms, day.ledger.until_ms)
    return np.arange(first + FIRST_MS, last, STEP_MS)


def near(
    at_ms: NDArray[np.int64], spans: Sequence[tuple[int, int]], before_ms: int, after_ms: int
) -> NDArray[np.bool_]:
    """Which moments are inside any of the spans, widened."""
    found = np.zeros(len(at_ms), bool)
    for begin, end in spans:
        found |= (at_ms >= begin - before_ms) & (at_ms < end + after_ms)
    return found


def windows(day: Day, *on: str) -> list[tuple[int, int]]:
    """When something on these targets made reading impossible."""
    return [
        (row.from_ms, row.to_ms) for row in day.ledger.faults if row.on in on and row.effect in {"unread", "counters"}
    ]


def changes(day: Day, asset: str) -> list[tuple[int, int]]:
    return [(at_ms, at_ms) for at_ms in day.ledger.machines[asset].state_ms]


def used_mwh(day: Day, asset: str, from_ms: int, to_ms: int) -> float:
    book = day.ledger.machines[asset]
    return (book.watt_ms_at(to_ms) - book.watt_ms_at(from_ms)) / 3600


async def test_what_cannot_be_read_is_unknown_and_everything_else_is_true(tmp_path: Path) -> None:
    day = await lived(
        tmp_path,
        [
            "{ kind: silence, on: machine/press-01, at: 2m, for: 1m }",
            "{ kind: exception, on: face/plc, at: 4m, for: 45s }",
            "{ kind: wrong-transaction, on: machine/press-01, at: 6m, for: 45s }",
            "{ kind: garbage, on: face/plc, at: 8m, for: 45s }",
            "{ kind: network-cut, on: network, at: 10m, for: 1m }",
            "{ kind: reset, on: face/plc, at: 12m, for: 40s }",
            "{ kind: half-open, on: face/plc, at: 14m, for: 1s }",
            "{ kind: slow, on: face/plc, at: 15m, for: 20s, delay: 20ms }",
            "{ kind: duplicate, on: weld-04, at: 1m, for: 2m, copies: 3 }",
            "{ kind: late, on: weld-04, at: 4m, for: 1m, delay: 20s }",
            "{ kind: broker-restart, on: broker, at: 13m, for: 30s }",
        ],
        minutes=17,
    )
    assert len(day.ledger.faults) == 11
    at_ms = moments(day, "press-01")
    found, known = seen(day, "press-01", at_ms), true(day, "press-01", at_ms)
    is_unknown = found == TimeClass.UNKNOWN
    gaps = windows(day, "machine/press-01", "face/plc", "network")
    must_be = near(at_ms, [gap for gap in gaps if gap[1] - gap[0] > HELD_MS], -HELD_MS, 0)
    assert spans_of(at_ms, must_be & ~is_unknown) == []
    assert spans_of(at_ms, is_unknown & ~near(at_ms, gaps, 0, BACK_MS)) == []
    settled = ~is_unknown & ~near(at_ms, changes(day, "press-01"), STEP_MS, SEEN_MS)
    assert spans_of(at_ms, settled & (found != known)) == []
    assert settled.mean() > 0.5

    at_ms = moments(day, "weld-04")
    found, known = seen(day, "weld-04", at_ms), true(day, "weld-04", at_ms)
    is_unknown = found == TimeClass.UNKNOWN
    assert spans_of(at_ms, is_unknown & ~near(at_ms, windows_of(day, "broker"), STEP_MS, BACK_MS)) == []
    assert (
        spans_of(at_ms, ~is_unknown & (found != known) & ~near(at_ms, changes(day, "weld-04"), STEP_MS, STEP_MS)) == []
    )

    for asset in ("press-01", "weld-04"):
        from_ms, to_ms = day.spans[asset]
        book, sums = day.ledger.machines[asset], day.between[asset].sums
        made = [after - before for before, after in zip(book.counts_at(from_ms), book.counts_at(to_ms), strict=True)]
        assert [sums["total"], sums["good"]] == made[:2], asset
        assert sums["counter_anomalies"] == 0
        assert sums["energy"] == pytest.approx(used_mwh(day, asset, from_ms, to_ms), rel=0.005, abs=10)


async def test_counters_that_begin_anew_never_count_too_much(tmp_path: Path) -> None:
    day = await lived(
        tmp_path,
        [
            "{ kind: reboot, on: machine/press-01, at: 3m, for: 20s }",
            "{ kind: replaced-meter, on: meter/press-01, at: 5m, for: 30s, reading: 9 }",
            "{ kind: dead-meter, on: meter/press-01, at: 7m, for: 1m }",
        ],
        minutes=9,
    )
    from_ms, to_ms = day.spans["press-01"]
    book, sums = day.ledger.machines["press-01"], day.between["press-01"].sums
    reboot, replaced, dead = day.ledger.faults
    made = book.counts_at(to_ms)[0] - book.counts_at(from_ms)[0]
    unread = book.counts_at(reboot.to_ms)[0] - book.counts_at(reboot.from_ms - SEEN_MS)[0]
    assert made - unread <= sums["total"] <= made - (unread > 0)
    lost = sum(used_mwh(day, "press-01", row.from_ms, row.to_ms) for row in (replaced, dead))
    # what was used between the last reading of the old meter and the first of the new one is in neither
    edges = used_mwh(day, "press-01", replaced.from_ms - SEEN_MS, replaced.from_ms)
    edges += used_mwh(day, "press-01", replaced.to_ms, replaced.to_ms + BACK_MS)
    true_mwh = used_mwh(day, "press-01", from_ms, to_ms) - lost
    assert true_mwh - edges - 10 <= sums["energy"] <= true_mwh + 10


def spans_of(at_ms: NDArray[np.int64], mask: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """The stretches where a mask is true, in seconds from the first moment, for whoever has to find out why."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    seconds = (np.append(at_ms, at_ms[-1] + STEP_MS) - at_ms[0]) / 1000
    return [(float(seconds[begin]), float(seconds[end])) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def windows_of(day: Day, on: str) -> list[tuple[int, int]]:
    return [(row.from_ms, row.to_ms) for row in day.ledger.faults if row.on == on]

"""The shipped bad day through the wire: unknown where nothing could be read, and nowhere a number that is not true.

Its timetable is told six times as fast, so that half an hour holds every fault.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.kpi.asset import TimeClass
from simulators.faults import Effect
from simulators.ledger import FaultRow
from simulators.scenario import load_scenario
from tests.wire import STEP_MS, Lived, Stage, lived, shipped
from tests.wire_truth import changes, classes_seen, classes_true, moments, near, stretches

SPEED, MINUTES, SOONER = 60, 32, 6
POLLS_HELD = 3
BACK_S = 1.5  # of real time, until a line is read again
TIMEOUT = "kind: modbus\n    timeout: 150ms\n"  # in real time: at sixty times the speed a second of it is a minute
CUTS = {"silence", "exception", "garbage", "wrong-transaction", "network-cut"}
"""Faults during which nothing true comes through, however often a reader connects anew."""


def sooner(text: str) -> str:
    """The scenario with its timetable in fast motion; how long each fault lasts stays."""
    return re.sub(
        r"(at|every): (\d+)m\b(?=.*(?:for|on): )", lambda found: f"{found[1]}: {int(found[2]) * 60 // SOONER}s", text
    )


async def test_on_a_bad_day_nothing_wrong_is_said_and_what_is_unknown_is_what_the_faults_hid(tmp_path: Path) -> None:
    head, word, faults = shipped("bad-day").partition("\nfaults:\n")
    stage = Stage(
        head + word + sooner(faults), SPEED, MINUTES, edit=lambda text: text.replace("kind: modbus\n", TIMEOUT)
    )
    day = await lived(tmp_path, stage)
    assert {fault.effect for fault in day.ledger.faults} == set(Effect) - {"unsent"}
    scenario = load_scenario(tmp_path / "plant.yaml")
    for machine in ("press-01", "deburr-02"):
        check_polled(day, machine, scenario.targets.devices)
    for machine in ("pack-03", "weld-04"):
        check_told(day, machine)
    for machine in day.machines:
        check_counts(day, machine)
    told = [fault for fault in day.ledger.faults if fault.kind != "network-cut"]
    kept_quiet = replace(day, ledger=replace(day.ledger, faults=told))
    with pytest.raises(AssertionError):  # unknown time that no fault explains is noticed
        check_polled(kept_quiet, "press-01", scenario.targets.devices)


def check_polled(day: Lived, name: str, faces: Mapping[str, str]) -> None:
    """Every moment of a machine whose line, shared with its neighbours, is cut again and again."""
    face = faces[f"machine/{name}"]
    neighbours = {device for device, its in faces.items() if its == face}
    at_ms, held_ms = moments(day, name), POLLS_HELD * day.assets[name].poll_ms
    found, known = classes_seen(day, name, at_ms), classes_true(day, name, at_ms)
    is_unknown = found == TimeClass.UNKNOWN
    own = {f"machine/{name}", f"face/{face}", "network"}
    hidden = [(f.from_ms, f.to_ms) for f in of(day, own) if f.kind in CUTS and f.to_ms - f.from_ms > held_ms]
    assert hidden
    must_be = near(at_ms, hidden, -held_ms - day.slack_ms, 0)
    assert stretches(at_ms, must_be & ~is_unknown) == [], name
    gaps = [(f.from_ms, f.to_ms) for f in of(day, own | neighbours)]
    may_be = near(at_ms, gaps, 0, 1000 * BACK_S * day.speed)
    assert stretches(at_ms, is_unknown & ~may_be) == [], name
    fresh = near(at_ms, changes(day, name), STEP_MS, day.assets[name].poll_ms + day.slack_ms)
    stale = may_be & near(at_ms, changes(day, name), STEP_MS, held_ms + day.slack_ms)
    assert stretches(at_ms, (found != known) & ~is_unknown & ~fresh & ~stale) == [], name
    assert (~is_unknown).mean() > 0.5


def check_told(day: Lived, name: str) -> None:
    """Every moment of a machine that says each change itself; nothing is asked of those whose clock was wrong."""
    at_ms = moments(day, name)
    found, known = classes_seen(day, name, at_ms), classes_true(day, name, at_ms)
    is_unknown = found == TimeClass.UNKNOWN
    broker = [(f.from_ms, f.to_ms) for f in day.ledger.faults if f.kind in {"broker-restart", "network-cut"}]
    back_ms = 1000 * BACK_S * day.speed
    assert stretches(at_ms, is_unknown & ~near(at_ms, broker, STEP_MS, back_ms)) == [], name
    off = [(f.from_ms, f.to_ms) for f in of(day, {f"machine/{name}"}) if f.effect == "stamps"]
    fresh = near(at_ms, [*changes(day, name), *off], STEP_MS, STEP_MS)
    assert stretches(at_ms, (found != known) & ~is_unknown & ~fresh) == [], name


def check_counts(day: Lived, name: str) -> None:
    """Parts and energy: all of them, less what went on where a counter began anew or did not count."""
    sums, book = day.assets[name].working.sums, day.ledger.machines[name]
    made = book.counts_at(day.ledger.until_ms)[0] - book.counts_at(day.began_ms)[0]
    lost = sum(book.counts_at(end)[0] - book.counts_at(begin)[0] for begin, end in unseen(day, f"machine/{name}"))
    assert made - lost <= sums["total"] <= made, name
    used_mwh = book.power.between(day.began_ms, day.ledger.until_ms) / 3600
    lost_mwh = sum(book.power.between(begin, end) for begin, end in unseen(day, f"meter/{name}")) / 3600
    assert 0.995 * (used_mwh - lost_mwh) <= sums["energy"] <= 1.005 * used_mwh, name


def unseen(day: Lived, on: str) -> Iterator[tuple[int, int]]:
    """From the last read before a counter was lost to when the new one is read."""
    kind, _, name = on.partition("/")
    period_ms = day.assets[name].model.bindings["energy" if kind == "meter" else "total"].hold.period_ms
    late_ms = round(period_ms + day.slack_ms)
    for fault in of(day, {on}):
        if fault.effect in {"counters", "uncounted"}:
            yield max(fault.from_ms - late_ms, day.began_ms), min(fault.to_ms + late_ms, day.ledger.until_ms)


def of(day: Lived, on: set[str]) -> list[FaultRow]:
    """The faults of some targets, as far as the plant lived."""
    return [fault for fault in day.ledger.faults if fault.on in on]

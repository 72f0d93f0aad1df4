"""Whatever plant a scenario describes: it lives on, and nothing impossible is booked."""

from itertools import pairwise, takewhile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.hours import Hours
from simulators.ledger import Ledger, MachineLedger, State
from simulators.plant import Plant
from simulators.scenario import Scenario
from simulators.truth import truth

START_MS = 1_772_406_000_000 - 25 * 60_000  # 05:35 in Saigon, before the shift
HOURS = 6
SECONDS = st.sampled_from(["1s", "3.3s", "11s", "50s", "4m"])
SPANS = st.sampled_from(["1s", "20s", "7m", ["2s", "90s"], {"mean": "3m", "spread": 1.2}])
STATES = st.sampled_from(["IDLE", "SETUP", "ABORTED", "STOPPED", "SUSPENDED"])
STOPS = st.fixed_dictionaries(
    {
        "every": st.sampled_from(["40s", "6m", "2h"]),
        "regularity": st.sampled_from([1, 30]),
        "lasts": st.dictionaries(STATES, SPANS, min_size=1, max_size=2),
        "operator": st.booleans(),
    }
)
MACHINES = st.fixed_dictionaries(
    {
        "kind": st.just("plain"),
        "ideal_cycle": SECONDS,
        "power": st.just({"IDLE": "1kW", "EXECUTE": "10kW", "SETUP": "3kW"}),
        "scrap": st.sampled_from([0, 0.1, 1]),
        "rework": st.sampled_from([0, 0.05]),
        "stops": st.dictionaries(st.sampled_from("xyz"), STOPS, max_size=3),
        "uses": st.sampled_from([{}, {"air": {"EXECUTE": "2m3/min", "IDLE": "90L/min"}}]),
    },
    optional={
        "setup": SPANS,
        "tool": st.fixed_dictionaries(
            {"life": st.integers(1, 200), "change": SPANS}, optional={"slower": st.just(0.3)}
        ),
        "inrush": st.just({"factor": 3, "for": "2s"}),
        "load": st.just([{"share": 0.3, "power": 2}, {"share": 0.7, "power": 0.5}]),
        "hours": st.just("always"),
    },
)
CALENDAR = {"shifts": {"a": "06:00-09:00", "b": "09:30-14:00"}, "breaks": ["08:00-08:10", "08:55-09:05"]}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    stations = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    names = [[f"m{place}{number}" for number in range(size)] for place, size in enumerate(stations)]
    machines: dict[str, Any] = {name: draw(MACHINES) for station in names for name in station}
    machines["c"] = {"kind": "compressor", "power": {"IDLE": "5kW", "EXECUTE": "20kW"}, "hours": "always"}
    machines["c"]["compressor"] = {"delivers": "5m3/min", "bar": [6.8, 7.4], "off": "1m"}
    raw = {
        "scenario": "any",
        "seed": draw(st.integers(0, 99)),
        "timezone": "Asia/Ho_Chi_Minh",
        "calendar": draw(st.sampled_from([None, CALENDAR])),
        "products": {"p": {}, "q": {"cycle": 1.5, "scrap": 0.5}},
        "orders": draw(st.sampled_from([None, {"quantity": [1, 40]}, [{"product": "q", "quantity": 30}] * 3])),
        "operators": draw(st.sampled_from([None, 1, 2])),
        "lines": {"l": {"machines": names, "buffers": [draw(st.integers(1, 12)) for _ in names[1:]]}},
        "machines": machines,
        "air": {"leak": "100L/min", "receiver_litres": 700},
        "meters": {"main": {"of": ["l", "c"], "accuracy": 0.01}},
    }
    return Scenario.model_validate(raw)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_nothing_impossible_happens(scenario: Scenario) -> None:
    plant = Plant(scenario, START_MS)
    plant.start(START_MS + 1)
    plant.run_to(START_MS + HOURS * 3_600_000)
    for name, book in plant.ledger.machines.items():
        check_machine(plant, name, book)
    check_buffers(scenario, plant.ledger)
    check_operators(scenario, plant.ledger)
    used = sum(book.watt_ms_at(plant.now_ms) for book in plant.ledger.machines.values())
    assert abs(plant.ledger.meter_sum("main", plant.now_ms) - used) <= 0.01 * used


def check_machine(plant: Plant, name: str, book: MachineLedger) -> None:
    assert all(before < after for before, after in pairwise(book.state_ms))
    assert all(before != after for before, after in pairwise(book.states))
    assert not set(book.part_ms) & set(book.state_ms)
    assert {book.state_at(at_ms) for at_ms in book.part_ms} <= {State.EXECUTE}
    hours = Hours(plant.scenario.calendar if plant.machines[name].hours == "calendar" else None, plant.scenario.zone)
    planned = takewhile(lambda edge: edge[0] <= plant.now_ms, hours.edges(START_MS))
    assert list(zip(book.planned_ms, map(bool, book.planned), strict=True)) == list(planned)
    figures = truth(plant.ledger, name, START_MS, plant.now_ms)
    outside_s = sum(figures["state_s"].values()) - figures["planned_s"]
    stopped_s = figures["state_s"]["STOPPED"] - figures["planned_state_s"]["STOPPED"]
    # a change that falls on the end of a shift shows a millisecond late; before the first shift machines stand idle
    assert outside_s - stopped_s <= 0.001 * (len(book.planned_ms) + 1)
    assert figures["total"] == figures["good"] + figures["scrap"] + figures["rework"]


def check_buffers(scenario: Scenario, ledger: Ledger) -> None:
    line = scenario.lines["l"]
    for (before, after), size in zip(pairwise(line.machines), line.buffers, strict=True):
        steps = [
            (at, 1)
            for name in before
            for at, ok in zip(ledger.machines[name].part_ms, ledger.machines[name].part_good, strict=True)
            if ok
        ]
        steps += [(at, -1) for name in after for at in ledger.machines[name].part_ms]
        between, most, least = 0, 0, 0
        for _, step in sorted(steps, key=lambda each: (each[0], -each[1])):
            between += step
            most, least = max(most, between), min(least, between)
        assert least >= 0
        assert most <= size + len(before) + len(after)


def check_operators(scenario: Scenario, ledger: Ledger) -> None:
    """Set-ups need an operator, except where a stop shows SETUP without one."""
    if scenario.operators is None:
        return
    edges = []
    for name, book in ledger.machines.items():
        stops = scenario.machines[name].stops.values()
        if any(State.SETUP in stop.lasts and not stop.operator for stop in stops):
            continue
        ends = [*book.state_ms[1:], ledger.until_ms]
        for begin, end, state in zip(book.state_ms, ends, book.states, strict=True):
            edges += [(begin, 1), (end, -1)] if state is State.SETUP else []
    busy = 0
    for _, step in sorted(edges):
        busy += step
        assert busy <= scenario.operators


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios(), st.lists(st.integers(1, HOURS * 3_600_000), max_size=6))
def test_it_does_not_matter_how_it_is_advanced(scenario: Scenario, cuts: list[int]) -> None:
    whole, pieces = Plant(scenario, START_MS), Plant(scenario, START_MS)
    for plant, steps in ((whole, []), (pieces, sorted(cuts))):
        plant.start(START_MS + 1)
        for step in (*steps, HOURS * 3_600_000):
            plant.advance(START_MS + step)
    assert whole.ledger == pieces.ledger

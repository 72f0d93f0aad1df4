from pathlib import Path

import pytest

from simulators.scenario import ScenarioError, load_scenario
from simulators.scenario_file import expand, kinds, shipped
from simulators.states import State


def scenario(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(f"scenario: s\n{text}")
    return path


MACHINE = "machines: { m: { kind: press } }\n"


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_is_right_and_says_what_it_is(name: str) -> None:
    found = load_scenario(name)
    assert found.scenario == name
    assert found.title
    assert found.machines
    assert found.faces


def test_a_machine_is_its_kind_with_what_the_scenario_says_on_top(tmp_path: Path) -> None:
    stops = "stops: { misfeed: null, jam: { every: 5m, lasts: { IDLE: 9s } } }"
    text = "machines: { m: { kind: press, power: { EXECUTE: 40kW }, " + stops + " } }"
    machine = load_scenario(scenario(tmp_path, text)).machines["m"]
    assert machine.watts(State.EXECUTE) == 40_000
    assert machine.watts(State.IDLE) == 3_000
    assert machine.ideal_cycle == 1.8
    assert list(machine.stops) == ["breakdown", "jam"]
    assert machine.stops["jam"].lasts[State.IDLE].mean == 9


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("machines: { m: { kind: pres } }", r"s.yaml: machines.m.kind: no kind 'pres'; these are press, injection"),
        ("machines: { m: { kind: press, cycle: 2 } }", r"machines.m.cycle: 2 is not a duration: .*1.8s"),
        ("machines: { m: { kind: press, colour: red } }", "machines.m.colour: no such key here"),
        ("machines: { m: { kind: press, power: { RUN: 1kW } } }", "no state 'RUN'; these are IDLE, EXECUTE"),
        ("machines: { m: { kind: press, power: { EXECUTE: 4 } } }", "4 is not a power: .* like 450W or 22kW"),
        ("machines: { m: { kind: oven, load: [{ share: 0.5, power: 1 }] } }", "shares of the steps must add up to 1"),
        ("machines: {}", "machines: Dictionary should have at least 1 item"),
        (MACHINE + "lines: { l: { machines: [m, x], buffers: [1] } }", "machines: no 'x' in this scenario"),
        (MACHINE + "lines: { l: { machines: [m, m], buffers: [] } }", "2 machines in series need 1 buffers"),
        (MACHINE + "lines: { l: { machines: [m, m], buffers: [2] } }", "'m' stands in two places"),
        (MACHINE + "lines: { l: { machines: [m, m], buffers: [0] } }", "a buffer holds at least one part"),
        (MACHINE + "meters: { a: { of: [b] } }", "meters.a.of: no 'b' in this scenario"),
        (MACHINE + "meters: { a: { of: [b] }, b: { of: [a] } }", "meters.a.of: the meter is below itself"),
        (MACHINE + "meters: { a: { of: 'x-*' } }", r"meters.a.of: no 'x-\*' in this scenario"),
        (MACHINE + "orders: [{ product: p, quantity: 5 }]", "orders: no 'p' in this scenario"),
        (MACHINE + "orders: { quantity: [5, 9] }", "orders: they need products"),
        (MACHINE + "orders: { quantity: [9, 5] }\nproducts: { p: {} }", r"\[smallest, largest\]"),
        (MACHINE + "timezone: Mars", "no time zone 'Mars'"),
        (
            MACHINE + "calendar: { days: mon-xxx, shifts: { a: '06:00-14:00' } }",
            "calendar.days: 'mon-xxx' are no days of a week: write mon-fri",
        ),
        (MACHINE + "calendar: { shifts: { a: '06:00-25:00' } }", "'25:00' is no time of a day"),
        (
            MACHINE + "faces: [{ kind: modbus, listen: 'tcp://h:1', units: { 1: { machine: n, profile: p } } }]",
            "faces: no 'n'",
        ),
        (MACHINE + "faults: [{ kind: silence, on: nobody, at: 5m }]", "faults: silence cannot happen on 'nobody'"),
        ("machines: { m: { kind: plain } }", "machines.m: write its `ideal_cycle`"),
        ("machines: [", r"s.yaml:\d+: while parsing"),
        (MACHINE + "seed: 1\nseed: 2", "s.yaml:4: `seed` stands here twice"),
        ("machines: { 'a/b': { kind: press } }", "machines.a/b: names have letters, digits"),
        ("machines: { 'Presse 1': { kind: press } }", "machines.Presse 1: names have letters, digits"),
        (
            "machines: { 'm-{n}': { kind: press, count: 1000000000 } }",
            "count: 1000000000 is not a number",
        ),
        ("machines: { 'm-{n}': { kind: press, count: 0 } }", "count: 0 is not a number from 1 to 10000"),
        ("machines: { 'm-{n}': { kind: press, count: many } }", "count: 'many' is not a number"),
        ("machines: { 'm-{n}': { kind: press, count: 2, first: x } }", "first: 'x' is not a number"),
        ("machines: { m: { kind: press, count: 2 } }", r"machines.m.count: no such key here: copies need a \{n\}"),
        (MACHINE + "products: { p: { cycle: .inf } }", "products.p.cycle: should be a finite number"),
        (
            "machines: { m: { kind: press, stops: { x: { every: 1m, lasts: { EXECUTE: 3s } } } } }",
            "machines.m.stops.x.lasts: a stop has other states than EXECUTE",
        ),
        (
            MACHINE + "faces: [{ kind: modbus, listen: 'pty:///tmp/x', units: { 0: { machine: m, profile: p } } }]",
            "faces.0: unit 0 speaks to all devices",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint) as said:
        load_scenario(scenario(tmp_path, text))
    assert str(said.value).startswith(str(tmp_path / "s.yaml"))


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ScenarioError, match=r"no shipped scenario; these are bad-day, demo, injection"):
        load_scenario("stampin")


def test_counted_entries_are_written_out() -> None:
    raw = {"machines": {"press-{n:03}": {"count": 2, "first": 9, "kind": "press"}}}
    assert expand(raw) == {"machines": {"press-009": {"kind": "press"}, "press-010": {"kind": "press"}}}


def test_copies_inside_copies_have_numbers_of_their_own() -> None:
    unit = {"count": 2, "first": 7, "machine": "m-{n}"}
    raw = {"faces": [{"count": 2, "listen": "tcp://h:150{n:02}", "units": {"{i}": unit}}]}
    units = {"1": {"machine": "m-7"}, "2": {"machine": "m-8"}}
    assert expand(raw)["faces"] == [{"listen": f"tcp://h:150{n:02}", "units": units} for n in (1, 2)]


def test_on_and_off_are_words(tmp_path: Path) -> None:
    face = "faces: [{ kind: mqtt, broker: 'mqtt://h:1883', machines: [m] }]\nfaults: [{ kind: late, on: m, at: 1m }]\n"
    assert load_scenario(scenario(tmp_path, MACHINE + face)).faults[0].on == ("m",)


def test_a_kind_needs_no_more_than_its_name() -> None:
    for kind in kinds().values():
        assert "power" in kind

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.ledger import MachineLedger, State
from simulators.plant import Event, Part, Plant, StateChange
from simulators.scenario import Scenario, load_scenario
from simulators.truth import truth
from tests.plant import demo_plant

START_MS = 1_780_000_000_000
MINUTE_MS = 60_000


def lived(seed: int, *steps_ms: int, start_ms: int = START_MS) -> tuple[Plant, list[Event]]:
    plant = demo_plant(seed, start_ms)
    plant.start(start_ms + 1)
    events = [event for step in steps_ms for event in plant.advance(start_ms + step)]
    return plant, events


def one_machine(seed: int = 7, **machine: object) -> Plant:
    """A plant of one plain machine that nothing happens to but what is said."""
    plain: dict[str, object] = {"kind": "plain", "power": {"IDLE": "1kW"}}
    return Plant(Scenario.model_validate({"scenario": "t", "seed": seed, "machines": {"m": plain | machine}}), 0)


def test_the_same_seed_is_the_same_plant_to_the_last_part() -> None:
    one, its_events = lived(7, MINUTE_MS)
    other, other_events = lived(7, MINUTE_MS)
    assert its_events == other_events
    assert one.ledger == other.ledger


def test_another_seed_is_another_plant() -> None:
    assert lived(7, MINUTE_MS)[1] != lived(8, MINUTE_MS)[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, MINUTE_MS - 1), max_size=40))
def test_how_often_the_plant_is_advanced_changes_nothing(cuts: list[int]) -> None:
    whole, all_events = lived(3, MINUTE_MS)
    pieces, same_events = lived(3, *sorted(cuts), MINUTE_MS)
    assert same_events == all_events
    assert pieces.ledger == whole.ledger


def test_a_machine_lives_the_same_life_beside_other_machines() -> None:
    demo = load_scenario("demo")
    alone = Plant(demo.model_copy(update={"machines": {"weld-03": demo.machines["weld-03"]}, "meters": {}}), START_MS)
    alone.start(START_MS + 1)
    alone.advance(START_MS + MINUTE_MS)
    assert alone.ledger.machines["weld-03"] == lived(7, MINUTE_MS)[0].ledger.machines["weld-03"]


def test_a_later_start_moves_every_event_by_the_same_time() -> None:
    early, late = lived(7, MINUTE_MS)[1], lived(7, MINUTE_MS, start_ms=START_MS + 5_000)[1]
    assert [event.at_ms + 5_000 for event in early] == [event.at_ms for event in late]


def test_events_come_in_time_order_and_none_after_the_asked_time() -> None:
    events = lived(7, MINUTE_MS)[1]
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(events))
    assert events[-1].at_ms <= START_MS + MINUTE_MS


def test_advancing_to_the_past_does_nothing() -> None:
    plant, _ = lived(7, MINUTE_MS)
    assert plant.advance(START_MS + 10) == []
    assert plant.now_ms == START_MS + MINUTE_MS


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_parts_appear_only_inside_execute(seed: int) -> None:
    for book in lived(seed, 10 * MINUTE_MS)[0].ledger.machines.values():
        assert len(book.part_ms) > 100
        assert not set(book.part_ms) & set(book.state_ms)
        assert {book.state_at(at_ms) for at_ms in book.part_ms} == {State.EXECUTE}


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_states_follow_each_other_without_gap_or_repetition(seed: int) -> None:
    for book in lived(seed, 10 * MINUTE_MS)[0].ledger.machines.values():
        assert all(before < after for before, after in pairwise(book.state_ms))
        assert all(before != after for before, after in pairwise(book.states))


def test_energy_is_the_sum_of_power_times_time() -> None:
    plant, _ = lived(7, 10 * MINUTE_MS)
    for book in plant.ledger.machines.values():
        steps = book.power
        ends = [*steps.at_ms[1:], plant.now_ms]
        spent = sum(watts * (end - begin) for begin, end, watts in zip(steps.at_ms, ends, steps.rate, strict=True))
        assert book.watt_ms_at(plant.now_ms) == spent


def test_power_follows_the_state() -> None:
    plant, _ = lived(7, 10 * MINUTE_MS)
    for name, machine in plant.machines.items():
        book: MachineLedger = plant.ledger.machines[name]
        for at_ms, state in zip(book.state_ms, book.states, strict=True):
            assert book.watts_at(at_ms) == pytest.approx(machine.watts(state), rel=0.031)


def test_real_cycles_are_never_faster_than_the_ideal_one() -> None:
    plant, events = lived(7, 10 * MINUTE_MS)
    parts = [event for event in events if isinstance(event, Part)]
    assert all(part.cycle_s >= plant.ledger.machines[part.machine].ideal_s[""] for part in parts)


def test_scrap_and_rework_come_at_their_probabilities() -> None:
    plant = one_machine(
        ideal_cycle="1s", cycle="1s", scrap=0.1, rework=0.05, power={"IDLE": "1kW", "EXECUTE": "2kW"}, seed=1
    )
    plant.start(1)
    plant.run_to(20_000_000)
    total, good, rework = plant.ledger.machines["m"].counts_at(plant.now_ms)
    assert 1 - (good + rework) / total == pytest.approx(0.1, abs=0.01)
    assert rework / total == pytest.approx(0.05, abs=0.01)


def test_a_stop_pauses_the_cycle_and_shows_its_phases_in_order() -> None:
    plant = one_machine(
        ideal_cycle="1s",
        cycle="1s",
        cycle_spread=0,
        power={"IDLE": "1kW"},
        stops={"fault": {"every": "10.5s", "regularity": 1e9, "lasts": {"ABORTED": "2s", "IDLE": "1s"}}},
    )
    plant.start(1000)
    events = plant.advance(16_000)
    changes = [event for event in events if isinstance(event, StateChange)]
    assert [change.state for change in changes] == [State.EXECUTE, State.ABORTED, State.IDLE, State.EXECUTE]
    stopped_ms = changes[1].at_ms
    assert stopped_ms == pytest.approx(11_500, abs=5)
    assert [change.at_ms - stopped_ms for change in changes[1:]] == [0, 2000, 3000]
    # the eleventh part was half done when the fault came: it takes the missing half second afterwards
    assert plant.ledger.machines["m"].part_ms[10] == 1000 + 11 * 1000 + 3000


def test_machines_stand_idle_with_standby_power_until_the_start() -> None:
    plant = demo_plant(7, START_MS)
    assert plant.advance(START_MS + 5_000) == []
    for name, machine in plant.machines.items():
        book = plant.ledger.machines[name]
        assert book.state_at(plant.now_ms) is State.IDLE
        assert book.watt_ms_at(plant.now_ms) == pytest.approx(machine.power[State.IDLE] * 5_000, rel=0.031)


def test_a_plant_starts_only_once_and_only_in_its_future() -> None:
    plant = demo_plant(7, START_MS)
    plant.advance(START_MS + 10)
    with pytest.raises(ValueError, match="starts once"):
        plant.start(START_MS + 10)
    plant.start(START_MS + 11)
    with pytest.raises(ValueError, match="starts once"):
        plant.start(START_MS + 12)


def test_a_frozen_plant_keeps_its_states_and_uses_nothing() -> None:
    plant, _ = lived(7, MINUTE_MS)
    books = plant.ledger.machines
    used = {name: book.watt_ms_at(plant.now_ms) for name, book in books.items()}
    states = {name: book.states[-1] for name, book in books.items()}
    plant.freeze()
    assert plant.advance(START_MS + 10 * MINUTE_MS) == []
    assert plant.now_ms == START_MS + MINUTE_MS
    later = START_MS + 10 * MINUTE_MS
    assert {name: book.watt_ms_at(later) for name, book in books.items()} == used
    assert {name: book.state_at(later) for name, book in books.items()} == states


def test_one_demo_minute_shows_every_kind_of_loss_at_a_plausible_oee() -> None:
    plant, _ = lived(7, MINUTE_MS)
    window = START_MS + 1, START_MS + MINUTE_MS
    figures = [
        truth(plant.ledger, name, *window, machine.ideal_cycle or 0, 0.66) for name, machine in plant.machines.items()
    ]
    assert all(0.5 < (figure["oee"] or 0) < 0.85 for figure in figures)
    assert all(sum(figure["state_s"][state.name] for figure in figures) > 0 for state in State if state != State.HELD)
    assert sum(figure["scrap"] for figure in figures) > 3

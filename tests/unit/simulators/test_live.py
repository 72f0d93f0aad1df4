import pytest

from simulators.events import Event, Part
from simulators.live import Live, MeterReport
from simulators.states import State
from tests.plant import START_MS, Hand, demo_live


@pytest.fixture
def hand() -> Hand:
    return Hand(START_MS + 250)


def live_plant(hand: Hand, hidden_share: float = 0.0) -> tuple[Live, list[Event | MeterReport]]:
    live = demo_live(hand, hidden_share)
    heard: list[Event | MeterReport] = []
    live.listen(heard.append)
    return live, heard


def test_panels_show_what_the_ledger_says_at_the_moment_of_the_look(hand: Hand) -> None:
    live, _ = live_plant(hand)
    live.start()
    for _ in range(300):
        hand.now_ms += 137
        live.look()
        for name, panel in live.panels.items():
            book = live.plant.ledger.machines[name]
            assert panel.state is book.state_at(hand.now_ms)
            assert (panel.total, panel.good) == (len(book.part_ms), sum(book.part_good))
            assert panel.scrap == panel.total - panel.good
            live.measure(f"machine/{name}")
            assert panel.electric.energy_wh == book.watt_ms_at(hand.now_ms) / 3_600_000
            assert panel.electric.watts == book.watts_at(hand.now_ms)


def test_listeners_hear_every_event_and_second_once_in_time_order_however_late_the_look(hand: Hand) -> None:
    often, heard_often = live_plant(hand)
    often.start()
    for _ in range(1000):
        hand.now_ms += 20
        often.look()
    late_hand = Hand(START_MS + 250)
    late, heard_late = live_plant(late_hand)
    late.start()
    late_hand.now_ms = hand.now_ms
    late.look()
    assert heard_late == heard_often
    assert [item.at_ms for item in heard_late] == sorted(item.at_ms for item in heard_late)
    assert len([item for item in heard_late if isinstance(item, MeterReport)]) == 20


def test_nothing_is_made_before_the_start_and_a_second_start_changes_nothing(hand: Hand) -> None:
    live, heard = live_plant(hand)
    hand.now_ms += 3000
    live.look()
    assert {type(item) for item in heard} == {MeterReport}
    assert {panel.state for panel in live.panels.values()} == {State.IDLE}
    live.start()
    hand.now_ms += 3000
    live.look()
    made = live.panels["weld-03"].total
    live.start()
    live.look()
    assert live.panels["weld-03"].total == made > 0


def test_a_freeze_stops_time_and_reports_a_last_power_of_zero(hand: Hand) -> None:
    live, heard = live_plant(hand)
    live.start()
    hand.now_ms += 10_123
    frozen_ms = live.freeze()
    panel = live.panels["press-01"]
    live.measure("machine/press-01")
    shown = (panel.state, panel.total, panel.good, panel.electric.energy_wh)
    assert frozen_ms == hand.now_ms
    assert heard[-1] == MeterReport(frozen_ms)
    assert panel.electric.watts == 0
    heard.clear()
    hand.now_ms += 60_000
    live.look()
    assert live.freeze() == frozen_ms
    assert heard == []
    live.measure("machine/press-01")
    assert (panel.state, panel.total, panel.good, panel.electric.energy_wh) == shown


def test_the_past_is_seen_as_it_was(hand: Hand) -> None:
    live, _ = live_plant(hand)
    live.start()
    hand.now_ms += 20_000
    live.look()
    live.measure("meter/press-01")
    panel, electric = live.panels["press-01"], live.sight("meter/press-01").electric
    then = (panel.state, panel.total, panel.good, panel.scrap, electric.energy_wh)
    then_ms, hand.now_ms = hand.now_ms, hand.now_ms + 40_000
    live.look()
    seen, measured = live.sight_at("machine/press-01", then_ms).panel, live.sight_at("meter/press-01", then_ms).electric
    assert seen is not None
    assert (seen.state, seen.total, seen.good, seen.scrap, measured.energy_wh) == then
    assert panel.total > seen.total


def test_every_hundredth_part_from_the_tenth_on_is_hidden_from_the_faces_alone(hand: Hand) -> None:
    live, heard = live_plant(hand, hidden_share=0.01)
    live.start()
    hand.now_ms += 600_000
    live.look()
    for name, panel in live.panels.items():
        book = live.plant.ledger.machines[name]
        hidden = range(9, len(book.part_ms), 100)
        told = [item.at_ms for item in heard if isinstance(item, Part) and item.machine == name]
        assert len(hidden) > 3
        assert told == [at_ms for number, at_ms in enumerate(book.part_ms) if number not in hidden]
        assert panel.total == len(book.part_ms) - len(hidden)
        assert panel.good == sum(book.part_good) - sum(book.part_good[number] for number in hidden)
        assert panel.scrap == panel.total - panel.good

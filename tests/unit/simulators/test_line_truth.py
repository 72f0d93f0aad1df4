import pytest

from simulators.ledger import Ledger, MachineLedger, State
from simulators.line_truth import line_truth
from simulators.plant import Plant
from simulators.scenario import load_scenario
from simulators.truth import truth

START_MS = 1_772_406_000_000
HOUR_MS = 3_600_000


def machine(ideal_s: float, producing_min: int, total: int, scrap: int) -> MachineLedger:
    """Produces for so many minutes of an hour, then stands idle; draws 6 kW."""
    book = MachineLedger(ideal_s={"": ideal_s})
    book.plan(0, planned=True)
    book.enter(0, State.EXECUTE)
    book.enter(producing_min * 60_000, State.IDLE)
    book.power.step(0, 6000)
    for number in range(1, total + 1):
        book.finish(number * producing_min * 60_000 // (total + 1), good=number > scrap)
    return book


def test_the_slowest_station_is_the_constraint_and_the_last_one_says_what_came_out() -> None:
    books = {
        "a": machine(10, 50, 250, 10),
        "b": machine(30, 40, 70, 2),
        "c": machine(30, 48, 80, 8),
        "d": machine(8, 30, 140, 5),
    }
    ledger = Ledger(1, 0, HOUR_MS, lines={"l": [["a"], ["b", "c"], ["d"]]}, machines=books)
    figures = line_truth(ledger, "l", 0, HOUR_MS)
    assert figures["constraint"] == ["b", "c"]  # 15 s a part together
    assert figures["output"] == 135
    assert figures["scrap"] == 10 + 2 + 8 + 5
    assert figures["availability"] == pytest.approx((40 + 48) / 120)
    assert figures["performance"] == pytest.approx(30 * 150 / (88 * 60))
    assert figures["quality_rate"] == pytest.approx(140 / 150)
    assert figures["oee"] == pytest.approx(30 * 140 / 7200)
    assert figures["energy_kwh"] == pytest.approx(24)
    assert figures["sec_kwh_per_part"] == pytest.approx(24 / 135)


def test_a_line_of_the_press_shop_knows_its_oee_and_kwh() -> None:
    plant = Plant(load_scenario("stamping"), START_MS)
    plant.start(START_MS + 1)
    plant.run_to(START_MS + 16 * HOUR_MS)
    figures = line_truth(plant.ledger, "stamping-1", START_MS, plant.now_ms)
    alone = truth(plant.ledger, "deburr-02", START_MS, plant.now_ms)  # 1.85 s a part, the press 1.8 s
    assert figures["constraint"] == ["deburr-02"]
    assert figures["oee"] == pytest.approx(alone["oee"])
    assert figures["energy_kwh"] > alone["energy_kwh"]
    with pytest.raises(KeyError):
        line_truth(plant.ledger, "nowhere", START_MS, plant.now_ms)


def test_a_line_that_was_not_planned_has_no_oee() -> None:
    book = machine(10, 1, 0, 0)
    book.planned[0] = 0
    ledger = Ledger(1, 0, HOUR_MS, lines={"l": [["m"]]}, machines={"m": book})
    figures = line_truth(ledger, "l", 0, HOUR_MS)
    assert (figures["oee"], figures["availability"], figures["sec_kwh_per_part"]) == (None, None, None)

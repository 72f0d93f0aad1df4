from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ledger import Ledger, MachineLedger, State
from simulators.truth import Truth, truth
from tests.plant import demo_plant

MINUTE = 60_000


def shift(
    phases: list[tuple[State, int]], total: int, scrap: int, watts: int = 0, start_ms: int = 1_000_000
) -> tuple[Ledger, int, int]:
    """A ledger of one machine "m" from (state, minutes) pairs, its parts spread over the first producing phase."""
    book, at_ms = MachineLedger(), start_ms
    book.power.step(start_ms, watts)
    for state, minutes in phases:
        book.enter(at_ms, state)
        if state is State.EXECUTE and not book.part_ms:
            for number in range(1, total + 1):
                book.finish(at_ms + number * minutes * MINUTE // total, good=number > scrap)
        at_ms += minutes * MINUTE
    return Ledger(1, start_ms, at_ms, machines={"m": book}), start_ms, at_ms


def factors(figures: Truth) -> tuple[float | None, ...]:
    return figures["availability"], figures["performance"], figures["quality_rate"], figures["oee"]


@pytest.mark.parametrize(
    ("phases", "total", "scrap", "ideal_cycle_s", "expected"),
    [
        # Vorne, Fast Guide to OEE: 420 min planned, 47 min down, 60 parts/min, 19,271 parts, 423 rejected
        ([(State.EXECUTE, 373), (State.ABORTED, 47)], 19271, 423, 1.0, (0.8881, 0.8611, 0.9780, 0.7480)),
        # TeepTrak: 26,100 s planned, 3,690 s down, ideal 60 s, 312 parts, 14 bad (seconds written as minutes)
        ([(State.EXECUTE, 22410), (State.STOPPED, 3690)], 312, 14, 3600.0, (0.8586, 0.8354, 0.9551, 0.6852)),
        # FIRGELLI: 960 min, 120 min down, ideal 0.5 min, 1,440 parts, 144 bad
        ([(State.EXECUTE, 840), (State.IDLE, 120)], 1440, 144, 30.0, (0.875, 0.8571, 0.9, 0.675)),
        # ISO 22400-2 formulas: PBT 420, APT 330, set-up 30, delays 25, no order 35 min; PRI 1 min, 300 parts, 285 good
        (
            [(State.EXECUTE, 330), (State.SETUP, 30), (State.SUSPENDED, 25), (State.IDLE, 35)],
            300,
            15,
            60.0,
            (0.7857, 0.9091, 0.95, 0.6786),
        ),
    ],
)
def test_published_examples_come_out(
    phases: list[tuple[State, int]], total: int, scrap: int, ideal_cycle_s: float, expected: tuple[float, ...]
) -> None:
    ledger, from_ms, to_ms = shift(phases, total, scrap)
    # the sources print rounded factors and the product of the rounded ones
    assert factors(truth(ledger, "m", from_ms, to_ms, ideal_cycle_s, 0.0)) == pytest.approx(expected, abs=2e-4)


def test_energy_and_carbon_are_divided_by_good_parts() -> None:
    ledger, from_ms, to_ms = shift([(State.EXECUTE, 60)], 100, 20, watts=8_000)
    figures = truth(ledger, "m", from_ms, to_ms, 30.0, 0.6592)
    assert figures["energy_kwh"] == 8.0
    assert figures["sec_kwh_per_part"] == 0.1
    assert figures["co2e_kg"] == pytest.approx(5.2736)
    assert figures["carbon_intensity"] == pytest.approx(0.06592)


def test_a_ratio_without_denominator_has_no_value() -> None:
    ledger, from_ms, to_ms = shift([(State.IDLE, 10)], 0, 0, watts=500)
    figures = truth(ledger, "m", from_ms, to_ms, 1.0, 0.5)
    assert figures["availability"] == figures["oee"] == 0.0
    without_value = ("performance", "quality_rate", "sec_kwh_per_part", "carbon_intensity")
    assert [figures[name] for name in without_value] == [None] * 4
    assert truth(ledger, "m", from_ms, from_ms, 1.0, 0.5)["availability"] is None


def test_parts_and_changes_count_in_the_window_that_ends_with_them() -> None:
    ledger, from_ms, _ = shift([(State.EXECUTE, 2), (State.IDLE, 1)], 2, 1)
    made_ms, changed_ms = from_ms + MINUTE, from_ms + 2 * MINUTE
    figures = [truth(ledger, "m", from_ms, from_ms + 1) for from_ms in (made_ms - 1, made_ms)]
    assert [(one["total"], one["good"], one["scrap"], one["rework"]) for one in figures] == [(1, 0, 1, 0), (0, 0, 0, 0)]
    assert truth(ledger, "m", changed_ms - 1, changed_ms)["state_changes"] == 1
    assert truth(ledger, "m", changed_ms, changed_ms + 1)["state_changes"] == 0


def test_a_window_outside_the_ledger_is_refused() -> None:
    ledger, from_ms, to_ms = shift([(State.EXECUTE, 1)], 1, 0)
    with pytest.raises(ValueError, match="does not cover"):
        truth(ledger, "m", from_ms - 1, to_ms, 1.0, 0.0)
    with pytest.raises(KeyError):
        truth(ledger, "nobody", from_ms, to_ms, 1.0, 0.0)


def test_after_the_freeze_the_last_state_goes_on_and_nothing_else_does() -> None:
    ledger, from_ms, to_ms = shift([(State.EXECUTE, 1), (State.SETUP, 1)], 5, 0, watts=1000)
    ledger.machines["m"].power.step(to_ms, 0)
    ledger.frozen = True
    figures = truth(ledger, "m", from_ms, to_ms + 3 * MINUTE, 1.0, 0.0)
    assert figures["state_s"]["SETUP"] == 240.0
    assert figures["total"] == 5
    assert figures["energy_kwh"] == truth(ledger, "m", from_ms, to_ms)["energy_kwh"]


def hour() -> Ledger:
    plant = demo_plant(11, 0)
    plant.start(1)
    plant.advance(3_600_000)
    return plant.ledger


HOUR = hour()


@given(st.lists(st.integers(0, 3_600_000), min_size=2, max_size=8).map(sorted))
def test_any_partition_of_a_window_adds_up_to_it(edges: list[int]) -> None:
    for name in HOUR.machines:
        whole = truth(HOUR, name, edges[0], edges[-1], 1.0, 1.0)
        pieces = [truth(HOUR, name, begin, end, 1.0, 1.0) for begin, end in pairwise(edges)]
        assert sum(whole["state_s"].values()) == pytest.approx(whole["planned_s"])
        assert sum(piece["producing_s"] for piece in pieces) == pytest.approx(whole["producing_s"])
        assert sum(piece["energy_kwh"] for piece in pieces) == pytest.approx(whole["energy_kwh"])
        assert sum(piece["good"] for piece in pieces) == whole["good"]
        assert sum(piece["scrap"] for piece in pieces) == whole["scrap"]
        assert sum(piece["state_changes"] for piece in pieces) == whole["state_changes"]


@given(st.integers(0, 3_599_000), st.integers(1, 1000))
def test_oee_is_the_product_of_its_factors(from_ms: int, length_s: int) -> None:
    figures = truth(HOUR, "press-01", from_ms, min(from_ms + length_s * 1000, 3_600_000), 0.8, 1.0)
    availability, performance, quality_rate, oee = factors(figures)
    if availability is not None and performance is not None and quality_rate is not None:
        assert oee == pytest.approx(availability * performance * quality_rate)
    assert figures["good"] + figures["scrap"] == figures["total"]

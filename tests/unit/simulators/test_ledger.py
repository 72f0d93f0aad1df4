from pathlib import Path

import pytest

from simulators.ledger import Ledger, MachineLedger, State
from tests.plant import demo_plant


def test_a_change_counts_from_its_own_millisecond_on() -> None:
    book = MachineLedger()
    book.enter(100, State.IDLE)
    book.enter(200, State.EXECUTE)
    assert [book.state_at(at_ms) for at_ms in (100, 199, 200, 10_000)] == [State.IDLE] * 2 + [State.EXECUTE] * 2


def test_energy_is_exact_at_any_millisecond_between_power_steps() -> None:
    book = MachineLedger()
    book.power.step(0, 1000)
    book.power.step(250, 3)
    book.power.step(1000, 0)
    assert [book.watt_ms_at(at_ms) for at_ms in (0, 1, 250, 251, 1000, 5000)] == [
        0,
        1000,
        250_000,
        250_003,
        252_250,
        252_250,
    ]


def test_a_saved_ledger_reads_back_as_the_same_ledger(tmp_path: Path) -> None:
    plant = demo_plant(7, 1_000)
    plant.start(1_500)
    plant.advance(61_000)
    plant.freeze()
    plant.ledger.save(tmp_path / "ledger.json")
    assert Ledger.load(tmp_path / "ledger.json") == plant.ledger
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.json"]


def test_a_ledger_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"version": 9}')
    with pytest.raises(ValueError, match="not a version 2 ledger"):
        Ledger.load(tmp_path / "ledger.json")


def test_a_running_ledger_covers_its_life_and_a_frozen_one_also_the_future() -> None:
    ledger = Ledger(seed=1, start_ms=100, until_ms=200)
    assert ledger.covers(100, 200)
    assert not ledger.covers(99, 200)
    assert not ledger.covers(100, 201)
    assert not ledger.covers(150, 149)
    ledger.frozen = True
    assert ledger.covers(150, 10_000)

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from simulators.export import TABLES, rows, save_csv, save_parquet
from simulators.ledger import Ledger
from simulators.plant import Plant
from simulators.scenario import load_scenario
from simulators.truth import truth
from tests.plant import demo_plant

START_MS = 1_780_000_000_000


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    plant = demo_plant(7, START_MS)
    plant.start(START_MS + 1)
    plant.run_to(START_MS + 20 * 60_000)
    plant.ledger.fault("silence", "machine/press-01", START_MS + 5, START_MS + 9, "unread")
    return plant.ledger


def test_every_part_state_and_power_step_is_a_row(ledger: Ledger) -> None:
    books = ledger.machines.values()
    expected = {
        "parts": sum(len(book.part_ms) for book in books),
        "states": sum(len(book.state_ms) for book in books),
        "power": sum(len(book.power.at_ms) for book in books),
        "faults": 1,
        "orders": 0,
        "meters": 2 * 4,  # two meters at both ends and two quarters of an hour
    }
    assert {table: len(list(rows(ledger, table)[1])) for table in expected} == expected
    with pytest.raises(KeyError):
        rows(ledger, "nonsense")


def test_the_csv_has_local_times_to_the_millisecond(ledger: Ledger, tmp_path: Path) -> None:
    assert {path.stem for path in save_csv(ledger, tmp_path)} == set(TABLES)
    with (tmp_path / "parts.csv").open(newline="") as file:
        parts = [row for row in csv.DictReader(file) if row["machine"] == "weld-03"]
    book = ledger.machines["weld-03"]
    moments = [datetime.fromisoformat(row["time"]) for row in parts]
    assert [round(moment.timestamp() * 1000) for moment in moments] == book.part_ms.tolist()
    assert {moment.utcoffset() for moment in moments} == {moments[0].utcoffset()}
    assert str(moments[0].utcoffset()) == "7:00:00"
    assert [row["good"] for row in parts] == ["True" if good else "False" for good in book.part_good]


def test_parquet_holds_the_same_tables_with_types(ledger: Ledger, tmp_path: Path) -> None:
    save_parquet(ledger, tmp_path)
    for table in TABLES:
        header, lines = rows(ledger, table)
        read = pq.read_table(tmp_path / f"{table}.parquet")
        assert read.column_names == [name.removesuffix("_ms") for name in header]
        assert read.num_rows == len(list(lines))
    states = pq.read_table(tmp_path / "states.parquet")
    assert str(states.schema.field("time").type) == "timestamp[ms, tz=Asia/Ho_Chi_Minh]"
    book = ledger.machines["press-01"]
    energy = pq.read_table(tmp_path / "power.parquet", filters=[("machine", "=", "press-01")])
    assert energy.column("watts").to_pylist() == book.power.rate.tolist()


def test_oee_from_the_tables_by_hand_is_the_truth(tmp_path: Path) -> None:
    """A second way to the same number: the files that anybody can open, and what the scenario says."""
    scenario = load_scenario("stamping")
    start_ms = scenario.start_ms or 0
    plant = Plant(scenario, start_ms)
    plant.start(start_ms + 1)
    plant.run_to(start_ms + 24 * 3_600_000)
    save_parquet(plant.ledger, tmp_path)
    begin = datetime.fromtimestamp(start_ms / 1000, UTC)
    for machine in ("press-01", "deburr-13", "pack-14"):
        mine = [("machine", "=", machine)]
        states = pq.read_table(tmp_path / "states.parquet", filters=mine).to_pylist()
        ends = [*(row["time"] for row in states[1:]), begin + timedelta(hours=24)]
        producing_s = sum(
            (e - r["time"]).total_seconds() for r, e in zip(states, ends, strict=True) if r["state"] == "EXECUTE"
        )
        parts = pq.read_table(tmp_path / "parts.parquet", filters=mine).to_pylist()
        cycle_s = {
            name: (scenario.machines[machine].ideal_cycle or 0) * product.cycle
            for name, product in scenario.products.items()
        }
        planned_s = 2 * 8 * 3600 - 2 * 15 * 60
        oee = sum(cycle_s[part["product"]] for part in parts if part["good"]) / planned_s
        true = truth(plant.ledger, machine, start_ms, plant.now_ms)
        assert true["oee"] == pytest.approx(oee)
        assert true["availability"] == pytest.approx(producing_s / planned_s)
        assert true["performance"] == pytest.approx(sum(cycle_s[part["product"]] for part in parts) / producing_s)
        steps = pq.read_table(tmp_path / "power.parquet", filters=mine).to_pylist()
        lasts = [*(row["time"] for row in steps[1:]), begin + timedelta(hours=24)]
        kwh = sum(r["watts"] * (e - r["time"]).total_seconds() for r, e in zip(steps, lasts, strict=True)) / 3.6e6
        assert true["energy_kwh"] == pytest.approx(kwh)

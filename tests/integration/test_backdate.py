"""A simulated plant's past, written as a recording and loaded by Lineside, against the plant's own truth."""

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import apsw
import numpy as np
import pytest

from gateway.config import load
from gateway.recording import Wanted, open_recording
from gateway.replaying import replay
from simulators.backdate import backdate, span_of
from simulators.ledger import WATT_MS_PER_WH, Ledger
from simulators.scenario import load_scenario
from simulators.site_config import site_config

HOUR_MS = 3_600_000
METERED = {"press-01", "press-11", "compressor-01", "imm-01", "imm-05"}  # machines that a meter is alone with
CLASSES = {
    "EXECUTE": "producing", "SETUP": "setup", "ABORTED": "fault", "IDLE": "idle", "STOPPED": "idle",
    "SUSPENDED": "starved", "HELD": "blocked",
}  # fmt: skip


def written(file: Path, name: str, hours: float) -> tuple[Ledger, int]:
    scenario = load_scenario(name)
    assert scenario.start_ms is not None
    span_ms = scenario.start_ms, scenario.start_ms + round(hours * HOUR_MS)
    (file.parent / "site.yaml").write_text(site_config(scenario, {}, Path()) + "lateness: 1min\n")
    return backdate(scenario, Path(), file, span_ms, lambda done: None)


def sums(path: Path, asset: str, names: list[str]) -> tuple[int, int, Mapping[str, int]]:
    """First and last millisecond of the asset's minutes, and their sums."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    columns = ", ".join(f"sum({name})" for name in names)
    row = db.execute(f"SELECT min(minute), max(minute), {columns} FROM minute WHERE asset = ?", (asset,)).fetchall()[0]
    db.close()
    scale = 60_000 if row[0] < 10**9 else 1
    return row[0] * scale, row[1] * scale + 60_000, dict(zip(names, row[2:], strict=True))


def time_in(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> dict[str, int]:
    """Milliseconds per class inside planned time, counted one state after the other."""
    book = ledger.machines[machine]
    edges = sorted({from_ms, to_ms, *book.state_ms, *book.planned_ms})
    found = dict.fromkeys([*CLASSES.values(), "planned"], 0)
    inside = [edge for edge in edges if from_ms <= edge <= to_ms]
    for begin, end in pairwise(inside):
        planned = book.planned[int(np.searchsorted(book.planned_ms, begin, "right")) - 1]
        if planned:
            found["planned"] += end - begin
            found[CLASSES[book.state_at(begin).name]] += end - begin
    return found


@pytest.mark.parametrize(("scenario", "ending"), [("stamping", "parquet"), ("injection", "csv.gz")])
async def test_lineside_computes_the_plants_own_truth(tmp_path: Path, scenario: str, ending: str) -> None:
    file = tmp_path / f"past.{ending}"
    ledger, count = await asyncio.to_thread(written, file, scenario, 6.0)
    config = await asyncio.to_thread(load, tmp_path / "site.yaml")
    async with asyncio.timeout(60):
        found = await replay(config, [file], asyncio.Event(), lambda done, at_ms, waiting: None)
    assert (found.readings, found.ignored) == (count, set())
    names = ["total", "good", "planned", "time_unknown", *(f"time_{name}" for name in sorted(set(CLASSES.values())))]
    for machine in config.root.assets.keys() & ledger.machines.keys():
        book = ledger.machines[machine]
        from_ms, to_ms, seen = sums(config.data_file("kpi.db"), machine, [*names, "energy", "counter_anomalies"])
        assert to_ms - from_ms >= 5.9 * HOUR_MS
        before, after = book.counts_at(from_ms - 1), book.counts_at(to_ms - 1)
        assert (seen["total"], seen["good"]) == (after[0] - before[0], after[1] - before[1]), machine
        true = {name: 1000 * spent for name, spent in time_in(ledger, machine, from_ms, to_ms).items()}
        assert {name: seen[f"time_{name}"] for name in set(CLASSES.values())} | {"planned": seen["planned"]} == true
        assert (seen["time_unknown"], seen["counter_anomalies"]) == (0, 0)
        if config.root.assets[machine].energy:
            sum_at = partial(ledger.meter_sum, machine) if machine in METERED else book.watt_ms_at
            assert seen["energy"] == pytest.approx(in_mwh(sum_at(to_ms) - sum_at(from_ms)), abs=2)
    for meter in (name for name in config.root.assets if name not in ledger.machines):
        from_ms, to_ms, seen = sums(config.data_file("kpi.db"), meter, ["energy"])
        used = ledger.meter_sum(meter, to_ms) - ledger.meter_sum(meter, from_ms)
        assert seen["energy"] == pytest.approx(in_mwh(used), abs=2), meter


def in_mwh(watt_ms: int) -> float:
    return watt_ms * 1000 / WATT_MS_PER_WH


def test_the_same_seed_writes_the_same_recording_in_every_form(tmp_path: Path) -> None:
    bodies = []
    for ending in ("parquet", "csv", "csv.gz"):
        written(tmp_path / f"x.{ending}", "injection", 1.0)
        reader = open_recording(tmp_path / f"x.{ending}")
        wanted = {name: Wanted(place, tag.type) for place, (name, tag) in enumerate(reader.tags.items())}
        rows = [
            (r.tag, r.time_ns, page.texts[int(r.value)] if "text" in str(names[r.tag].type) else r.value)
            for names in [list(reader.tags.values())]
            for page in reader.pages(wanted)
            for r in page
        ]
        reader.close()
        bodies.append((reader.tags, rows))
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(bodies[0][1]) > 100


def test_however_a_run_is_cut_into_days_the_readings_are_the_same(tmp_path: Path) -> None:
    _, long = written(tmp_path / "long.csv", "injection", 50.0)
    lines = (tmp_path / "long.csv").read_text().splitlines()
    written(tmp_path / "short.csv", "injection", 20.0)
    short = (tmp_path / "short.csv").read_text().splitlines()
    assert lines[: len(short)] == short
    stamps = [line[:24] for line in lines if not line.startswith(("#", "time"))]
    assert stamps == sorted(stamps)
    assert len(stamps) == long


def test_a_past_ends_with_the_last_minute_or_begins_when_it_is_told_to() -> None:
    assert span_of(2, None, 1_000_000_000_123) == (999_999_960_000 - 2 * 24 * HOUR_MS, 999_999_960_000)
    assert span_of(0.5, 5_000, 0) == (5_000, 5_000 + 12 * HOUR_MS)


def test_a_recording_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    scenario = load_scenario("injection")

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backdate(scenario, Path(), tmp_path / "x.parquet", (0, HOUR_MS), stop)
    assert not list(tmp_path.iterdir())

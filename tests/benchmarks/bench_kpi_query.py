"""A month of 50 assets asked for at every level and window, and a day of an asset computed again through the engine.

Prints one JSON line. The month is written straight into kpi.db, as the engine leaves it: 50 assets on 5 serial and
parallel lines in 2 areas. Each question is one owner over the whole month; the slowest of each window counts.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from gateway.clock import SystemClock
from gateway.kpi.asset import AssetModel, fingerprint
from gateway.kpi.buckets import quantities
from gateway.kpi.closing import Limits
from gateway.kpi.engine import Engine
from gateway.kpi.factors import Factors
from gateway.kpi.query import WINDOWS, KpiReader
from gateway.kpi.store import Progress, Store
from gateway.model import Batch, Site
from gateway.ports import Record
from tests.benchmarks.bench_kpi import START_MS, Nowhere, models, second_by_second

FIRST = date(2026, 6, 1)
DAYS = 30
ASSETS = 50
_DAY_MS = 86_400_000
_MONTH_MS = round(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
COMPARED = ("oee", "availability", "effectiveness", "quality_rate", "throughput", "energy")
_NOT_STORED_A_MONTH = ("minute",)
"""Over a month minutes are a download, not a question: 43,200 windows of an owner."""


def rows(rng: np.random.Generator, count: int) -> list[list[int]]:
    """Sums that look like an hour's."""
    found = rng.integers(0, 10**9, (count, len(quantities)))
    planned = quantities.index("planned")
    found[:, planned] = 3_600_000_000
    listed: list[list[int]] = found.tolist()
    return listed


def fill(store: Store, owners: list[str], groups: dict[str, object], sliced: set[str]) -> None:
    """A month of every tier for every owner."""
    rng = np.random.default_rng(4)
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    with store.transaction():
        store.put(groups=json.dumps(groups), timezone="UTC")
        for owner in owners:
            last_ms = _MONTH_MS + DAYS * _DAY_MS
            store.set_progress(owner, Progress(_MONTH_MS, last_ms, last_ms, last_ms, last_ms, 0))
            _hours(store, owner, rows(rng, DAYS * 24))
            _days(store, owner, days, rows(rng, DAYS))
            _shifts(store, owner, days, rows(rng, DAYS * 3))
            if owner in sliced:
                _slices(store, owner, days, rows(rng, DAYS * 12))


def _insert(store: Store, table: str, keys: int, found: Iterator[tuple[object, ...]]) -> None:
    marks = ",".join("?" * (keys + len(quantities)))
    store.db.executemany(f"INSERT INTO {table} VALUES ({marks})", found)


def _hours(store: Store, owner: str, sums: list[list[int]]) -> None:
    first = _MONTH_MS // 3_600_000
    spans = ((owner, first + n, (first + n) * 3_600_000, (first + n + 1) * 3_600_000) for n in range(len(sums)))
    _insert(store, "hour", 5, ((*span, *row, 0) for span, row in zip(spans, sums, strict=True)))


def _days(store: Store, owner: str, days: list[date], sums: list[list[int]]) -> None:
    spans = ((owner, str(day), _MONTH_MS + n * _DAY_MS, _MONTH_MS + (n + 1) * _DAY_MS) for n, day in enumerate(days))
    _insert(store, "day", 5, ((*span, *row, 0) for span, row in zip(spans, sums, strict=True)))


def _shifts(store: Store, owner: str, days: list[date], sums: list[list[int]]) -> None:
    third = _DAY_MS // 3
    spans = (
        (owner, str(days[n // 3]), "abc"[n % 3], _MONTH_MS + n * third, _MONTH_MS + (n + 1) * third)
        for n in range(len(sums))
    )
    _insert(store, "shift", 6, ((*span, *row, 0) for span, row in zip(spans, sums, strict=True)))


def _slices(store: Store, owner: str, days: list[date], sums: list[list[int]]) -> None:
    """Three products a day, each in four orders of its own."""
    keys = (
        (owner, str(days[n // 12]), f"product-{n % 3}", f"order-{n}", _MONTH_MS, _MONTH_MS + DAYS * _DAY_MS)
        for n in range(len(sums))
    )
    _insert(store, "slice_day", 6, ((*key, *row) for key, row in zip(keys, sums, strict=True)))


def month_ms(path: Path) -> dict[str, float]:
    """Window → ms of the slowest question over all owners; `all_by_day`: every owner's days, one after the other."""
    store = Store(path)
    assets = [f"press-{n:02}" for n in range(ASSETS)]
    lines = {f"line/{n}": assets[10 * n : 10 * n + 10] for n in range(5)}
    areas = {"area/a": ["line/0", "line/1", "line/2"], "area/b": ["line/3", "line/4"]}
    members = lines | areas | {"site/plant": list(areas)}
    groups = {name: {"members": found, "constraint": None, "last": None} for name, found in members.items()}
    owners = [*assets, *members]
    fill(store, owners, dict(groups), set(assets))
    store.close()
    reader = KpiReader(path)
    found: dict[str, float] = {}
    for window in (one for one in WINDOWS if one not in _NOT_STORED_A_MONTH):
        found[window] = max(_ask_ms(reader, owner, window) for owner in ("press-07", *members))
    found["all_by_day"] = sum(_ask_ms(reader, owner, "day") for owner in owners)
    found["all_by_month"] = sum(_ask_ms(reader, owner, "month") for owner in owners)
    for window in ("hour", "day"):
        found[f"compare_{window}"] = _compare_ms(reader, assets, window)
    reader.close()
    return {name: round(value, 1) for name, value in found.items()}


def _ask_ms(reader: KpiReader, owner: str, window: str) -> float:
    started = time.perf_counter()
    answer = reader.kpis(owner, window, _MONTH_MS, _MONTH_MS + DAYS * _DAY_MS)
    assert answer, (owner, window)
    return (time.perf_counter() - started) * 1000


def _compare_ms(reader: KpiReader, assets: list[str], window: str) -> float:
    """Six KPIs of all assets side by side, as columns."""
    started = time.perf_counter()
    answer = reader.compare(assets, window, _MONTH_MS, _MONTH_MS + DAYS * _DAY_MS, COMPARED)
    assert answer
    return (time.perf_counter() - started) * 1000


def slower(model: AssetModel) -> AssetModel:
    """The same machine with another ideal cycle time: every minute with parts changes."""
    changed = replace(model, ideal_cycle_us=(model.ideal_cycle_us or 0) + 1000)
    return replace(changed, hash=fingerprint(changed))


async def again_s(path: Path) -> tuple[float, int]:
    """CPU of a day of one asset (five roles at 1 s) computed again, stored and published; minutes that changed."""
    journal = Nowhere()
    found = models(journal, 1)
    site = Site("plant", "UTC", {})
    keep = Limits(facts_ms=10**12, minutes_ms=10**12)
    batches = second_by_second(1, 86_460)
    joined = [_joined(batches[n : n + 600]) for n in range(0, len(batches), 600)]
    engine = Engine(path, found, site, Factors(), journal, SystemClock(), limits=keep, commit_every_s=0.0)  # type: ignore[arg-type]
    for position, batch in enumerate(joined, 1):
        await engine.take([Record(position, "plc", position, 0, batch)])
    await engine.flush()
    await engine.close()
    changed = {name: slower(model) for name, model in found.items()}
    engine = Engine(path, changed, site, Factors(), journal, SystemClock(), limits=keep, commit_every_s=0.0)  # type: ignore[arg-type]
    started = time.process_time()
    result = await engine.recompute(list(changed), (START_MS, START_MS + _DAY_MS), current=True, by="bench")
    cpu_s = time.process_time() - started
    await engine.close()
    return cpu_s, result.changed


def _joined(batches: list[Batch]) -> Batch:
    tag, time_ns, value, quality = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("tag", "time_ns", "value", "quality")
    )
    return Batch(tag, time_ns, value, quality)


def main() -> None:
    """Runs everything; about half a minute."""
    with tempfile.TemporaryDirectory() as name:
        months = month_ms(Path(name) / "month.db")
        cpu_s, changed = asyncio.run(again_s(Path(name) / "day.db"))
    figures = {
        "bench": "kpi_query",
        **{f"month_{window}_ms": value for window, value in months.items()},
        "asset_day_again_s": round(cpu_s, 3),
        "minutes_changed": changed,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""KPI engine: CPU per passing value and per fact, share of a core for 1,000 assets, recomputation, bytes per fact.

Prints one JSON line. Everything is simulated time: no PLC, no journal.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

import apsw
import numpy as np

from gateway.clock import SystemClock
from gateway.kpi.asset import AssetModel, Binding, Hold, TimeClass
from gateway.kpi.book import derive
from gateway.kpi.calendar import Calendar
from gateway.kpi.engine import Engine
from gateway.kpi.factors import Factors
from gateway.kpi.facts import Series, encode
from gateway.kpi.intake import Intake
from gateway.model import GOOD, Batch, Site, Tag, TagTable
from gateway.ports import Delivery, Record

ROLES = ("state", "total", "good", "scrap", "energy", "power")
STATES = {"1": TimeClass.PRODUCING, "0": TimeClass.IDLE, "3": TimeClass.FAULT}
START_MS = 1_780_000_020_000


class Nowhere:
    """Takes what the engine publishes, and counts it."""

    def __init__(self) -> None:
        self.tags = TagTable()
        self.readings = 0

    def add(self, tag: Tag) -> int:
        """Enters a tag."""
        self.tags.add(len(self.tags), tag)
        return len(self.tags) - 1

    async def register(self, tags: list[Tag]) -> None:
        """Gives ids."""
        for tag in tags:
            self.add(tag)

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        """Counts and acknowledges."""
        self.readings += len(delivery.batch)
        if delivery.ack:
            delivery.ack()


def models(journal: Nowhere, count: int) -> dict[str, AssetModel]:
    """Assets with six polled roles each."""
    journal.add(Tag("gateway/alive"))
    hold = Hold(polled=True, period_ms=1000)
    found = {}
    for n in range(count):
        name = f"press-{n:04d}"
        ids = {role: journal.add(Tag(f"{name}/{role}", period_ms=1000)) for role in ROLES}
        kinds = {role: "counter" if role in {"total", "good", "scrap", "energy"} else "level" for role in ROLES}
        scales = {role: 1e6 if role == "energy" else 1.0 for role in ROLES}
        bindings = {
            role: Binding(role, ids[role], kinds[role], 0, scales[role], False, hold, f"{name}/{role}")
            for role in ROLES
        }
        found[name] = AssetModel(
            name, bindings, STATES, 1_000_000, Calendar.always("UTC"), 3000.0, f"line-{n // 10}", "model"
        )
    return found


def column(role: str, seconds: int, assets: int) -> np.ndarray:
    """Values of one role over time, one row per second."""
    rng = np.random.default_rng(ROLES.index(role))
    grow = np.cumsum(rng.random((seconds, assets)) < 0.8, axis=0)
    shapes = {
        "state": np.repeat(rng.integers(0, 2, (seconds // 37 + 1, assets)), 37, axis=0)[:seconds],
        "scrap": grow // 20,
    }
    shapes |= {"good": grow - grow // 20, "total": grow, "energy": np.round(grow * 0.0041, 4)}
    return shapes.get(role, np.round(15 + rng.random((seconds, assets)), 1)).astype(np.float64)


def second_by_second(assets: int, seconds: int) -> list[Batch]:
    """One batch per second: alive (every 10 s) and six roles of every asset."""
    values = np.stack([column(role, seconds, assets) for role in ROLES], axis=2).reshape(seconds, -1)
    ids = np.arange(1, 6 * assets + 1, dtype=np.int32)
    spread = np.arange(6 * assets, dtype=np.int64) % 997
    batches = []
    for second in range(seconds):
        time_ms = START_MS + 1000 * second
        stamps = (time_ms + spread) * 1_000_000
        quality = np.full(len(ids) + 1, GOOD, np.uint8)
        tag = np.append(ids, np.int32(0))
        batches.append(
            Batch(tag, np.append(stamps, (time_ms + 999) * 1_000_000), np.append(values[second], 1.0), quality)
        )
    return batches


def passing_ns() -> float:
    """CPU per value that is no fact, in batches of 5,000 with one fact each 83 values."""
    journal = Nowhere()
    assets = models(journal, 10)
    for n in range(5000):
        journal.add(Tag(f"press-0000/point_{n}"))
    intake = Intake(assets, journal.tags)
    rng = np.random.default_rng(1)
    n = 5000
    tag = (61 + rng.permutation(n)).astype(np.int32)
    facts = tag.copy()
    facts[::83] = 1 + np.arange(len(facts[::83])) % 60
    time_ns = np.full(n, START_MS * 1_000_000, np.int64)
    value, quality = np.ones(n), np.full(n, GOOD, np.uint8)
    started = time.process_time_ns()
    rounds = 2000
    for position in range(1, rounds + 1):
        intake.take(position, Batch(facts, time_ns, value, quality))
        if position % 600 == 0:
            intake.drain()
    return (time.process_time_ns() - started) / rounds / n


async def load(assets: int, seconds: int, folder: Path) -> dict[str, float]:
    """CPU of the whole engine over some simulated minutes, live numbers on."""
    journal = Nowhere()
    found = models(journal, assets)
    site = Site("plant", "UTC", {name: model.line for name, model in found.items()})
    path = folder / f"kpi-{assets}.db"
    engine = Engine(path, found, site, Factors(), journal, SystemClock(), commit_every_s=0.0)  # type: ignore[arg-type]
    batches = second_by_second(assets, seconds)
    started = time.process_time()
    for position, batch in enumerate(batches, 1):
        await engine.take([Record(position, "plc", position, 0, batch)])
    await engine.flush()
    cpu_s = time.process_time() - started
    await engine.close()
    db = apsw.Connection(str(path))
    size = db.execute("SELECT sum(length(body)) FROM fact").fetchall()[0][0]
    db.close()
    facts = assets * 5 * seconds
    return {"cpu_s": cpu_s, "per_fact_us": cpu_s / facts * 1e6, "share": cpu_s / seconds, "bytes": size / facts}


def recompute_s() -> float:
    """One asset-day, six roles at 1 s, from facts in memory."""
    journal = Nowhere()
    (model,) = models(journal, 1).values()
    seconds = 86_400
    times = START_MS + 1000 * np.arange(seconds)
    facts = {role: Series.of(times + n, column(role, seconds, 1)[:, 0]) for n, role in enumerate(ROLES[:5])}
    started = time.process_time()
    derive(model, facts, {}, (START_MS, START_MS + 86_400_000), START_MS + 86_400_000)
    return time.process_time() - started


def hour_bytes() -> float:
    """Bytes per fact in a full hour chunk, over all roles."""
    times = START_MS + 1000 * np.arange(3600) + np.random.default_rng(3).integers(0, 3, 3600)
    sizes = [len(encode(Series.of(times, column(role, 3600, 1)[:, 0]))) for role in ROLES[:5]]
    return sum(sizes) / (5 * 3600)


def main() -> None:
    """Runs everything; about half a minute."""
    with tempfile.TemporaryDirectory() as name:
        small = asyncio.run(load(10, 600, Path(name)))
        large = asyncio.run(load(1000, 180, Path(name)))
    figures = {
        "bench": "kpi",
        "us_per_passing_value": round(passing_ns() / 1000, 4),
        "us_per_fact_10_assets": round(small["per_fact_us"], 2),
        "us_per_fact_1000_assets": round(large["per_fact_us"], 2),
        "core_share_10_assets": round(small["share"], 4),
        "core_share_1000_assets": round(large["share"], 4),
        "asset_day_s": round(recompute_s(), 3),
        "bytes_per_fact_open_hour": round(small["bytes"], 2),
        "bytes_per_fact_full_hour": round(hour_bytes(), 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""A small plant for the engine's tests: its facts as journal records, and its minutes from scratch."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw
import numpy as np

from gateway.kpi.asset import AssetModel, Binding, Hold, TimeClass, fingerprint
from gateway.kpi.book import derive
from gateway.kpi.buckets import quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.engine import Engine
from gateway.kpi.factors import Factors
from gateway.kpi.facts import Series, text_code
from gateway.model import GOOD, Batch, Reason, Site, Tag, TagTable, TagType, bad, place
from gateway.ports import Delivery, Record
from tests.clock import VirtualClock

START = 1_780_000_020_000 // 60_000 * 60_000
STATES = {"EXECUTE": TimeClass.PRODUCING, "ABORTED": TimeClass.FAULT, "IDLE": TimeClass.IDLE, "SETUP": TimeClass.SETUP}
ASSETS = ("press", "weld")
Row = tuple[int, ...]
Readings = list[tuple[int, int, float | str | None]]
"""tag id, time in ms, value; None: a bad reading."""


@dataclass
class Inbox:
    """What the engine needs of a journal: gives ids, takes each seq once, acknowledges at once or when told."""

    tags: TagTable = field(default_factory=TagTable)
    seqs: set[int] = field(default_factory=set)
    readings: list[tuple[str, int, float, int]] = field(default_factory=list)
    broken: bool = False

    def add(self, tag: Tag) -> int:
        self.tags.add(len(self.tags) + 1, tag)
        return len(self.tags)

    async def register(self, tags: Iterable[Tag]) -> None:
        for tag in tags:
            self.add(tag)

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        assert producer == "kpi"
        if self.broken:
            raise ConnectionError("killed before the append")
        if seq not in self.seqs:
            assert seq is not None
            self.seqs.add(seq)
            for reading in delivery.batch:
                row = (self.tags[reading.tag].name, reading.time_ns // 1_000_000, reading.value, reading.quality)
                self.readings.append(row)
        if delivery.ack:
            delivery.ack()

    def bucket(self, asset: str, quantity: str) -> dict[int, int]:
        """minute → Σ of the ledger."""
        sums: dict[int, int] = {}
        for name, time_ms, value, _ in self.readings:
            if name == f"{asset}/bucket/{quantity}":
                sums[time_ms // 60_000] = sums.get(time_ms // 60_000, 0) + int(value)
        return sums

    def kpi(self, owner: str, window: str, kpi: str) -> list[tuple[int, int, float]]:
        """(start, revision, value) as published."""
        found = [(place(name), time_ms, value) for name, time_ms, value, _ in self.readings]
        return [
            (time_ms, at.revision, value)
            for at, time_ms, value in found
            if (at.measurement, at.owner, at.window, at.field) == ("kpi", owner, window, kpi)
        ]


@dataclass
class Kit:
    """Tags and models of a plant with one polled asset (press) and one that reports changes (weld)."""

    inbox: Inbox = field(default_factory=Inbox)
    calendar: Calendar = field(default_factory=lambda: Calendar.always("UTC"))

    def __post_init__(self) -> None:
        self.alive = self.inbox.add(Tag("gateway/alive", TagType.BOOL))
        self.session = {name: self.inbox.add(Tag(f"source/{name}/session", TagType.BOOL)) for name in ("plc", "cell")}
        self.ids = {
            f"{asset}/{role}": self.inbox.add(
                Tag(f"{asset}/{role}", TagType.TEXT if role == "state" else TagType.FLOAT)
            )
            for asset in ("press", "weld")
            for role in ("state", "total", "good", "energy", "power")
        }
        self.other = self.inbox.add(Tag("press/temperature"))
        self.site = Site("plant", "UTC", {"press": "hall", "weld": "hall"})
        self.models = {"press": self.model("press", Hold(True, 1000)), "weld": self.model("weld", Hold(False, 0, 3))}

    def model(self, asset: str, hold: Hold) -> AssetModel:
        def bound(role: str, **more: object) -> Binding:
            name = f"{asset}/{role}"
            return replace(Binding(role, self.ids[name], hold=hold, tag_name=name), **more)  # type: ignore[arg-type]

        bindings = {
            "state": bound("state", is_text=True),
            "total": bound("total", kind="counter", modulus=65536),
            "good": bound("good", kind="counter", modulus=65536),
            "energy": bound("energy", kind="counter", scale_to_si=1e6),
            "power": bound("power"),
        }
        model = AssetModel(asset, bindings, STATES, 1_000_000, self.calendar, 3000.0, "hall")
        return replace(model, hash=fingerprint(model))

    def reading(self, tag: str | int, time_ms: int, value: float | str | None) -> tuple[int, int, float | str | None]:
        return (tag if isinstance(tag, int) else self.ids[tag], time_ms, value)

    def run(self, seconds: int, start_ms: int = START, seed: int = 1) -> list[tuple[int, int, float | str | None]]:
        """Readings of both assets, sessions and the gateway's life over some seconds, in order of time."""
        rng = np.random.default_rng(seed)
        rows = [self.reading(self.session[name], start_ms, 1.0) for name in ("plc", "cell")]
        state, total, good, energy = "EXECUTE", 65500, 400, 12.0
        weld_state = ""
        for second in range(seconds):
            now = start_ms + 1000 * second + 137
            if rng.random() < 0.05:
                state = str(rng.choice(list(STATES)))
            total += 1 if state == "EXECUTE" else 0
            good += 1 if state == "EXECUTE" and rng.random() < 0.9 else 0
            energy += 0.004 if state == "EXECUTE" else 0.001
            rows += [self.reading("press/state", now, state), self.reading("press/total", now, total % 65536)]
            rows += [self.reading("press/good", now, good), self.reading("press/energy", now, round(energy, 4))]
            rows += [self.reading("press/power", now, 15.0), self.reading(self.other, now, 1.0)]
            if state != weld_state:
                weld_state = state
                rows.append(self.reading("weld/state", now + 11, state))
            if second % 7 == 0:
                rows += [self.reading("weld/total", now + 13, total), self.reading("weld/good", now + 13, good)]
            if second % 47 == 0:
                rows.append(self.reading("weld/energy", now + 17, round(energy, 4)))
            if second % 10 == 9:
                rows.append(self.reading(self.alive, now + 20, 1.0))
            if second % 30 == 29:
                rows += [self.reading(self.session[name], now + 21, 1.0) for name in ("plc", "cell")]
        return rows

    def batch(self, rows: Sequence[tuple[int, int, float | str | None]]) -> Batch:
        texts: dict[str, int] = {}
        values = [
            float(texts.setdefault(v, len(texts))) if isinstance(v, str) else 0.0 if v is None else v
            for _, _, v in rows
        ]
        return Batch(
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] * 1_000_000 for row in rows], np.int64),
            np.array(values, np.float64),
            np.array([bad(Reason.TIMEOUT) if row[2] is None else GOOD for row in rows], np.uint8),
            tuple(texts),
        )

    def records(
        self, rows: Sequence[tuple[int, int, float | str | None]], size: int = 50, first: int = 1
    ) -> list[Record]:
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        return [Record(first + n, "plc", n, 0, self.batch(part)) for n, part in enumerate(parts)]

    def scratch(
        self, rows: Iterable[tuple[int, int, float | str | None]], asset: str, from_ms: int, to_ms: int, horizon_ms: int
    ) -> dict[int, Row]:
        """The asset's minutes from all its readings at once."""
        rows = list(rows)
        model = self.models[asset]
        facts = {role: self.series(rows, b.tag) for role, b in model.bindings.items() if role != "power"}
        sessions = {tag: self.series(rows, tag) for tag in self.session.values()}
        first = min(int(series.time_ms[0]) for series in facts.values() if len(series))
        found = derive(model, facts, sessions, (max(from_ms, first), to_ms), horizon_ms).buckets
        return dict(zip(found.minute.tolist(), map(tuple, found.values.T.tolist()), strict=True))

    @staticmethod
    def series(rows: Iterable[tuple[int, int, float | str | None]], tag: int) -> Series:
        mine = [row for row in rows if row[0] == tag]
        values = [text_code(v) if isinstance(v, str) else 0.0 if v is None else v for _, _, v in mine]
        return Series.of([row[1] for row in mine], values, [row[2] is not None for row in mine])


def engine(kit: Kit, path: Path, **options: object) -> Engine:
    options.setdefault("commit_every_s", 0.0)
    return Engine(path, kit.models, kit.site, Factors(), kit.inbox, VirtualClock(), **options)  # type: ignore[arg-type]


async def fed(kit: Kit, path: Path, records: Sequence[Record], **options: object) -> None:
    """Opens an engine, hands it what it has not taken, and closes it."""
    one = await asyncio.to_thread(engine, kit, path, **options)
    for record in records:
        if record.position > one.position():
            await one.take([record])
    await one.flush()
    await one.close()


def rows_of(path: Path, owner: str, table: str = "minute") -> dict[int, Row]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    key = {"minute": "minute", "hour": "hour", "quarter": "quarter"}.get(table, "from_ms")
    found = db.execute(f"SELECT {key}, {', '.join(quantities)} FROM {table} WHERE asset = ?", (owner,)).fetchall()
    db.close()
    return {row[0]: tuple(row[1:]) for row in found}


def dump(path: Path, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}
    db.close()
    return found


def q(row: Row, name: str) -> int:
    return row[quantities.index(name)]


def total(rows: Mapping[int, Row], name: str) -> int:
    return sum(q(row, name) for row in rows.values())


def expected(kit: Kit, rows: Readings, path: Path, asset: str) -> dict[int, Row]:
    horizon = max(time for tag, time, _ in rows if tag == kit.alive or tag in kit.session.values())
    stored = rows_of(path, asset)
    last = (max(stored) + 1) * 60_000
    return kit.scratch(rows, asset, START - 3_600_000, last, horizon)


def assert_ledger_equals_buckets(kit: Kit, path: Path, asset: str) -> None:
    stored = rows_of(path, asset)
    for quantity in ("total", "good", "energy", "energy_producing", "time_producing", "planned", "time_unknown"):
        sums = {minute: value for minute, value in kit.inbox.bucket(asset, quantity).items() if value}
        assert sums == {minute: q(row, quantity) for minute, row in stored.items() if q(row, quantity)}, quantity


__all__ = [
    "ASSETS",
    "START",
    "Inbox",
    "Kit",
    "Readings",
    "Row",
    "assert_ledger_equals_buckets",
    "dump",
    "engine",
    "expected",
    "fed",
    "q",
    "rows_of",
    "total",
]

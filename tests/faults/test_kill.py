"""The gateway is killed again and again while plant and broker run on: nothing is lost, KPIs stay exact."""

import asyncio
import itertools
import json
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import apsw
import numpy as np
import pytest

from gateway.config import Config, load, models
from gateway.journal import NoJournal, open_readonly, read_ledger, read_tags
from gateway.kpi.engine import Engine
from gateway.kpi.intake import SESSION
from gateway.model import GOOD, UNCERTAIN, Batch, Tag, TagTable
from gateway.model.wire import decode
from gateway.ports import Delivery, Record
from tests.clock import VirtualClock
from tests.faults.mortal import PLACES
from tests.plant import demo_scenario
from tests.servers import Server, eventually, mosquitto, running

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

_PACK_04 = ("pack-04/state", "pack-04/total_count")
KILLS_PER_PLACE = 2
SPAN_S = 150  # long enough for whole minutes between the first and the last
PERIOD_MS = 200

CONFIG = """\
site: kill-test
sources:
  press:
    {{ kind: modbus, endpoint: "{modbus}", unit_id: 1, profile: lineside/machine, asset: press-01,
       poll: {{ fast: {period}ms, slow: 5s }} }}
  meter:
    {{ kind: modbus, endpoint: "{modbus}", unit_id: 2, profile: eastron/sdm630, asset: press-01,
       poll: {{ fast: {period}ms, slow: 5s }} }}
  cell:
    kind: mqtt
    broker: {broker}
    client_id: {client}
    time: $.ts
    tags:
      weld-03/state:       {{ topic: demo/weld-03/state,  path: $.state, type: string }}
      weld-03/total_count: {{ topic: demo/weld-03/counts, path: $.total, type: uint32, counter: true }}
      weld-03/good_count:  {{ topic: demo/weld-03/counts, path: $.good,  type: uint32, counter: true }}
      weld-03/energy:      {{ topic: demo/weld-03/energy, path: $.energy_kwh, type: float64, unit: kWh, counter: true }}
      witness/n:           {{ topic: witness/n, path: $.n, type: uint32, time: $.ts }}
  hall:  # no source time: stamped on arrival
    kind: mqtt
    broker: {broker}
    client_id: {client}-hall
    tags:
      pack-04/state:       {{ topic: demo/pack-04/state,  path: $.state, type: string }}
      pack-04/total_count: {{ topic: demo/pack-04/counts, path: $.total, type: uint32, counter: true }}
assets:
  press-01:
    state: {{ tag: state, producing: [EXECUTE], setup: [SETUP], fault: [ABORTED], idle: [IDLE, STOPPED, SUSPENDED] }}
    total: total_count
    good: good_count
    energy: {{ electricity: import_energy }}
    ideal_cycle_time: 800ms
  weld-03:
    state: {{ tag: state, producing: [EXECUTE], setup: [SETUP], fault: [ABORTED], idle: [IDLE, STOPPED, SUSPENDED] }}
    total: total_count
    good: good_count
    energy: {{ electricity: energy }}
    ideal_cycle_time: 600ms
  pack-04:
    state: {{ tag: state, producing: [EXECUTE], setup: [SETUP], fault: [ABORTED], idle: [IDLE, STOPPED, SUSPENDED] }}
    total: total_count
sinks:
  holds-the-journal: {{ kind: victoriametrics, url: "http://127.0.0.1:9" }}
board: {{ enabled: false }}
"""


@dataclass
class Run:
    """A gateway of this test: its config, and its process while it lives."""

    config: Path
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self, place: str = "never", count: int = 1) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "tests.faults.mortal", str(self.config), place, str(count)]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        return self.process

    async def end(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            return await self.process.wait()

    @property
    def journal(self) -> Path:
        return self.config.parent / "data/journal.db"

    def readings(self) -> int:
        """Readings in the journal so far."""
        try:
            db = open_readonly(self.journal)
        except NoJournal:
            return 0
        found = sum(producer.ingested for producer in read_ledger(db).producers)
        db.close()
        return found


@asynccontextmanager
async def prepared(folder: Path, modbus: str, broker: str) -> AsyncIterator[Run]:
    """A gateway that can be started; whatever happens, its process does not outlive the test."""
    folder.mkdir()
    config = folder / "site.yaml"
    config.write_text(CONFIG.format(modbus=modbus, broker=broker, client=folder.name, period=PERIOD_MS))
    gateway = Run(config, folder / "log")
    try:
        yield gateway
    finally:
        if gateway.process and gateway.process.returncode is None:
            gateway.process.kill()
            await gateway.process.wait()


@asynccontextmanager
async def plant(broker: Server, folder: Path) -> AsyncIterator[str]:
    """The simulated plant; yields the endpoint of press-01."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "simulators",
            "run",
            str(demo_scenario(folder, broker.port)),
            "--driven",
            "--no-broker",
        ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    try:
        yield json.loads(await process.stdout.readline())["faces"]["modbus-1"]
    finally:
        process.stdin.close()
        await process.wait()


@dataclass
class Publisher:
    """Publishes numbered messages; `acknowledged` are those that the broker has taken over."""

    broker: Server
    acknowledged: list[int] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            n = 0
            while not self.stopped.is_set():
                n += 1
                payload = json.dumps({"n": n, "ts": 1_700_000_000_000 + n})
                await client.publish("witness/n", payload, qos=1)
                self.acknowledged.append(n)
                await asyncio.sleep(0.005)


async def kill_again_and_again(victim: Run, dice: random.Random) -> list[str]:
    """Starts and kills the gateway at every place, and then at random moments; the places where it died."""
    places = [place for place in PLACES for _ in range(KILLS_PER_PLACE)]
    dice.shuffle(places)
    died = []
    end = time.monotonic() + SPAN_S
    while places or time.monotonic() < end:
        place = places.pop() if places and dice.random() < 0.7 else "any moment"
        if place == "any moment":
            process = await victim.start()
            await asyncio.sleep(dice.uniform(0.4, 9))
            process.kill()
        else:
            process = await victim.start(place, 1 if "kpi" in place else dice.randint(2, 8))
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL, victim.log.read_text()[-3000:]
        died.append(place)
    return died


def records(run: Run) -> tuple[TagTable, list[Record]]:
    """Everything that the journal holds."""
    db = open_readonly(run.journal)
    tags = read_tags(db)
    found = []
    for position, body in db.execute("SELECT position, body FROM batch ORDER BY position"):
        header, batch = decode(body)
        found.append(Record(position, header.source, header.seq, header.received_ns, batch))
    db.close()
    return tags, found


def minutes(kpi_db: Path, asset: str) -> dict[int, tuple[int, ...]]:
    """Minute → all its additive quantities."""
    db = apsw.Connection(str(kpi_db), flags=apsw.SQLITE_OPEN_READONLY)
    columns = [row[1] for row in db.execute("PRAGMA table_info(minute)")]
    wanted = [c for c in columns if c not in {"asset", "owner", "minute", "revision", "final", "model"}]
    owner = "asset" if "asset" in columns else "owner"
    rows = db.execute(f"SELECT minute, {', '.join(wanted)} FROM minute WHERE {owner} = ? ORDER BY minute", (asset,))
    found = {row[0]: tuple(row[1:]) for row in rows}
    db.close()
    assert "total" in wanted
    return found


@dataclass
class Nowhere:
    """Takes an engine's results and forgets them."""

    tags: TagTable

    async def register(self, tags: Iterable[Tag]) -> None:
        return

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        if delivery.ack:
            delivery.ack()


async def from_scratch(config: Config, tags: TagTable, taken: list[Record], path: Path, dice: random.Random) -> None:
    """kpi.db as a new engine makes it from the same readings in another order and other batches, some of them twice."""

    engine = Engine(path, models(config.root, tags), config.site, config.factors, Nowhere(tags), VirtualClock())
    pieces = [piece for record in taken if record.producer != "kpi" for piece in split(record.batch, dice)]
    pieces += dice.sample(pieces, len(pieces) // 10)
    dice.shuffle(pieces)
    for position, batch in enumerate(pieces, 1):
        await engine.take([Record(position, "any", position, 0, batch)])
    await engine.close()


def split(batch: Batch, dice: random.Random) -> list[Batch]:
    if len(batch) < 2:
        return [batch]
    first = np.arange(len(batch)) < dice.randint(1, len(batch) - 1)
    return [batch.where(first), batch.where(~first)]


def column(batch_list: list[Record], tags: TagTable, name: str) -> list[tuple[int, float]]:
    """(ms, value) of one tag, in order of time; ids of older definitions of the name included."""
    ids = [tag_id for tag_id, tag in tags if tag.name == name]
    found = []
    for record in batch_list:
        mask = np.isin(record.batch.tag, ids)
        found += zip((record.batch.time_ns[mask] // 1_000_000).tolist(), record.batch.value[mask].tolist(), strict=True)
    return sorted(found)


async def test_kills_at_every_step_lose_nothing_and_change_no_bucket(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    with running(mosquitto(tmp_path)) as broker:
        async with (
            plant(broker, tmp_path) as modbus,
            prepared(tmp_path / "victim", modbus, broker.url) as victim,
            prepared(tmp_path / "witness", modbus, broker.url) as witness,
            asyncio.TaskGroup() as tasks,
        ):
            await witness.start()
            await victim.start()
            await eventually(lambda: victim.readings() > 100 and witness.readings() > 100, 20)
            both_up_ms = time.time() * 1000
            publisher = Publisher(broker)
            publishing = tasks.create_task(publisher.run())
            assert victim.process
            victim.process.kill()
            await victim.process.wait()
            died = await kill_again_and_again(victim, dice)
            await victim.start()
            before = victim.readings()
            await eventually(lambda: victim.readings() > before + 200, 20)
            publisher.stopped.set()
            await publishing
            last = publisher.acknowledged[-1]
            await eventually(lambda: _has(victim, last), 30)
            assert await victim.end() == 0
            assert await witness.end() == 0

    assert len(died) >= 20
    assert set(PLACES) <= set(died)
    tags, taken = await asyncio.to_thread(records, victim)
    numbers = {int(value) for _, value in column(taken, tags, "witness/n")}
    assert set(publisher.acknowledged) <= numbers

    config = await asyncio.to_thread(load, victim.config)
    await from_scratch(config, tags, taken, tmp_path / "scratch.db", dice)
    for asset in ("press-01", "weld-03", "pack-04"):
        live = minutes(victim.journal.with_name("kpi.db"), asset)
        assert len(live) >= 2
        assert live == minutes(tmp_path / "scratch.db", asset), f"(a) {asset}: buckets differ from those from scratch"

    undisturbed = minutes(witness.journal.with_name("kpi.db"), "weld-03")
    disturbed = minutes(victim.journal.with_name("kpi.db"), "weld-03")
    common = sorted(m for m in undisturbed.keys() & disturbed.keys() if m * 60_000 >= both_up_ms)
    assert common
    assert {m: disturbed[m] for m in common} == {m: undisturbed[m] for m in common}, "(b) source-timed buckets differ"

    _unknown_is_the_outage(victim, tags, taken)
    _unknown_is_the_absence(victim, tags, taken)


def _has(run: Run, number: int) -> bool:
    tags, taken = records(run)
    return any(value == number for _, value in column(taken[-400:], tags, "witness/n"))


def _unknown_is_the_outage(victim: Run, tags: TagTable, taken: list[Record]) -> None:
    """(c) For the polled machine each silence is unknown, to the ms, after the hold time; the counter bridges it."""
    facts = [at for at, _ in column(taken, tags, "press-01/state")]
    counts = column(taken, tags, "press-01/total_count")
    db = apsw.Connection(str(victim.journal.with_name("kpi.db")), flags=apsw.SQLITE_OPEN_READONLY)
    unknown_us, total, last = db.execute(
        "SELECT sum(time_unknown), sum(total), max(minute) FROM minute WHERE asset = 'press-01'"
    ).fetchone()
    db.close()
    end = (last + 1) * 60_000
    inside = [at for at in facts if at < end]
    gaps = [after - before for before, after in itertools.pairwise([*inside, end])]
    roles = ("state", "total_count", "good_count", "import_energy")
    first = min(at for role in roles for at, _ in column(taken, tags, f"press-01/{role}")[:1])
    silent_ms = facts[0] - first + sum(max(0, gap - 3 * PERIOD_MS) for gap in gaps)
    assert silent_ms > 2_000
    assert unknown_us == 1000 * silent_ms
    shown = [value for at, value in counts if at < end]
    assert total == shown[-1] - shown[0]


def _unknown_is_the_absence(victim: Run, tags: TagTable, taken: list[Record]) -> None:
    """(c) For the machine stamped on arrival, time from the last proof of life to the next connection is unknown."""
    ids = {name: [tag_id for tag_id, tag in tags if tag.name == name] for name in (f"source/hall/{SESSION}", *_PACK_04)}
    proofs: set[int] = set()
    begins: set[int] = set()
    for record in taken:
        for reading in record.batch:
            at_ms = reading.time_ns // 1_000_000
            if reading.quality < UNCERTAIN or not any(reading.tag in known for known in ids.values()):
                continue
            proofs.add(at_ms)
            if reading.tag in ids[f"source/hall/{SESSION}"] and reading.quality != GOOD:
                begins.add(at_ms)
    state_ms = column(taken, tags, "pack-04/state")[0][0]
    total_ms = column(taken, tags, "pack-04/total_count")[0][0]
    db = apsw.Connection(str(victim.journal.with_name("kpi.db")), flags=apsw.SQLITE_OPEN_READONLY)
    unknown_us, total, last = db.execute(
        "SELECT sum(time_unknown), sum(total), max(minute) FROM minute WHERE asset = 'pack-04'"
    ).fetchone()
    db.close()
    end = (last + 1) * 60_000
    absent_ms = max(0, state_ms - total_ms)
    for before, after in itertools.pairwise(sorted(proofs)):
        if after in begins and before >= state_ms:
            absent_ms += max(0, min(after, end) - before)
    assert absent_ms > 2_000
    assert unknown_us == 1000 * absent_ms
    shown = [value for at, value in column(taken, tags, "pack-04/total_count") if at < end]
    assert total == shown[-1] - shown[0]

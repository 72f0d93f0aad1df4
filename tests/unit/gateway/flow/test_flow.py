"""Supervision of sources and sinks, on a clock that the test moves."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping

import numpy as np
import pytest

from gateway.flow import Backoff, Link, Presence, deliver, follow, ingest, prove_life
from gateway.model import GOOD, Batch, Reason, Tag, TagTable, uncertain
from gateway.ports import Delivery, NotConnected, Outcome, Record, Rejected
from tests.clock import VirtualClock, settle

SESSION = 9
TAGS = TagTable([(1, Tag("press/power")), (SESSION, Tag("source/plc/session"))])


def batch(*values: float) -> Batch:
    n = len(values)
    return Batch(np.full(n, 1, np.int32), np.arange(n), np.array(values, np.float64), np.full(n, GOOD, np.uint8))


class MemoryJournal:
    """The port over a list; enough to see what flow does."""

    def __init__(self, *batches: Batch) -> None:
        self.records = [Record(i + 1, "plc", i + 1, 0, item) for i, item in enumerate(batches)]
        self.appended: list[tuple[str, Batch]] = []
        self.acked: list[tuple[int, Outcome | None]] = []

    async def append(self, delivery: Delivery, producer: str, seq: int | None = None) -> None:
        self.appended.append((producer, delivery.batch))

    async def read(self, consumer: str, after: int | None = None) -> list[Record]:
        found = [r for r in self.records if r.position > (after or 0)][:1]
        if not found:
            await asyncio.Event().wait()
        return found

    async def ack(self, consumer: str, position: int, outcome: Outcome | None = None) -> None:
        self.acked.append((position, outcome))


class ScriptedSource:
    """Connects or fails, and delivers, as its script says."""

    name = "plc"

    def __init__(self, *script: str | Batch) -> None:
        self.script = list(script)
        self.connects: list[float] = []
        self.closed = 0

    async def connect(self) -> None:
        if self.script and self.script[0] == "refuse":
            self.script.pop(0)
            raise NotConnected("connection refused")

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while self.script:
            item = self.script.pop(0)
            if not isinstance(item, Batch):
                raise NotConnected(item)
            yield Delivery(item)
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def presence_values(journal: MemoryJournal) -> list[float]:
    return [item.value[0] for _, item in journal.appended if item.tag[0] == SESSION]


async def test_a_source_that_is_not_there_is_tried_again_and_its_session_is_journalled() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    source = ScriptedSource("refuse", "refuse", batch(1), "reset by peer", batch(2))
    link = Link("plc", clock)
    task = asyncio.create_task(ingest(source, journal, clock, link, Presence(SESSION, clock)))
    await settle()
    assert not link.up
    assert link.reason == "connection refused"
    await clock.advance(60)
    assert link.up
    assert presence_values(journal) == [0.0, 1.0, 0.0, 1.0]  # down once, however often it was tried
    assert [item.value[0] for _, item in journal.appended if item.tag[0] == 1] == [1.0, 2.0]
    assert (link.readings, link.losses) == (2, 1)
    await stop(task)
    assert source.closed


class KeptSource(ScriptedSource):
    """Its broker has kept the session from the second connection on."""

    resumed = False

    async def deliveries(self) -> AsyncIterator[Delivery]:
        async for delivery in super().deliveries():
            self.resumed = True
            yield delivery


async def test_the_first_proof_of_a_connection_says_whether_what_happened_before_it_is_still_to_come() -> None:
    kept, missing = uncertain(Reason.NOT_CONNECTED), uncertain(Reason.MISSING)
    for source, expected in ((KeptSource(batch(1), "lost"), [missing, kept]), (ScriptedSource("lost"), [missing] * 2)):
        clock, journal = VirtualClock(), MemoryJournal()
        link = Link("plc", clock)
        task = asyncio.create_task(ingest(source, journal, clock, link, Presence(SESSION, clock)))
        await clock.advance(60)
        await stop(task)
        ups = [item.quality[0] for _, item in journal.appended if item.tag[0] == SESSION and item.value[0]]
        assert ups == expected


async def test_only_connected_sources_prove_their_life() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    up, down = Link("plc", clock), Link("cell", clock)
    up.connected()
    presences = [(up, Presence(SESSION, clock)), (down, Presence(8, clock))]
    task = asyncio.create_task(prove_life(journal, clock, presences))
    await clock.advance(95)
    await stop(task)
    assert [(name, item.tag[0]) for name, item in journal.appended] == [("plc", SESSION)] * 3


class PickySink:
    """Rejects negative values, drops 0 as unstorable, and may be unreachable for a while."""

    name = "store"

    def __init__(self, unreachable: int = 0) -> None:
        self.written: list[float] = []
        self.unreachable = unreachable

    async def connect(self) -> None:
        if self.unreachable:
            self.unreachable -= 1
            raise NotConnected("refused")

    async def write(self, batch: Batch) -> Mapping[str, int]:
        rows = np.flatnonzero(batch.value < 0)
        if len(rows):
            raise Rejected(rows[:1].tolist(), "negative")
        self.written += batch.value[batch.value > 0].tolist()
        return {"zero": int((batch.value == 0).sum())} if (batch.value == 0).any() else {}

    async def close(self) -> None:
        return


async def test_rejected_rows_are_dead_lettered_and_the_rest_is_delivered() -> None:
    clock, journal = VirtualClock(), MemoryJournal(batch(1, -2, 3, -4, 0), batch(5))
    sink = PickySink(unreachable=2)
    task = asyncio.create_task(deliver(sink, journal, clock, Link("store", clock), TAGS))
    await clock.advance(30)
    await stop(task)
    assert sink.written == [1, 3, 5]
    position, outcome = journal.acked[0]
    assert position == 1
    assert outcome is not None
    assert [(dead.value.tolist(), reason) for dead, reason in outcome.dead] == [([-2], "negative"), ([-4], "negative")]
    assert outcome.dropped == {"zero": 1}
    assert journal.acked[1] == (2, None)


class HangingSink(PickySink):
    async def write(self, batch: Batch) -> Mapping[str, int]:
        await asyncio.Event().wait()
        return {}


async def test_a_hanging_sink_ends_when_it_is_told_to() -> None:
    clock, journal = VirtualClock(), MemoryJournal(batch(1))
    task = asyncio.create_task(deliver(HangingSink(), journal, clock, Link("store", clock), TAGS))
    await settle()
    await stop(task)
    assert task.cancelled()
    assert journal.acked == []


class FullConsumer:
    """Its disk refuses at first."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.refusals = 2

    def position(self) -> int:
        return 1

    async def take(self, records: list[Record]) -> int:
        if self.refusals:
            self.refusals -= 1
            raise OSError("disk full")
        self.taken += [value for record in records for value in record.batch.value.tolist()]
        return records[-1].position

    async def close(self) -> None:
        return


async def test_a_consumer_reads_on_from_its_own_cursor_and_is_tried_again_when_its_disk_refuses() -> None:
    clock, journal, consumer = VirtualClock(), MemoryJournal(batch(1), batch(2)), FullConsumer()
    link = Link("history", clock)
    task = asyncio.create_task(follow(consumer, "history", journal, clock, link))
    await clock.advance(30)
    await stop(task)
    assert consumer.taken == [2]
    assert journal.acked == [(2, None)]
    assert link.position == 2


def test_waiting_times_double_to_a_limit_and_start_anew_after_a_stable_connection() -> None:
    backoff = Backoff(first_s=1, longest_s=60, random=random.Random(1))
    waits = [backoff.next_s() for _ in range(10)]
    for wait, ceiling in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    backoff.held(3)
    assert backoff.next_s() >= 30
    backoff.held(60)
    assert backoff.next_s() <= 1


def test_only_changes_of_a_connection_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    link = Link("plc", VirtualClock())
    for _ in range(5):
        link.lost("refused")
    link.connected()
    link.connected()
    assert [record.message for record in caplog.records] == ["not connected: refused", "connected"]


class AilingSource(ScriptedSource):
    """Delivers what it is handed, and is in trouble while that is 0."""

    trouble = ""

    def __init__(self) -> None:
        super().__init__()
        self.handed: asyncio.Queue[Batch] = asyncio.Queue()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            found = await self.handed.get()
            self.trouble = "" if found.value[0] else "refuses everything"
            yield Delivery(found)


async def test_a_source_in_trouble_counts_as_down_and_says_why_until_it_is_well_again() -> None:
    clock, journal, source = VirtualClock(), MemoryJournal(), AilingSource()
    link = Link("plc", clock)
    task = asyncio.create_task(ingest(source, journal, clock, link, Presence(SESSION, clock)))
    for value, state in ((1, (True, "")), (0, (False, "refuses everything")), (0, (False, "refuses everything"))):
        source.handed.put_nowait(batch(value))
        await settle()
        assert (link.up, link.reason) == state
    assert presence_values(journal) == [1.0, 0.0]
    source.handed.put_nowait(batch(1))
    await settle()
    assert (link.up, link.losses, link.readings) == (True, 1, 4)
    assert presence_values(journal) == [1.0, 0.0, 1.0]
    await stop(task)

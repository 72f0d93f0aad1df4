"""From the journal to a consumer: read after its cursor, hand over, move the cursor."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from gateway.flow.backoff import Backoff
from gateway.flow.link import Link
from gateway.model import Batch, TagTable
from gateway.ports import Clock, Consumer, Journal, NotConnected, Outcome, Record, Rejected, Sink

_WRITE_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 2.0


async def deliver(sink: Sink, journal: Journal, clock: Clock, link: Link, tags: TagTable) -> None:
    """Supervises one sink for ever: what it has accepted is acknowledged, what it never will is dead-lettered."""
    backoff = Backoff()
    position: int | None = None
    connected_at = clock.monotonic()
    try:
        while True:
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT_S):
                    await sink.connect()
                connected_at = clock.monotonic()
                link.connected()
                while True:
                    records = await journal.read(sink.name, position)
                    batch = Batch.concat([record.batch for record in records], tags.is_text())
                    outcome = await _write(sink, batch)
                    position = link.position = records[-1].position
                    link.readings += len(batch)
                    await journal.ack(sink.name, position, outcome)
            except (NotConnected, TimeoutError) as exc:
                if link.up:
                    backoff.held(clock.monotonic() - connected_at)
                link.lost(str(exc) or f"no answer within {_WRITE_TIMEOUT_S:.0f} s")
            await sink.close()
            await clock.sleep(backoff.next_s())
    finally:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await sink.close()


async def _write(sink: Sink, batch: Batch) -> Outcome | None:
    """Writes a batch; rows that the sink rejects are taken out, and the rest is written again."""
    dead: list[tuple[Batch, str]] = []
    dropped: Mapping[str, int] = {}
    while len(batch):
        try:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                dropped = await sink.write(batch)
            break
        except Rejected as rejected:
            mask = np.zeros(len(batch), bool)
            mask[list(rejected.rows)] = True
            dead.append((batch.where(mask), rejected.reason))
            batch = batch.where(~mask)
    return Outcome(tuple(dead), dropped) if dead or dropped else None


async def follow(consumer: Consumer, name: str, journal: Journal, clock: Clock, link: Link) -> None:
    """Feeds a consumer that keeps its own cursor; while its disk refuses, tries again."""
    backoff = Backoff()
    position = link.position = consumer.position()
    link.connected()
    while True:
        records = await journal.read(name, position)
        while (durable := await _take(consumer, records, link)) is None:
            await clock.sleep(backoff.next_s())
        backoff.held(backoff.stable_s)
        position = link.position = records[-1].position
        await journal.ack(name, durable)


async def _take(consumer: Consumer, records: Sequence[Record], link: Link) -> int | None:
    try:
        durable = await consumer.take(records)
    except OSError as exc:
        link.lost(f"cannot write: {exc}")
        return None
    link.connected()
    link.readings += sum(len(record.batch) for record in records)
    return durable

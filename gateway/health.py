"""The gateway's own health: its proof of life and its counters, journalled like any other readings."""

import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.flow.link import Link
from gateway.journal import Ledger, SqliteJournal
from gateway.model import BatchBuilder, Tag, TagType
from gateway.ports import Clock, Delivery

_PRODUCER = "gateway"
_ALIVE_EVERY_S = 10.0
_COUNTERS_EVERY_S = 60.0
ALIVE = Tag("gateway/alive", TagType.BOOL)
JOURNAL_BYTES = Tag("gateway/journal_bytes", TagType.INT, "B")
WAITING_BYTES = Tag("gateway/waiting_bytes", TagType.INT, "B")
LOST_READINGS = Tag("gateway/lost_readings", TagType.INT)
REFUSED_FACTS = Tag("gateway/refused_facts", TagType.INT)
DEAD_LETTERS = Tag("gateway/dead_letters", TagType.INT)
PEAK_RSS_BYTES = Tag("gateway/peak_rss_bytes", TagType.INT, "B")


def counter(source: str, what: str) -> Tag:
    """One of a source's own counters since the start."""
    return Tag(f"source/{source}/{what}", TagType.FLOAT, counter=True, source=source)


def lag(consumer: str) -> Tag:
    """Readings that a consumer of the journal has not taken yet."""
    return Tag(f"gateway/lag_{consumer}", TagType.INT)


def dropped(consumer: str) -> Tag:
    """Readings that a consumer of the journal never got, for whatever reason; `lineside status` tells the reasons."""
    return Tag(f"gateway/dropped_{consumer}", TagType.INT)


@dataclass(frozen=True, slots=True)
class Health:
    """What the gateway knows about itself.

    sources, consumers  the links that `flow` keeps
    refused             how many readings the KPI engine refused as too old
    counters            source name → what that source counts about itself, see `Source.counters`
    """

    journal: SqliteJournal
    clock: Clock
    sources: Sequence[Link]
    consumers: Sequence[Link]
    refused: Callable[[], int]
    counters: dict[str, Callable[[], Mapping[str, float]]] = field(default_factory=dict)

    async def report(self) -> None:
        """Journals the proof of life every 10 s, and once a minute the counters with it; for ever."""
        await self.journal.register([ALIVE])
        counters_at = self.clock.monotonic()
        while True:
            counted = self.clock.monotonic() >= counters_at
            builder = BatchBuilder()
            builder.add(self._id(ALIVE), self.clock.wall_ns(), 1.0)
            if counted:
                counters_at += _COUNTERS_EVERY_S
                await self._count(builder, await self.journal.ledger())
            await self.journal.append(Delivery(builder.build()), _PRODUCER)
            await self.clock.sleep(_ALIVE_EVERY_S)

    async def snapshot(self) -> dict[str, object]:
        """The state of journal, sources and sinks for board and terminal."""
        ledger = await self.journal.ledger()
        accounts = {account.consumer: account for account in ledger.accounts}
        return {
            "journal": {
                "bytes": ledger.bytes,
                "max_bytes": self.journal.max_bytes,
                "batches": ledger.batches,
                "blocked": self.journal.blocked,
                "dead_letters": ledger.dead_letters,
                "ingested": sum(p.ingested for p in ledger.producers),
                "lost": sum(p.lost for p in ledger.producers),
            },
            "sources": [_link(link) | {"readings": link.readings, "rejects": link.rejects} for link in self.sources],
            "sinks": [
                _link(link)
                | {
                    "lag_readings": accounts[link.name].buffered if link.position < ledger.newest else 0,
                    "delivered": accounts[link.name].delivered,
                    "dead": accounts[link.name].dead,
                    "dropped": accounts[link.name].dropped,
                }
                for link in self.consumers
                if link.name in accounts
            ],
        }

    def _id(self, tag: Tag) -> int:
        return self.journal.tags.id_of(tag.name)

    async def _count(self, builder: BatchBuilder, ledger: Ledger) -> None:
        values: dict[Tag, float] = {
            JOURNAL_BYTES: ledger.bytes,
            WAITING_BYTES: self.journal.waiting_bytes(),
            LOST_READINGS: sum(producer.lost for producer in ledger.producers),
            DEAD_LETTERS: ledger.dead_letters,
            REFUSED_FACTS: self.refused(),
            PEAK_RSS_BYTES: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        for link in self.sources:
            own = self.counters[link.name]() if link.name in self.counters else {}
            counted = {"readings": link.readings, "rejects": link.rejects, "losses": link.losses}
            values |= {counter(link.name, what): value for what, value in (counted | dict(own)).items()}
        buffered = {account.consumer: account.buffered for account in ledger.accounts}
        values |= {lag(link.name): buffered.get(link.name, 0) for link in self.consumers}
        values |= {dropped(a.consumer): sum(a.dropped.values()) for a in ledger.accounts if a.active}
        await self.journal.register(values)
        for tag, value in values.items():
            builder.add(self._id(tag), self.clock.wall_ns(), value)


def _link(link: Link) -> dict[str, object]:
    state = "up" if link.up else "down"
    return {"name": link.name, "state": state, "reason": link.reason, "since_ms": link.since_ns // 1_000_000}

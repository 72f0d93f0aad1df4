"""The gateway's own health: its proof of life and its counters, journalled like any other readings."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass

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
PEAK_RSS_BYTES = Tag("gateway/peak_rss_bytes", TagType.INT, "B")


def source_tags(source: str) -> tuple[Tag, ...]:
    """Counters of one source since the start."""
    return tuple(
        Tag(f"source/{source}/{what}", TagType.INT, counter=True, source=source)
        for what in ("readings", "rejects", "losses")
    )


def lag(consumer: str) -> Tag:
    """Readings that a consumer of the journal has not taken yet."""
    return Tag(f"gateway/lag_{consumer}", TagType.INT)


@dataclass(frozen=True, slots=True)
class Health:
    """What the gateway knows about itself; `sources` and `consumers` are the links that `flow` keeps."""

    journal: SqliteJournal
    clock: Clock
    sources: Sequence[Link]
    consumers: Sequence[Link]

    def tags(self) -> list[Tag]:
        """Every tag that `report` writes."""
        own = [ALIVE, JOURNAL_BYTES, WAITING_BYTES, PEAK_RSS_BYTES]
        counters = [tag for link in self.sources for tag in source_tags(link.name)]
        return own + counters + [lag(link.name) for link in self.consumers]

    async def report(self) -> None:
        """Journals the proof of life every 10 s, and once a minute the counters with it; for ever."""
        counters_at = self.clock.monotonic()
        while True:
            counted = self.clock.monotonic() >= counters_at
            builder = BatchBuilder()
            builder.add(self._id(ALIVE), self.clock.wall_ns(), 1.0)
            if counted:
                counters_at += _COUNTERS_EVERY_S
                self._count(builder, await self.journal.ledger())
            await self.journal.append(Delivery(builder.build()), _PRODUCER)
            await self.clock.sleep(_ALIVE_EVERY_S)

    async def snapshot(self) -> dict[str, object]:
        """The state of journal, sources and sinks for board and terminal."""
        ledger = await self.journal.ledger()
        accounts = {account.consumer: account for account in ledger.accounts}
        return {
            "journal": {
                "bytes": ledger.bytes,
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

    def _count(self, builder: BatchBuilder, ledger: Ledger) -> None:
        now = self.clock.wall_ns()
        builder.add(self._id(JOURNAL_BYTES), now, ledger.bytes)
        builder.add(self._id(WAITING_BYTES), now, self.journal.waiting_bytes())
        builder.add(self._id(PEAK_RSS_BYTES), now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        for link in self.sources:
            for tag, value in zip(source_tags(link.name), (link.readings, link.rejects, link.losses), strict=True):
                builder.add(self._id(tag), now, value)
        buffered = {account.consumer: account.buffered for account in ledger.accounts}
        for link in self.consumers:
            builder.add(self._id(lag(link.name)), now, buffered.get(link.name, 0))


def _link(link: Link) -> dict[str, object]:
    state = "up" if link.up else "down"
    return {"name": link.name, "state": state, "reason": link.reason, "since_ms": link.since_ns // 1_000_000}

"""From a source into the journal: connect, deliver, and when the connection is lost, back off and connect again."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from gateway.flow.backoff import Backoff
from gateway.flow.link import Link
from gateway.model import GOOD, Batch, Reason, bad, uncertain
from gateway.ports import Clock, Delivery, Journal, NotConnected, Source

_CONNECT_TIMEOUT_S = 30.0
_LONGEST_WAIT_S = 15.0  # a machine on the same network: its first minutes after a stop matter
_SETTLE_S = 1.0


@runtime_checkable
class Resuming(Protocol):
    """A source to whom the other side sends what happened while we were away."""

    @property
    def resumed(self) -> bool:
        """The connection goes on with the session before it, nothing of which is lost."""
        ...


@runtime_checkable
class Ailing(Protocol):
    """A source that may be connected and yet give nothing of any use."""

    @property
    def trouble(self) -> str:
        """Why that is so; "" where it is not."""
        ...


@dataclass(frozen=True, slots=True)
class Presence:
    """The proof of life of one source: readings of its `source/<name>/session` tag."""

    tag: int
    clock: Clock

    def up(self) -> Batch:
        """The session is up now."""
        return self._reading(1.0, GOOD)

    def up_again(self, resumed: bool) -> Batch:
        """The session is up, but was not until now; not resumed: what happened before is missing."""
        return self._reading(1.0, uncertain(Reason.NOT_CONNECTED if resumed else Reason.MISSING))

    def down(self) -> Batch:
        """The session is lost."""
        return self._reading(0.0, bad(Reason.NOT_CONNECTED))

    def _reading(self, value: float, quality: int) -> Batch:
        return Batch(
            np.array([self.tag], np.int32),
            np.array([self.clock.wall_ns()], np.int64),
            np.array([value], np.float64),
            np.array([quality], np.uint8),
        )


async def ingest(source: Source, journal: Journal, clock: Clock, link: Link, presence: Presence | None) -> None:
    """Supervises one source for ever; its session's ups and downs are journalled in order with its readings.

    presence: None: the source proves nobody's life.
    """
    backoff = Backoff(longest_s=_LONGEST_WAIT_S)
    connected_at = clock.monotonic()
    tried = False
    try:
        while True:
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    await source.connect()
                connected_at = clock.monotonic()
                link.connected()
                resumed = isinstance(source, Resuming) and source.resumed
                if presence:
                    await journal.append(Delivery(presence.up_again(resumed)), source.name)
                await _pump(source, journal, link, presence)
            except (NotConnected, TimeoutError) as exc:
                if link.up:
                    backoff.held(clock.monotonic() - connected_at)
                if presence and (link.up or not tried):
                    await journal.append(Delivery(presence.down()), source.name)
                link.lost(str(exc) or "no answer in time")
            tried = True
            await source.close()
            await clock.sleep(backoff.next_s())
    finally:
        await source.close()


async def _pump(source: Source, journal: Journal, link: Link, presence: Presence | None) -> None:
    """Delivers until the connection is lost; when told to end, lets what waits for its acknowledgement have it."""
    owed = _Owed()
    ailing = source if isinstance(source, Ailing) else None
    try:
        async with aclosing(source.deliveries()) as deliveries:  # type: ignore[type-var]
            async for delivery in deliveries:
                link.readings += len(delivery.batch)
                link.rejects += len(delivery.rejects)
                await journal.append(replace(delivery, ack=owed.watch(delivery.ack)), source.name)
                if ailing is not None and bool(ailing.trouble) == link.up:
                    await _turn(ailing.trouble, source.name, journal, link, presence)
    except asyncio.CancelledError:
        await owed.settled()
        raise
    raise NotConnected("the source ended")


async def _turn(trouble: str, name: str, journal: Journal, link: Link, presence: Presence | None) -> None:
    """A source that is connected got into trouble or out of it: what it says cannot be relied on, or can again."""
    if presence:
        await journal.append(Delivery(presence.down() if trouble else presence.up_again(resumed=False)), name)
    if trouble:
        link.lost(trouble)
    else:
        link.connected()


class _Owed:
    """Counts the acknowledgements that a source still waits for."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def watch(self, ack: Callable[[], None] | None) -> Callable[[], None] | None:
        """The same acknowledgement, counted."""
        if ack is None:
            return None
        self._count += 1
        self._none.clear()

        def counted() -> None:
            ack()
            self._count -= 1
            if not self._count:
                self._none.set()

        return counted

    async def settled(self) -> None:
        """Returns when nothing is owed, or after a second: the broker then sends it again, and nothing is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await self._none.wait()


async def prove_life(
    journal: Journal, clock: Clock, links: Sequence[tuple[Link, Presence]], every_s: float = 30.0
) -> None:
    """Journals `up` for every connected source again and again: without it nobody can vouch for the time."""
    while True:
        await clock.sleep(every_s)
        for link, presence in links:
            if link.up:
                await journal.append(Delivery(presence.up()), link.name)

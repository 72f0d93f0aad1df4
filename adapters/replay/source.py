"""A recorded file as a Source."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping

import numpy as np

from adapters.replay.config import ReplayConfig
from gateway.library import Library
from gateway.model import Batch, Reading, TagTable, TagType, is_usable
from gateway.ports import Clock, Delivery, NotConnected, Polled, Unusable
from gateway.recording import Reader, Wanted, open_recording

_log = logging.getLogger("lineside.replay")


class ReplaySource:
    """`ports.Source` that delivers a recording once per start; delivering it again changes no number."""

    def __init__(self, name: str, config: ReplayConfig, tags: TagTable) -> None:
        self.name = name
        self._config, self._tags = config, tags
        self._reader: Reader | None = None
        self._delivered = 0

    async def connect(self) -> None:
        """See `ports.Source`. NotConnected: the file cannot be read."""
        await self.close()
        try:
            self._reader = await asyncio.to_thread(open_recording, self._config.file, self._config.zone)
        except Unusable as exc:
            raise NotConnected(str(exc)) from exc

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """See `ports.Source`. After the last reading it waits, so that the recording is not delivered again."""
        assert self._reader
        pages = self._reader.pages(await asyncio.to_thread(self._wanted))
        while (batch := await self._next(pages)) is not None:
            self._delivered += len(batch)
            yield Delivery(batch)
        _log.info("%s: all %d readings of %s are delivered", self.name, self._delivered, self._config.file)
        await asyncio.Event().wait()

    def _wanted(self) -> dict[str, Wanted]:
        recorded = self._config.recorded()
        return {one.name: Wanted(self._tags.id_of(one.tag.name), one.tag.type) for one in recorded}

    async def _next(self, pages: Iterator[Batch]) -> Batch | None:
        try:
            return await asyncio.to_thread(next, pages, None)
        except Unusable as exc:
            raise NotConnected(str(exc)) from exc

    async def poll(self) -> list[Polled]:
        """The first reading of each tag. See `ports.Pollable`."""
        await self.connect()
        assert self._reader
        recorded = await asyncio.to_thread(self._config.recorded)
        names = {self._tags.id_of(one.tag.name): one.name for one in recorded}
        batch = await self._next(self._reader.pages(await asyncio.to_thread(self._wanted))) or Batch.empty()
        await self.close()
        first = {reading.tag: reading for reading in reversed(list(batch))}
        return [self._polled(first[tag], names[tag], batch) for tag in sorted(first)]

    def _polled(self, reading: Reading, name: str, batch: Batch) -> Polled:
        tag = self._tags[reading.tag]
        value = batch.text(reading.value) if tag.type is TagType.TEXT else reading.value
        shown = value if is_usable(np.array([reading.quality], np.uint8))[0] else None
        return Polled(tag, name, str(value), shown, reading.quality, reading.time_ns)

    def counters(self) -> Mapping[str, float]:
        """See `ports.Source`."""
        return {"delivered": self._delivered}

    async def close(self) -> None:
        """See `ports.Source`."""
        reader, self._reader = self._reader, None
        if reader:
            await asyncio.to_thread(reader.close)


def build(name: str, config: ReplayConfig, tags: TagTable, library: Library, clock: Clock) -> ReplaySource:
    """The Source for a config section; `tags` holds every tag of `config.tags(name, library)`."""
    return ReplaySource(name, config, tags)

"""A Modbus device as a Source: polls its groups on time and hands over batches."""

import logging
from collections.abc import AsyncIterator, Mapping
from itertools import groupby
from typing import Final
from zlib import crc32

import numpy as np

from adapters.modbus.config import Handling, ModbusConfig
from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Failure
from adapters.modbus.group import Device, Poll, PollGroup
from adapters.modbus.health import Health
from adapters.modbus.point import Point
from adapters.modbus.schedule import Schedule
from adapters.modbus.transport import User, endpoint
from gateway.library import Library
from gateway.model import Tag, TagTable, TagType
from gateway.model.quality import is_usable
from gateway.ports import Clock, Delivery, NotConnected, Polled

_LOG = logging.getLogger("lineside.modbus")

_SPREAD_S: Final = 5.0  # first polls come within this time at the latest
_IN_STEP: Final = 300  # polls in time after which an overrun is over: a dead unit of the line is asked more often


def build(name: str, config: ModbusConfig, tags: TagTable, library: Library, clock: Clock) -> "ModbusSource":
    """The source of a config section. UnknownName, ValueError: as `ModbusConfig.tags`; KeyError: a tag has no id."""
    return ModbusSource(name, config, config.resolve(library), config.handling(library), tags, clock, spread(name))


def spread(name: str) -> float:
    """Where in its period a source of this name polls, from 0 to 1: always the same, so that not all poll at once."""
    return crc32(name.encode()) / 2**32


class ModbusSource:
    """Reads one device over the connection that it shares with all sources of the same endpoint.

    `health` counts polls, overruns (slots that passed unread), time-outs, exceptions, bad replies, quarantined points,
    and how late polls begin.
    """

    def __init__(
        self,
        name: str,
        config: ModbusConfig,
        points: tuple[Point, ...],
        handling: Handling,
        tags: TagTable,
        clock: Clock,
        phase: float = 0.0,
    ) -> None:
        """phase: the part of its shortest period (of 5 s if that is less) that the source waits before its polls."""
        self.name = name
        self.health = Health()
        self._clock = clock
        self._table = tags
        self._endpoint = endpoint(config.locator, clock, config.tls)
        unit, timeout_s = config.unit_id, handling.timeout_s
        self._user = User(name, unit, handling.manners, timeout_s)
        self._device = Device(name, unit, timeout_s, handling.limits, self._endpoint, clock, self.health)
        periods = config.periods(points)
        self._phase_s = phase * min(_SPREAD_S, *periods.values())
        self._in_step = _IN_STEP
        self._periods = tuple(sorted(periods.values()))
        ordered = sorted(points, key=lambda point: (periods[point.group], point.group))
        grouped = [(group, tuple(members)) for group, members in groupby(ordered, key=lambda point: point.group)]
        self._groups = [PollGroup(group, members, self._device) for group, members in grouped]
        self._tags = [
            np.array([tags.id_of(f"{config.asset}/{point.name}") for point in members], np.int32)
            for _, members in grouped
        ]

    async def connect(self) -> None:
        """Connects, and returns once the device itself has answered a read. NotConnected: says why not."""
        await self._endpoint.join(self._user)
        read = next((group.first_read for group in self._groups if group.first_read), None)
        if read is None:
            return
        answer = (await self._endpoint.read([read], self._user.timeout_s))[0]
        if isinstance(answer, Failure) and answer.exception in {0, *GATEWAY_EXCEPTIONS}:
            self.health.count([answer])
            await self._endpoint.leave(self._user)
            raise NotConnected(f"{self._endpoint}: {answer.text}")

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """One delivery per poll of a group, on schedule. NotConnected: the connection or the device is gone."""
        schedule = Schedule(self._periods, self._clock.monotonic() + self._phase_s)
        while True:
            number, due = schedule.next()
            await self._clock.sleep(due - self._clock.monotonic())
            self.health.late(self._clock.monotonic() - due)
            poll = await self._poll(number)
            yield Delivery(poll.batch(self._tags[number]))
            if poll.silent or not self._endpoint.is_open:
                raise NotConnected(f"{self._endpoint}: {poll.silent or self._endpoint.why}")
            self._keep_step(schedule.done(number, self._clock.monotonic()))

    def _keep_step(self, skipped: int) -> None:
        """Counts slots that passed unread; says when that begins, and when it is over for good."""
        self.health.overruns += skipped
        if skipped and self._in_step >= _IN_STEP:
            _LOG.warning("%s: polls take longer than their period: some are skipped", self.name)
        if not skipped and self._in_step == _IN_STEP - 1:
            _LOG.info("%s: polls keep their period again", self.name)
        self._in_step = 0 if skipped else min(_IN_STEP, self._in_step + 1)

    @property
    def trouble(self) -> str:
        """Why nothing that it delivers is of any use though the device answers; "" where that is not so."""
        if not self._groups or not all(group.is_refused for group in self._groups):
            return ""
        return f"unit {self._user.unit} refuses every register: wrong profile or unit_id, or the device is starting"

    async def close(self) -> None:
        """Leaves the endpoint; the last source closes the connection."""
        await self._endpoint.leave(self._user)

    def counters(self) -> Mapping[str, float]:
        """See `ports.Source`."""
        return self.health.counters()

    async def poll(self) -> list[Polled]:
        """Reads every point once; connects first where that has not happened. NotConnected: nothing came back."""
        if not self._endpoint.is_open:
            await self.connect()
        rows: list[Polled] = []
        for number in range(len(self._groups)):
            poll = await self._poll(number)
            if poll.silent:
                raise NotConnected(f"{self._endpoint}: {poll.silent}")
            rows += self._polled(number, poll)
        return rows

    async def _poll(self, number: int) -> Poll:
        poll = await self._groups[number].poll()
        await self._endpoint.rest()
        self.health.polls += 1
        self.health.quarantined = sum(group.quarantined for group in self._groups)
        return poll

    def _polled(self, number: int, poll: Poll) -> list[Polled]:
        batch = poll.batch(self._tags[number])
        usable = is_usable(batch.quality)
        rows: list[Polled] = []
        for row, (point, reading) in enumerate(zip(self._groups[number].points, batch, strict=True)):
            tag: Tag = self._table[reading.tag]
            value = (
                None if not usable[row] else batch.text(reading.value) if tag.type is TagType.TEXT else reading.value
            )
            raw = poll.raw(row, point)
            rows.append(Polled(tag, point.where, raw, value, reading.quality, reading.time_ns))
        return rows

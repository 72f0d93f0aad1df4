"""A poll group: points that are read together, in the reads that their device accepts."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.codec import Decoder
from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Answer, Failure, Read, Reply
from adapters.modbus.health import Health
from adapters.modbus.plan import Block, Limits, plan
from adapters.modbus.point import Point
from adapters.modbus.transport import Endpoint
from gateway.model import Batch, Reason, bad
from gateway.ports import Clock

_LOG = logging.getLogger("lineside.modbus")

_NO_SUCH_ADDRESS: Final = frozenset({2, 3})  # how devices refuse a register that they do not have
_BUSY: Final = 6
_BUSY_RETRIES, _BUSY_PAUSE_S = 3, 0.1
_PROBE_S: Final = 60.0
_REPEATS: Final = 4  # merged, then without gaps, then alone, then without the guilty


@dataclass(frozen=True, slots=True)
class Device:
    """What all poll groups of one source share."""

    source: str
    unit: int
    timeout_s: float
    limits: Limits
    endpoint: Endpoint
    clock: Clock
    health: Health


@dataclass(frozen=True, slots=True)
class Layout:
    """The reads of a group and how their replies become a column."""

    blocks: tuple[Block, ...]
    reads: tuple[Read, ...]
    decoder: Decoder


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of a group: what came back to each read, and when it was over."""

    layout: Layout
    answers: Sequence[Answer]
    ended_ns: int
    silent: str  # why the device counts as gone: nothing at all came back; "" otherwise

    def batch(self, tags: NDArray[np.int32]) -> Batch:
        """The readings: good ones stamped with their reply's arrival, the points of failed reads bad."""
        blocks, decoder = self.layout.blocks, self.layout.decoder
        pairs = list(zip(blocks, self.answers, strict=True))
        image = b"".join([a.data if isinstance(a, Reply) else bytes(block.nbytes) for block, a in pairs])
        column = decoder.decode(image)
        for block, answer in pairs:
            if isinstance(answer, Failure):
                rows = list(block.points)
                column.value[rows], column.quality[rows] = np.nan, bad(answer.reason)
        times = np.array([*(answer.time_ns for answer in self.answers), self.ended_ns], np.int64)
        return Batch(tags, times[decoder.block_of], column.value, column.quality, column.texts)

    def raw(self, row: int, point: Point) -> str:
        """What the device sent for a point: `42C8 0000`, `1`; "" where it sent nothing."""
        number = self.layout.decoder.block_of.item(row)
        answer = self.answers[number] if number >= 0 else None
        if not isinstance(answer, Reply):
            return ""
        distance = point.address - self.layout.blocks[number].address
        if point.table.is_bits:
            return str(answer.data[distance // 8] >> distance % 8 & 1)
        return answer.data[2 * distance : 2 * (distance + point.size)].hex(" ", 2).upper()


class PollGroup:
    """Reads its points; a point that the device refuses is left out (quarantined) and harms no other."""

    def __init__(self, name: str, points: Sequence[Point], device: Device) -> None:
        self.name = name
        self.points = points
        self._device = device
        self._care = [0] * len(points)  # 0: merged over gaps, 1: only with neighbours, 2: alone
        self._quarantined: deque[int] = deque()
        self._next_probe = 0.0
        self._layout = self._arrange()

    @property
    def first_read(self) -> Read | None:
        """A read that shows whether the device is there."""
        return self._layout.reads[0] if self._layout.reads else None

    @property
    def quarantined(self) -> int:
        """How many points are left out."""
        return len(self._quarantined)

    async def poll(self) -> Poll:
        """Reads everything once; never raises for what the device does."""
        heard = await self._probe()
        for _ in range(_REPEATS):
            layout, answers = self._layout, await self._read(self._layout.reads)
            refused = [b for b, a in zip(layout.blocks, answers, strict=True) if _is_refusal(a)]
            if not refused:
                break
            await self._isolate(refused)
        return Poll(layout, answers, self._device.clock.wall_ns(), _silence([*heard, *answers]))

    async def _read(self, reads: Sequence[Read]) -> list[Answer]:
        """Answers to reads; a busy device is asked again after a pause."""
        device = self._device
        answers = await device.endpoint.read(reads, device.timeout_s)
        for _ in range(_BUSY_RETRIES):
            busy = [i for i, answer in enumerate(answers) if isinstance(answer, Failure) and answer.exception == _BUSY]
            if not busy:
                break
            await device.clock.sleep(_BUSY_PAUSE_S)
            again = await device.endpoint.read([reads[i] for i in busy], device.timeout_s)
            for i, answer in zip(busy, again, strict=True):
                answers[i] = answer
        device.health.count(answers)
        return answers

    async def _isolate(self, refused: Iterable[Block]) -> None:
        """Finds the points that the device refuses, and reads the others more carefully from now on."""
        for block in refused:
            if len(block.points) == 1:
                self._quarantine(block.points[0])
                continue
            for row, answer in zip(block.points, await self._singly(block.points), strict=True):
                if _is_refusal(answer):
                    self._quarantine(row)
                else:
                    self._care[row] = min(2, self._care[row] + 1)
        self._layout = self._arrange()

    async def _singly(self, rows: Iterable[int]) -> list[Answer]:
        points = [self.points[row] for row in rows]
        return await self._read([Read(self._device.unit, p.table, p.address, p.size) for p in points])

    def _quarantine(self, row: int) -> None:
        point = self.points[row]
        self._quarantined.append(row)
        self._next_probe = self._device.clock.monotonic() + _PROBE_S
        _LOG.warning(
            "%s: the device refuses %s (%s): left out, tried again every %g s",
            *(self._device.source, point.name, point.where, _PROBE_S),
        )

    async def _probe(self) -> list[Answer]:
        """Tries a quarantined point when it is time, or when nothing else is read; the next too if it is back."""
        if not self._quarantined or (self._device.clock.monotonic() < self._next_probe and self._layout.reads):
            return []
        self._next_probe = self._device.clock.monotonic() + _PROBE_S
        heard: list[Answer] = []
        while self._quarantined:
            row = self._quarantined[0]
            heard += await self._singly([row])
            if isinstance(heard[-1], Failure):
                self._quarantined.rotate(-1)
                break
            self._quarantined.popleft()
            self._care[row] = 1
            _LOG.info("%s: the device gives %s again", self._device.source, self.points[row].name)
        self._layout = self._arrange()
        return heard

    def _arrange(self) -> Layout:
        """Plans the reads of all points that are not quarantined, as carefully as each needs."""
        limits = self._device.limits
        no_gaps = Limits(limits.max_registers, limits.max_bits, 0)
        rows = [row for row in range(len(self.points)) if row not in self._quarantined]
        merged = plan(self.points, limits, [row for row in rows if self._care[row] == 0])
        tight = plan(self.points, no_gaps, [row for row in rows if self._care[row] == 1])
        alone = chain.from_iterable(plan(self.points, limits, [row]) for row in rows if self._care[row] == 2)
        blocks = (*merged, *tight, *alone)
        reads = tuple(Read.of(self._device.unit, block) for block in blocks)
        return Layout(blocks, reads, Decoder(self.points, blocks))


def _is_refusal(answer: Answer) -> bool:
    return isinstance(answer, Failure) and answer.exception in _NO_SUCH_ADDRESS


def _silence(answers: Sequence[Answer]) -> str:
    """Why the device counts as gone: not one of the answers came from it; "" where one did."""
    for answer in answers:
        if isinstance(answer, Reply) or (answer.exception and answer.exception not in GATEWAY_EXCEPTIONS):
            return ""
    if all(answer.reason is Reason.BAD_REPLY for answer in answers if isinstance(answer, Failure)):
        return ""
    return next(answer.text for answer in answers if isinstance(answer, Failure))

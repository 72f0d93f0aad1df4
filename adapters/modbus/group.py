"""A poll group: points that are read together, in the reads that their device accepts."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.checks import Memory
from adapters.modbus.codec import Decoder
from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Answer, Failure, Read, Reply
from adapters.modbus.health import Health
from adapters.modbus.plan import Block, Limits, plan
from adapters.modbus.point import Point
from adapters.modbus.refusals import PROBE_S, Refusals, is_refusal, search
from adapters.modbus.transport import Endpoint
from gateway.model import Batch, Reason, bad
from gateway.ports import Clock

_LOG = logging.getLogger("lineside.modbus")

_BUSY: Final = 6
_BUSY_RETRIES, _BUSY_PAUSE_S = 3, 0.1
_REPEATS: Final = 4  # a device that gives few registers at a time shows it in two rounds, a bad point in one
_NAMED: Final = 8  # points in one line of the log


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
    memory: Memory = field(default_factory=Memory)  # what decoding must know from earlier polls


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
        failed = {i: bad(answer.reason) for i, answer in enumerate(self.answers) if isinstance(answer, Failure)}
        column = decoder.decode(image, failed)
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
        self._refusals = Refusals(points)
        self._layout = self._arrange()

    @property
    def first_read(self) -> Read | None:
        """A read that shows whether the device is there."""
        return self._layout.reads[0] if self._layout.reads else None

    @property
    def quarantined(self) -> int:
        """How many points are left out."""
        return len(self._refusals.quarantined)

    @property
    def is_refused(self) -> bool:
        """Whether the device gives none of its points."""
        return not self._refusals.rows

    async def poll(self) -> Poll:
        """Reads everything once; never raises for what the device does."""
        heard = await self._probe()
        layout, answers = self._layout, await self._read(self._layout.reads)
        for _ in range(_REPEATS):
            refused = [i for i, answer in enumerate(answers) if is_refusal(answer)]
            if not refused:
                break
            if await self._isolate([layout.blocks[i] for i in refused]):
                layout, answers = self._layout, await self._read(self._layout.reads)
            else:
                await self._repeat(layout.reads, answers, refused)
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
            await self._repeat(reads, answers, busy)
        device.health.count(answers)
        return answers

    async def _repeat(self, reads: Sequence[Read], answers: list[Answer], which: Sequence[int]) -> None:
        """Reads some again, and puts the new answers in place of the old."""
        again = await self._device.endpoint.read([reads[i] for i in which], self._device.timeout_s)
        for i, answer in zip(which, again, strict=True):
            answers[i] = answer

    async def _isolate(self, refused: Iterable[Block]) -> bool:
        """Finds what the device refuses, and reads around it from now on; whether it found anything."""
        guilty: list[int] = []
        learned = False
        for block in refused:
            found = await search(self.points, block, self._device.unit, self._read)
            self._refusals.learn(found, self._device.clock.monotonic())
            guilty += found.guilty
            learned |= bool(found.guilty or found.borders)
        if self.is_refused:
            _LOG.warning(
                "%s: unit %d refuses every register of the group %s, such as %s: wrong profile or unit_id, "
                "or the device is starting; one is tried at every poll",
                *(self._device.source, self._device.unit, self.name, self._in_words(guilty[:1])),
            )
        elif guilty:
            _LOG.warning(
                "%s: the device refuses %s: left out, tried again every %g s",
                *(self._device.source, self._in_words(guilty), PROBE_S),
            )
        if learned:
            self._layout = self._arrange()
        return learned

    async def _probe(self) -> list[Answer]:
        """Tries a quarantined point when its turn has come, the next too if it is back; gives the answers."""
        refusals, heard = self._refusals, list[Answer]()
        changed = refusals.forget(self._device.clock.monotonic())
        is_due = refusals.is_due(self._device.clock.monotonic())
        while is_due and refusals.quarantined:
            point = self.points[refusals.quarantined[0]]
            heard += await self._read([Read(self._device.unit, point.table, point.address, point.size)])
            if isinstance(heard[-1], Failure):
                refusals.still(self._device.clock.monotonic())
                break
            changed = True
            _LOG.info("%s: the device gives %s again", self._device.source, self._in_words(refusals.back()))
        if changed:
            self._layout = self._arrange()
        return heard

    def _arrange(self) -> Layout:
        """Plans the reads of all points that are not quarantined."""
        blocks = plan(self.points, self._refusals.limits(self._device.limits), self._refusals.rows)
        reads = tuple(Read.of(self._device.unit, block) for block in blocks)
        return Layout(blocks, reads, Decoder(self.points, blocks, self._device.memory))

    def _in_words(self, rows: Sequence[int]) -> str:
        """`power (holding 52), valve (coil 7) and 12 more`."""
        named = [f"{self.points[row].name} ({self.points[row].where})" for row in rows[:_NAMED]]
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        return ", ".join(named) + more


def _silence(answers: Sequence[Answer]) -> str:
    """Why the device counts as gone: not one of the answers came from it; "" where one did."""
    for answer in answers:
        if isinstance(answer, Reply) or (answer.exception and answer.exception not in GATEWAY_EXCEPTIONS):
            return ""
    if all(answer.reason is Reason.BAD_REPLY for answer in answers if isinstance(answer, Failure)):
        return ""
    return next(answer.text for answer in answers if isinstance(answer, Failure))

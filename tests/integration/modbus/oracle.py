"""A source on the fault server whose every reading can be judged, and a clock on which no wait costs time."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.modbus.config import ModbusConfig
from adapters.modbus.source import ModbusSource, build
from gateway.library import Library
from gateway.model import GOOD, Batch, TagTable
from gateway.model.quality import is_usable
from gateway.ports import Clock, NotConnected
from tests.integration.modbus.fault_server import bit, word

_BASES: Final = (0, 300, 1000, 65_500)
_BIT_BASES: Final = (3, 5000)
_FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
# (type, word order, bit) of points that lie one behind the other
_ROW: Final = (
    *[("uint16", "big", None)] * 6,
    *[("uint32", "big", None)] * 3,
    *[("uint32", "little", None)] * 2,
    ("int32", "big", None),
    ("int16", "big", None),
    ("bool", "big", 11),
)


@dataclass(frozen=True, slots=True)
class Judge:
    """The points of one unit, and what each must be."""

    unit: int
    points: dict[str, dict[str, object]] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in ("holding", "input"):
            for base in _BASES:
                self._row(table, base)
        for table in ("coil", "discrete"):
            for address in (base + i for base in _BIT_BASES for i in range(20)):
                self._add(table, address, "bool", float(bit(self.unit, _FUNCTIONS[table], address)))

    def _row(self, table: str, address: int) -> None:
        for kind, order, number in _ROW:
            size = 2 if "32" in kind else 1
            words = [word(self.unit, _FUNCTIONS[table], address + i) for i in range(size)]
            raw = int.from_bytes(b"".join(w.to_bytes(2, "big") for w in (words if order == "big" else words[::-1])))
            if kind == "bool":
                value = raw >> (number or 0) & 1
            else:
                value = raw - (kind[0] == "i" and raw >> (16 * size - 1)) * 2 ** (16 * size)
            extra = {"word_order": order} if number is None else {"bit": number}
            self._add(table, address, kind, float(value), **extra)
            address += size

    def _add(self, table: str, address: int, kind: str, value: float, **extra: object) -> None:
        name = f"{table}_{address}"
        self.points[name] = {"table": table, "address": address, "type": kind, "group": "fast", **extra}
        self.values[name] = value

    def expected(self, tags: TagTable) -> NDArray[np.float64]:
        """What each tag must be, by tag id."""
        ids = {tags.id_of(f"press/{name}"): value for name, value in self.values.items()}
        column = np.full(max(ids) + 1, np.nan)
        column[list(ids)] = list(ids.values())
        return column


class HastyClock:
    """`ports.Clock` of somebody who never waits: a sleep moves it on and takes one turn of the loop."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def wall_ns(self) -> int:
        """See `ports.Clock`."""
        return time.time_ns() + round(self._skipped_s * 1e9)

    def monotonic(self) -> float:
        """See `ports.Clock`."""
        return time.monotonic() + self._skipped_s

    async def sleep(self, seconds: float) -> None:
        """See `ports.Clock`."""
        self._skipped_s += max(0.0, seconds)
        await asyncio.sleep(0)


@dataclass(slots=True, eq=False)
class Witness:
    """Polls one unit for as long as it is told, connecting again whenever it must, and judges every reading."""

    source: ModbusSource
    clock: Clock
    expected: NDArray[np.float64]
    delivered: int = 0  # usable readings
    wrong: int = 0
    failed: int = 0  # readings without a value
    first_wrong: str = ""
    whole: bool = False  # every reading of the last poll was good
    polls: int = 0

    @staticmethod
    def of(endpoint: str, unit: int = 1, clock: Clock | None = None, **said: object) -> "Witness":
        """said: keys of the source, beside endpoint, unit and points"""
        judge, watch, library = Judge(unit), clock or HastyClock(), Library.beside(Path("nowhere.yaml"))
        given = {"endpoint": endpoint, "unit_id": unit, "asset": "press", "points": judge.points, **said}
        config = ModbusConfig.model_validate(given)
        tags = TagTable(enumerate(config.tags("plc", library), start=1))
        source = build(f"plc-{unit}", config, tags, library, watch)
        return Witness(source, watch, judge.expected(tags))

    async def poll(self, times: int) -> None:
        """Polls this often, whatever happens."""
        end = self.polls + times
        while self.polls < end:
            try:
                await self.source.connect()
                async with aclosing(self.source.deliveries()) as deliveries:  # type: ignore[type-var]
                    async for delivery in deliveries:
                        self.judge(delivery.batch)
                        if self.polls >= end:
                            break
            except NotConnected:
                self.polls += 1
            await self.source.close()
            await self.clock.sleep(1.0)

    async def heal(self, polls: int) -> bool:
        """Whether one of the next polls brings everything."""
        for _ in range(polls):
            await self.poll(1)
            if self.whole:
                return True
        return False

    def judge(self, batch: Batch) -> None:
        """Counts the readings of one delivery."""
        usable = is_usable(batch.quality)
        differs = usable & (batch.value != self.expected[batch.tag])
        self.polls += 1
        self.delivered += int(usable.sum())
        self.failed += int((~usable).sum())
        self.wrong += int(differs.sum())
        self.whole = bool((batch.quality == GOOD).all())
        if differs.any() and not self.first_wrong:
            row = int(np.flatnonzero(differs)[0])
            self.first_wrong = f"tag {batch.tag[row]} is {batch.value[row]}, not {self.expected[batch.tag[row]]}"

"""A warning before a new peak: the running demand window, looked at every minute, as tags and one line in the log."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import apsw

from gateway.energy.demand import demand
from gateway.energy.electricity import Electricity
from gateway.energy.localtime import Offsets, midnight_ms
from gateway.energy.outlook import LAST_MS, Outlook, outlook
from gateway.energy.stored import stored, stored_to_ms
from gateway.kpi.engine import Outlet
from gateway.kpi.reading import reading
from gateway.model import Batch, BatchBuilder, Tag, TagTable, TagType
from gateway.moment import show_moment
from gateway.ports import Clock, Delivery, Unusable

_log = logging.getLogger("lineside.energy")
_EVERY_S: Final = 60.0
_MINUTE_MS: Final = 60_000
_PRODUCER: Final = "gateway"
DEMAND: Final = Tag("gateway/demand", TagType.FLOAT, "kW")
EXPECTED: Final = Tag("gateway/demand_expected", TagType.FLOAT, "kW")
CEILING: Final = Tag("gateway/demand_ceiling", TagType.FLOAT, "kW")
WARNING: Final = Tag("gateway/demand_warning", TagType.BOOL)
TAGS: Final = (DEMAND, EXPECTED, CEILING, WARNING)


@dataclass(slots=True)
class PeakWatch:
    """The running window of an owner. The ceiling is `demand_limit`, else the peak of this month and the last one."""

    electricity: Electricity
    kpis: Path
    owner: str
    _peak: tuple[int, float] = field(default=(0, 0.0))

    def look(self, now_ms: int) -> Outlook | None:
        """What kpi.db says of the running window. None: nothing yet, or a part of it was not measured."""
        length_ms, zone, limit = self.electricity.config.window_ms, self.electricity.zone, self._limit_kw()
        around = now_ms - 2 * length_ms, now_ms
        start_ms = int(Offsets.of(zone, *around).blocks(length_ms, *around)[-1])
        with reading(self.kpis) as db:
            end_ms = stored_to_ms(db, self.owner)
            if end_ms <= start_ms or end_ms > start_ms + length_ms:
                return None
            recent = stored(db, self.owner, (start_ms - LAST_MS, end_ms)).profile
            ceiling = self._highest(db, start_ms) if limit is None else limit
        return outlook(recent, start_ms, length_ms, ceiling)

    def _limit_kw(self) -> float | None:
        limit = self.electricity.config.demand_limit
        return None if limit is None else limit / 1000

    def _highest(self, db: apsw.Connection, before_ms: int) -> float | None:
        """The block peak of this month and the last one up to a window; what was looked at is kept."""
        zone = self.electricity.zone
        first = datetime.fromtimestamp(before_ms / 1000, UTC).astimezone(zone).date().replace(day=1)
        seen_ms, known = self._peak
        if seen_ms <= midnight_ms(first, zone):
            seen_ms, known = midnight_ms((first - timedelta(days=1)).replace(day=1), zone), 0.0
        if seen_ms < before_ms:
            found = stored(db, self.owner, (seen_ms, before_ms)).profile
            block = demand(found, self.electricity.config.window_ms, zone).block
            self._peak = before_ms, max(known, block.kw if block else 0.0)
        return self._peak[1] or None


async def watch_demand(watch: PeakWatch, journal: Outlet, clock: Clock) -> None:
    """Journals the running window every minute, and says in the log when a new peak comes; for ever."""
    await journal.register(TAGS)
    warned_ms = 0
    while True:
        await clock.sleep(_EVERY_S)
        now_ns = clock.wall_ns()
        try:
            found = await asyncio.to_thread(watch.look, now_ns // 1_000_000)
        except Unusable:
            continue  # kpi.db is not there yet
        if found is None:
            continue
        await journal.append(Delivery(_batch(found, journal.tags, now_ns)), _PRODUCER)
        if found.is_warning and warned_ms != found.start_ms:
            warned_ms = found.start_ms
            _log.warning(_text(found, watch))


def _batch(found: Outlook, tags: TagTable, now_ns: int) -> Batch:
    builder = BatchBuilder()
    values = {DEMAND: found.so_far, EXPECTED: found.expected, WARNING: float(found.is_warning), CEILING: found.ceiling}
    for tag, value in values.items():
        if value is not None:
            builder.add(tags.id_of(tag.name), now_ns, value)
    return builder.build()


def _text(found: Outlook, watch: PeakWatch) -> str:
    until = show_moment(found.end_ms, watch.electricity.zone)
    said = f"{watch.owner}: demand of {found.expected:,.0f} kW expected by {until}, above {found.ceiling:,.0f} kW"
    return said if found.allowed is None else f"{said}: stays below it with at most {found.allowed:,.0f} kW from now on"

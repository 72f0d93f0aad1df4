"""A board without a gateway: snapshots made from kpi.db, as new as its last closed minute."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.board.answers import AssetNow, KpiRow, LineNow, Segment, Snapshot
from gateway.board.hub import Hub
from gateway.board.readers import KpiSource, NotStored
from gateway.kpi.catalogue import scores

log = logging.getLogger("lineside.board")
_EVERY_S: Final = 10.0
_DAYS_MS: Final = 2 * 86_400_000


class Archive(KpiSource, Protocol):
    """kpi.db with its list of owners."""

    def owners(self) -> Sequence[str]:
        """Every asset, line and site with stored facts."""
        ...

    def final_ms(self, owner: str) -> int:
        """Before this an owner's minutes are final; 0 where none is."""
        ...


async def show_stored(hub: Hub, archive: Archive, site: str) -> None:
    """Publishes what is stored, again and again, until it is cancelled."""
    said = ""
    while True:
        try:
            hub.show(await asyncio.to_thread(stored_snapshot, archive, site, time.time_ns() // 1_000_000))
            said = ""
        except NotStored as exc:
            if str(exc) != said:
                log.warning("nothing to show yet: %s", exc)
            said = str(exc)
        await asyncio.sleep(_EVERY_S)


def stored_snapshot(archive: Archive, site: str, now_ms: int) -> Snapshot:
    """The newest stored state and KPIs of everything; its time is that of the newest state. NotStored: says why."""
    owners = archive.owners()
    lines = [owner for owner in owners if owner.startswith("line/")]
    newest = {owner: _newest(archive, owner, now_ms) for owner in owners if "/" not in owner}
    assets = [_asset(archive, name, last) for name, last in newest.items()]
    ends = [last.to_ms for last in newest.values() if last]
    at_ms = max(ends, default=now_ms)
    rows = [(owner, _window(archive, owner, at_ms)[1]) for owner in lines]
    return Snapshot(
        time_ms=at_ms,
        site=site,
        assets=assets,
        lines=[
            LineNow(
                line=owner.removeprefix("line/"),
                kpis=row.values,
                reasons=row.reasons,
                status=row.status,
                scores=scores(row.sums),
            )
            for owner, row in rows
            if row
        ],
    )


def _newest(archive: Archive, asset: str, now_ms: int) -> Segment | None:
    found = archive.segments(asset, archive.final_ms(asset) - 1, now_ms)
    return found[-1] if found else None


def _asset(archive: Archive, name: str, last: Segment | None) -> AssetNow:
    at_ms = last.to_ms if last else 0
    window, row = _window(archive, name, at_ms)
    now: dict[str, object] = {"asset": name}
    if last:
        now |= {"class": last.time_class, "state": last.state or None, "since_ms": last.from_ms}
    if row:
        counts: dict[str, object] = {
            count: row.sums[count] for count in ("total", "good", "scrap") if count in row.sums
        }
        now |= counts | {"window": window, "window_from_ms": row.start_ms, "kpis": row.values}
        now |= {"status": row.status, "scores": scores(row.sums)}
    reasons = row.reasons if row else {}
    return AssetNow.model_validate(now | {"reasons": {**reasons, "kw": "shown only while a gateway runs"}})


def _window(archive: Archive, owner: str, at_ms: int) -> tuple[str, KpiRow | None]:
    """The shift that holds this time, else the day."""
    for window in ("shift", "day"):
        rows = archive.kpis(owner, window, at_ms - _DAYS_MS, at_ms)
        if rows and rows[-1].start_ms < at_ms <= rows[-1].end_ms:
            return f"{window} {rows[-1].name}".strip(), rows[-1]
    return "", None

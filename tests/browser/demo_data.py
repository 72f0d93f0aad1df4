"""A believable plant for looking at the board: `python -m tests.browser.demo_data [MACHINES]` serves it."""

import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from gateway.board.answers import ComparisonAnswer, EnergyHour, HistoryPoint, KpiRow, Segment, TagAnswer
from gateway.board.data_answers import CapabilityAnswer, QualityAnswer
from gateway.board.hub import Hub
from gateway.board.listen import Listen
from gateway.board.readers import Board
from gateway.board.server import run_board
from gateway.kpi.metering import MeterTree

ZONE = "Asia/Ho_Chi_Minh"
NOW_MS = 1_780_461_733_000  # Wednesday 3 June 2026, 11:42:13 in Vietnam
SHIFT_MS = 1_780_441_200_000  # 06:00
_HOUR_MS = 3_600_000
_OPEN_MS = 90_000
_KW = {"producing": 18.4, "setup": 6.2, "idle": 4.1, "fault": 3.3, "blocked": 5.0, "starved": 5.1, "unknown": 9.0}
_NAMES = ["press-01", "press-02", "press-03", "robot-cell-4", "cnc-05", "cnc-06", "wash-07", "pack-08"]
_ENDS = ["producing", "producing", "fault", "idle", "setup", "unknown", "producing", "starved"]
_STATES = {"producing": "EXECUTE", "setup": "SETUP", "idle": "IDLE", "fault": "ABORTED", "starved": "SUSPENDED"}

Spans = list[tuple[int, int, str]]


def spans(seed: int, last: str, from_ms: int = SHIFT_MS, to_ms: int = NOW_MS) -> Spans:
    """A shift of one machine, ending in the class `last`."""
    chance, at = random.Random(seed), from_ms
    result: Spans = []
    while at < to_ms:
        name = "producing" if len(result) % 2 == 0 else chance.choice(["idle", "fault", "setup", "starved", "blocked"])
        end = min(to_ms, at + 1000 * chance.randint(*((300, 2400) if name == "producing" else (40, 500))))
        result.append((at, end, name))
        at = end
    start = to_ms - 840_000
    return [*((a, min(b, start), c) for a, b, c in result if a < start), (start, to_ms, last)]


def asset_now(index: int, history: Spans) -> dict[str, Any]:
    """The snapshot's entry of one machine: figures that fit its spans."""
    last = _ENDS[index % len(_ENDS)]
    share = {name: sum(b - a for a, b, c in history if c == name) for name in _KW}
    planned = sum(share.values())
    low, open_ = share["producing"] / planned, share["unknown"] / planned
    total = int(share["producing"] / 1000 / 4.2)
    good = total - total // 60
    kwh = sum(share[name] / _HOUR_MS * _KW[name] for name in _KW)
    oee = {"oee": low * 0.93 * good / total, "oee_low": low * 0.93, "oee_high": low * 0.93 + open_}
    kpis = {
        "availability": low / (1 - open_), "availability_low": low, "availability_high": low + open_,
        "effectiveness": 0.951, "quality_rate": good / total, "throughput": 700.0, "energy": kwh, "sec": kwh / good,
        "idle_energy_share": 0.11, "co2e": kwh * 0.6592, "carbon_intensity": kwh * 0.6592 / good, "coverage": 1 - open_,
    } | (oee if open_ else {"oee": low * 0.951 * good / total})  # fmt: skip
    return {
        "asset": _NAMES[index % len(_NAMES)], "line": "stamping" if index < 3 else "machining", "area": "press-shop",
        "state": _STATES.get(last), "class": last, "since_ms": history[-1][0],
        "window": "shift day", "window_from_ms": SHIFT_MS, "total": total, "good": good, "scrap": total - good,
        "target": None if index == 3 else int((NOW_MS - SHIFT_MS) / 1000 / 4.2 * 0.9),
        "kw": None if last == "unknown" else _KW[last],
        "kpis": kpis, "reasons": {"kw": "no reading since 11:28: timeout"} if last == "unknown" else {},
        "segments": [[max(a, NOW_MS - _OPEN_MS), b, c] for a, b, c in history if b > NOW_MS - _OPEN_MS],
    }  # fmt: skip


_NO_STATE = dict.fromkeys(("availability", "effectiveness", "idle_energy_share", "coverage"), "needs `state`")
_NO_COUNTS = {
    "oee": "needs `good`, or `total` and `scrap`; needs `ideal_cycle_time`",
    "quality_rate": "needs `total`, or `good` and `scrap`; needs `good`, or `total` and `scrap`",
    "throughput": "needs `total`, or `good` and `scrap`",
    "sec": "needs `good`, or `total` and `scrap`",
    "carbon_intensity": "needs `good`, or `total` and `scrap`",
}


def without_state(asset: dict[str, Any]) -> dict[str, Any]:
    """The same machine where only parts and energy are measured."""
    lacks = _NO_STATE | {"oee": "needs `ideal_cycle_time`"}
    kpis = {name: value for name, value in asset["kpis"].items() if name.removesuffix("_low") not in lacks}
    return asset | {"class": "unknown", "state": None, "segments": [], "reasons": lacks, "kpis": kpis}


def meter(asset: dict[str, Any]) -> dict[str, Any]:
    """The same machine where only its electricity is measured."""
    none = dict.fromkeys(("total", "good", "scrap", "target", "state"))
    kpis = {name: asset["kpis"][name] for name in ("energy", "co2e")}
    return without_state(asset) | none | {"reasons": _NO_STATE | _NO_COUNTS, "kpis": kpis}


def snapshot(machines: int = 4, *, trouble: bool = False) -> dict[str, Any]:
    """A snapshot as the gateway writes it."""
    assets = [asset_now(index, spans(index, _ENDS[index % len(_ENDS)])) for index in range(machines)]
    down = {"state": "down", "reason": "10.0.7.11:502 refuses connections", "since_ms": NOW_MS - 840_000}
    return {
        "time_ms": NOW_MS,
        "site": "bac-ninh-1",
        "assets": assets,
        "lines": [
            {"line": "stamping", "kpis": {"oee": 0.713, "energy": 214.2}},
            {"line": "machining", "kpis": {"oee": 0.664, "oee_low": 0.664, "oee_high": 0.702, "energy": 160.0}},
        ],
        "health": {
            "journal": {"lag_readings": 42, "bytes": 12_000_000, "max_bytes": 2_147_483_648, "ingested": 1_204_402},
            "sources": [
                {"name": "press-01-meter", "state": "up"},
                {"name": "hall-2", "state": "up"} | (down if trouble else {}),
            ],
            "sinks": [{"name": "influx", "state": "up", "lag_readings": 42, "delivered": 1_204_360}],
        },
    }  # fmt: skip


@dataclass(frozen=True)
class MemoryKpi:
    """kpi.db's stand-in: all spans but the open ones, energy that follows from them."""

    rows: dict[str, Spans] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tree: MeterTree = MeterTree()  # noqa: RUF009  # frozen

    def segments(self, asset: str, from_ms: int, to_ms: int) -> Sequence[Segment]:
        stored = ((a, min(b, NOW_MS - _OPEN_MS), c) for a, b, c in self.rows.get(asset, []) if a < NOW_MS - _OPEN_MS)
        return [Segment(from_ms=a, to_ms=b, time_class=c) for a, b, c in stored if b > from_ms and a < to_ms]

    def energy_per_hour(self, asset: str, from_ms: int, to_ms: int) -> Sequence[EnergyHour]:
        result = []
        for hour in range(from_ms - from_ms % _HOUR_MS, to_ms, _HOUR_MS):
            kwh: dict[str, float] = {}
            for a, b, name in self.rows.get(asset, []):
                overlap = max(0, min(b, hour + _HOUR_MS) - max(a, hour))
                kwh[name] = kwh.get(name, 0.0) + overlap / _HOUR_MS * _KW[name]
            result.append(EnergyHour(hour_ms=hour, kwh={name: value for name, value in kwh.items() if value}))
        return result

    def meter_tree(self) -> MeterTree:
        return self.tree

    def closed_ms(self, owner: str) -> int:
        return NOW_MS - _OPEN_MS

    def kpis(self, owner: str, window: str, from_ms: int, to_ms: int) -> Sequence[KpiRow]:
        self.asked.append(owner)
        return [
            KpiRow(start_ms=from_ms, end_ms=to_ms, values={"oee": 0.5, "sec": None}, reasons={"sec": "no good part"})
        ]

    def owners(self) -> Sequence[str]:
        return [*self.rows, "site/bac-ninh-1"]

    def quality(self, owner: str, from_ms: int, to_ms: int) -> QualityAnswer:
        self.asked.append(owner)
        return QualityAnswer(owner=owner, from_ms=from_ms, to_ms=to_ms, rows=[])

    def capability(self, owner: str, window: str, from_ms: int, to_ms: int) -> CapabilityAnswer:
        self.asked.append(owner)
        return CapabilityAnswer(owner=owner, window=window, rows=[], least=[])

    def compare(
        self, owners: Sequence[str], window: str, from_ms: int, to_ms: int, kpis: Sequence[str]
    ) -> ComparisonAnswer:
        if "oe" in kpis:
            raise ValueError("no KPI 'oe'")
        count = len(owners)
        return ComparisonAnswer(
            window=window,
            owners=list(owners),
            start_ms=[from_ms] * count,
            end_ms=[to_ms] * count,
            names=[""] * count,
            values={kpi: [None] * count for kpi in kpis},
        )


class MemoryHistory:
    """history.db's stand-in: one tag."""

    def tags(self) -> Sequence[TagAnswer]:
        return [TagAnswer(name="press-01/active_power", type="float", unit="kW")]

    def series(self, tag: str, from_ms: int, to_ms: int, points: int) -> Sequence[HistoryPoint]:
        return [HistoryPoint(time_ms=from_ms, min=1.0, mean=2.0, max=3.0)]


def board(machines: int = 4, *, standalone: bool = False) -> Board:
    """A board over the believable plant; its hub is empty."""
    rows = {_NAMES[i % len(_NAMES)]: spans(i, _ENDS[i % len(_ENDS)], SHIFT_MS - 4 * _HOUR_MS) for i in range(machines)}
    return Board(
        "bac-ninh-1", ZoneInfo(ZONE), Hub(), MemoryKpi(rows), MemoryHistory(), version="0.1.0", standalone=standalone
    )


async def _serve(machines: int) -> None:
    shown = board(machines)
    sock = Listen("127.0.0.1", 8099).bind()
    print("http://127.0.0.1:8099/")

    async def feed(hub: Hub) -> None:
        while True:
            hub.publish(orjson.dumps(snapshot(machines)))
            await asyncio.sleep(1)

    await run_board(shown, sock, (), feed)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 4))

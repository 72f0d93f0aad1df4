"""A kpi.db with days, shifts and products that a test wrote itself, and files beside it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import apsw

from gateway.kpi.buckets import quantities
from gateway.kpi.store import Store

DAY = 86_400_000
HOUR_US = 3_600_000_000
FIRST = date(2026, 3, 2)  # a Monday
FIRST_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1000
CONFIG = """
site: plant
sources:
  cell:
    kind: mqtt
    broker: mqtt://127.0.0.1
    tags:
      press/state: { topic: cell, path: $.state, type: string }
      press/total: { topic: cell, path: $.total, type: uint32, counter: true }
      press/energy: { topic: cell, path: $.energy, type: float64, unit: kWh, counter: true }
assets:
  press:
    state: { tag: state, producing: [EXECUTE], idle: [IDLE] }
    total: total
    energy: { electricity: energy }
    ideal_cycle_time: 1s
"""


class Plant:
    """A folder with plant.yaml and data/kpi.db; times are UTC, days begin at midnight."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "plant.yaml"
        self.config.write_text(CONFIG)
        self.path = folder / "data" / "kpi.db"
        self.path.parent.mkdir()
        Store(self.path).close()
        self.meta(needs="{}", groups="{}", timezone="UTC", catalogue="", factors="")

    def meta(self, **values: str) -> None:
        self._put("meta", [[key, value] for key, value in values.items()])

    def groups(self, **groups: Mapping[str, object]) -> None:
        self.meta(groups=json.dumps({name.replace("__", "/"): about for name, about in groups.items()}))

    def lives(self, owner: str, first_day: int, end_day: int) -> None:
        """Its facts reach from the first day to before the end, all of them final."""
        first, end = (FIRST_MS + day * DAY for day in (first_day, end_day))
        self._put("progress", [[owner, first, end - 1, end, end, end, 0]])

    def days(self, owner: str, rows: Sequence[Mapping[str, float]], first_day: int = 0) -> None:
        """A day each: kwh and total, or any quantity; watched and measured all day unless it says otherwise."""
        made = []
        for day, sums in enumerate(rows, first_day):
            start = FIRST_MS + day * DAY
            made.append([owner, str(FIRST + timedelta(day)), start, start + DAY, *_quantities(sums, 24), 0])
        self._put("day", made)

    def shift(self, owner: str, day: int, name: str, from_hour: int, sums: Mapping[str, float]) -> None:
        start = FIRST_MS + day * DAY + from_hour * DAY // 24
        row = [owner, str(FIRST + timedelta(day)), name, start, start + DAY // 3, *_quantities(sums, 8), 0]
        self._put("shift", [row])

    def product(self, asset: str, day: int, name: str, total: int) -> None:
        start = FIRST_MS + day * DAY
        sums = [total if one == "total" else 0 for one in quantities]
        self._put("slice_day", [[asset, str(FIRST + timedelta(day)), name, "", start, start + DAY, *sums]])

    def _put(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        db = apsw.Connection(str(self.path))
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        db.close()


def _quantities(sums: Mapping[str, float], hours: int) -> list[int]:
    whole = {"planned": hours * HOUR_US, "metered": hours * HOUR_US, "facts": 1000}
    found = whole | {name: int(value) for name, value in sums.items() if name != "kwh"}
    found["energy"] = round(sums.get("kwh", 0) * 1e6)
    assert set(found) <= set(quantities)
    return [found.get(name, 0) for name in quantities]


def start(day: int) -> int:
    """The beginning of a day, ms."""
    return FIRST_MS + day * DAY

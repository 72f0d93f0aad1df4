"""The worker on everything that a machine and its people may say, in any order: always what it is from scratch."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.kpi.asset import TimeClass
from gateway.kpi.buckets import quantities
from gateway.kpi.closing import Limits
from gateway.kpi.facts import FOREVER_MS, Series
from gateway.kpi.intervals import Interval, Kind
from gateway.kpi.store import Row
from tests.unit.gateway.kpi.floor import Floor, bind
from tests.unit.gateway.kpi.kit import START, Kit, Readings, rows_of
from tests.unit.gateway.kpi.replayed import replayed

_SAID = (
    Interval("a", "stop", START + 130_000, START + 210_500, "tool"),
    Interval("b", "planned", START + 400_000, START + 431_000, "meeting"),
    Interval("c", "planned", START + 700_000, START + 720_000, "service"),
    Interval("d", "order", START + 95_000, START + 500_250, "SO-1"),
    Interval("e", "order", START + 650_000, FOREVER_MS, "SO-2"),
    Interval("f", "product", START + 800_000, START + 830_000, "lid"),
)
_AGAIN = (
    Interval("a", "stop", START + 150_000, START + 180_000, "service", 1),
    Interval("b", "planned", START + 400_000, START + 431_000, "meeting", 1, usable=False),
    Interval("d", "order", START + 30_000, START + 310_000, "SO-1b", 2),
)
_BOOKED = {
    ("press", "scrap_booked"): Series.of([START + 222_000, START + 777_000], [2.0, 1.0], seq=[7, 8]),
    ("weld", "rework_booked"): Series.of([START + 333_000], [1.0], seq=[9]),
}
_WITHDRAWN = {("press", "scrap_booked"): Series.of([START + 222_000], [2.0], [False], [7], [1])}


def plant() -> Kit:
    """The press says product and order, minor stops of both are shorter than 20 s."""
    kit = Kit()
    reasons = {"tool": TimeClass.FAULT, "service": TimeClass.MAINTENANCE}
    bind(kit, "weld", {}, minor_stop_ms=20_000, reasons=reasons)
    roles = {"product": "level", "order": "level", "startup": "level", "rework": "counter"}
    bind(kit, "press", roles, minor_stop_ms=20_000, reasons=reasons, ideal_by_product={"lid": 700_000})
    return kit


def run(kit: Kit, seconds: int = 900) -> Readings:
    """The kit's run with changes of product, order and start-up now and then."""
    rows = kit.run(seconds)
    for second in range(0, seconds, 85):
        now = START + 1000 * second + 333
        rows.append(kit.reading("press/product", now, "lid" if second % 2 else "cup"))
        rows.append(kit.reading("press/order", now + 11_300, "" if second % 3 else f"SO-{second}"))
        rows.append(kit.reading("press/startup", now + 22_100, float(second % 4 == 0)))
        rows.append(kit.reading("press/rework", now, float(second // 100)))
    return sorted(rows, key=lambda row: row[1])


def check(floor: Floor) -> None:
    for asset in floor.worker.progress.keys() & {"press", "weld"}:
        assert floor.stored(asset) == floor.scratch(asset)
        rows, splits = floor.stored(asset)
        for minute, parts in splits.items():
            assert tuple(map(sum, zip(*(row for *_, row in parts), strict=True))) == rows[minute]
        assert days(floor, asset) == summed(splits)


def days(floor: Floor, asset: str) -> dict[tuple[str, str], tuple[object, ...]]:
    sql = f"SELECT product, order_id, first_ms, last_ms, {', '.join(quantities)} FROM slice_day WHERE asset = ?"
    return {(product, order): tuple(row) for product, order, *row in floor.worker.store.rows(sql, (asset,))}


def summed(splits: dict[int, tuple[tuple[str, str, Row], ...]]) -> dict[tuple[str, str], tuple[object, ...]]:
    """All minutes lie in one business day."""
    found: dict[tuple[str, str], tuple[object, ...]] = {}
    keys = {(product, order) for parts in splits.values() for product, order, _ in parts}
    for key in keys:
        mine = {n: row for n, parts in splits.items() for product, order, row in parts if (product, order) == key}
        ends = (min(mine) * 60_000, (max(mine) + 1) * 60_000)
        found[key] = (*ends, *map(sum, zip(*mine.values(), strict=True)))
    return found


def test_everything_at_once_gives_what_it_is_from_scratch(tmp_path: Path) -> None:
    kit = plant()
    floor = Floor(kit, tmp_path / "kpi.db")
    floor.take(run(kit), _BOOKED, {"press": _SAID, "weld": _SAID})
    check(floor)
    minutes, splits = floor.stored("press")
    assert {product for parts in splits.values() for product, _, _ in parts} >= {"lid", "cup"}
    assert {order for parts in splits.values() for _, order, _ in parts} >= {"SO-1", "SO-2"}
    totals = dict(zip(quantities, map(sum, zip(*minutes.values(), strict=True)), strict=True))
    for name in ("minor_stops", "faults", "time_maintenance", "time_planned_stop", "time_order", "startup_scrap"):
        assert totals[name] > 0, name
    reasons = floor.worker.store.rows("SELECT DISTINCT reason FROM segment WHERE asset = 'press'")
    assert {"tool", "meeting", "service"} <= {reason for (reason,) in reasons}
    floor.close()


@pytest.mark.parametrize("seed", range(6))
def test_what_comes_late_twice_and_in_any_order_ends_as_if_all_had_come_at_once(tmp_path: Path, seed: int) -> None:
    kit, whole = plant(), plant()
    together = Floor(whole, tmp_path / "whole.db")
    together.take(run(whole), _BOOKED | {}, {"press": _SAID, "weld": _SAID})
    together.take([], _WITHDRAWN, {"press": _AGAIN, "weld": _AGAIN})
    order = random.Random(seed)
    rows = run(kit)
    alive = [row for row in rows if row[0] == kit.alive]
    late = [row for row in rows if row[0] != kit.alive and order.random() < 0.05]
    pieces: list[tuple[Readings, dict[tuple[str, str], Series], dict[str, tuple[Interval, ...]]]] = []
    pieces += [(late[n::4], {}, {}) for n in range(4)]
    for asset, one in itertools.product(("press", "weld"), (*_SAID, *_AGAIN, *_SAID[:2])):
        pieces.append(([], {}, {asset: (one,)}))
    for booked in (_BOOKED, _WITHDRAWN, _BOOKED):
        pieces += [([], {key: series}, {}) for key, series in booked.items()]
    on_time = [row for row in rows if row not in late]
    half = len(on_time) // 2
    pieces += [([row], {}, {}) for row in order.sample(alive, 3)]
    order.shuffle(pieces)
    floor = Floor(kit, tmp_path / "kpi.db")
    floor.take(on_time[:half])
    for number, piece in enumerate(pieces):
        floor.take(*piece)
        if number == len(pieces) // 3:
            floor.take(on_time[half:])
        if number == len(pieces) // 2:
            floor.close()
            floor.open()
    check(floor)
    for asset in ("press", "weld"):
        assert floor.stored(asset) == together.stored(asset)
    segments = "SELECT * FROM segment ORDER BY asset, from_ms"
    assert floor.worker.store.rows(segments) == together.worker.store.rows(segments)
    together.close()
    floor.close()
    count = sum(len(rows_of(floor.path, asset)) for asset in ("press", "weld"))
    assert replayed(floor.path) == (count, [])


def test_a_stop_is_minor_until_it_has_lasted_too_long_and_then_it_never_was(tmp_path: Path) -> None:
    kit = Kit()
    bind(kit, "press", {}, minor_stop_ms=200_000)
    floor = Floor(kit, tmp_path / "kpi.db", Limits(lateness_ms=0))
    stopped = START + 50_000

    def second(now: int) -> Readings:
        state = "IDLE" if now >= stopped else "EXECUTE"
        return [kit.reading("press/state", now, state), kit.reading(kit.alive, now + 1, 1.0)]

    seen = []
    for start in range(START, START + 420_000, 20_000):
        floor.take([row for now in range(start, start + 20_000, 1000) for row in second(now)])
        check_press(floor)
        rows, _ = floor.stored("press")
        totals = [
            sum(row[quantities.index(name)] for row in rows.values()) for name in ("time_minor_stop", "time_idle")
        ]
        seen.append(tuple(bool(total) for total in totals))
        if any(seen[-1]):
            assert floor.worker.progress["press"].final_ms == START  # the stop is open since its first minute
    assert [key for key, _ in itertools.groupby(seen)] == [(False, False), (True, False), (False, True)]
    floor.close()


def check_press(floor: Floor) -> None:
    if "press" in floor.worker.progress:
        assert floor.stored("press") == floor.scratch("press")


def idle_between(kit: Kit, first: int, last: int, running: range = range(0)) -> Readings:
    """Five minutes at a reading a second; the press stands still from one second to another, but for some of them."""
    rows: Readings = []
    for second in range(300):
        stands = first <= second < last and second not in running
        rows.append(kit.reading("press/state", START + 1000 * second, "IDLE" if stands else "EXECUTE"))
        rows.append(kit.reading(kit.alive, START + 1000 * second + 1, 1.0))
    return rows


def times(floor: Floor, name: str) -> list[int]:
    rows, _ = floor.stored("press")
    return [row[quantities.index(name)] // 1_000_000 for _, row in sorted(rows.items())]


def short_stops(path: Path) -> Floor:
    kit = Kit()
    bind(kit, "press", {}, minor_stop_ms=55_000, reasons={"service": TimeClass.MAINTENANCE})
    return Floor(kit, path / "kpi.db")


def test_a_booked_stop_makes_what_is_left_of_a_long_one_minor_in_the_next_minute_too(tmp_path: Path) -> None:
    floor = short_stops(tmp_path)
    floor.take(idle_between(floor.kit, 100, 170))
    assert times(floor, "time_idle") == [0, 20, 50, 0]
    booked = Interval("a", "stop", START + 95_000, START + 119_000, "service")
    floor.take([], None, {"press": (booked,)})
    check_press(floor)
    assert times(floor, "time_minor_stop") == [0, 1, 50, 0]
    floor.take([], None, {"press": (replace(booked, to_ms=START + 100_000, revision=1),)})
    check_press(floor)
    assert times(floor, "time_idle") == [0, 20, 50, 0]
    floor.close()


def test_late_states_make_what_is_left_of_a_long_stop_minor_in_the_next_minute_too(tmp_path: Path) -> None:
    floor = short_stops(tmp_path)
    rows = idle_between(floor.kit, 100, 170, range(116, 118))
    late = [row for row in rows if row[1] // 1000 - START // 1000 in (116, 117) and row[0] != floor.kit.alive]
    floor.take([row for row in rows if row not in late])
    assert times(floor, "time_idle") == [0, 20, 50, 0]
    assert len(late) == 2
    floor.take(late)
    check_press(floor)
    assert times(floor, "time_minor_stop") == [0, 18, 50, 0]
    floor.close()


@pytest.mark.parametrize("kind", ["order", "product"])
def test_an_interval_that_is_corrected_gives_back_the_time_that_it_leaves(tmp_path: Path, kind: Kind) -> None:
    kit = plant()
    floor = Floor(kit, tmp_path / "kpi.db")
    booked = Interval("d", kind, START + 65_000, START + 290_000, "X-1")
    floor.take(idle_between(kit, 100, 170), None, {"press": (booked,)})
    floor.take([], None, {"press": (replace(booked, from_ms=START + 239_000, value="X-2", revision=1),)})
    check(floor)
    assert {name for parts in floor.stored("press")[1].values() for names in parts for name in names[:2]} == {"", "X-2"}
    floor.take([], None, {"press": (replace(booked, revision=2, usable=False),)})
    check(floor)
    floor.close()


def test_an_interval_that_is_booked_before_the_first_reading_counts_from_it_on(tmp_path: Path) -> None:
    kit = plant()
    floor = Floor(kit, tmp_path / "kpi.db")
    floor.take([], None, {"press": _SAID})
    floor.close()
    floor.open()
    floor.take(run(kit))
    check(floor)
    assert floor.worker.store.rows("SELECT count(*) FROM segment WHERE reason = 'tool'") != [(0,)]
    floor.close()

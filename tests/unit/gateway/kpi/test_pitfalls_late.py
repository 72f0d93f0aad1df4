"""Pitfalls of late data, through the whole engine: what was closed is corrected, and it can be seen that it was."""

import json
from pathlib import Path
from typing import Any

import apsw

from gateway.kpi.calendar import Calendar
from gateway.walltime import parse_span
from tests.unit.gateway.kpi.kit import START, Kit, fed, q, rows_of

HOUR_S = 3600
SHIFTS = (("one", parse_span("20:00-21:00")), ("two", parse_span("21:00-22:00")), ("three", parse_span("22:00-24:00")))
"""START is 20:27 UTC: shift `one` ends after 33 minutes."""


def asked(path: Path, sql: str, *bindings: Any) -> list[tuple[Any, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute(sql, bindings).fetchall()
    db.close()
    return found


async def test_a_fact_that_comes_hours_late_revises_its_minute_reopens_the_shift_and_ends_in_the_right_sums(
    tmp_path: Path,
) -> None:
    kit = Kit(calendar=Calendar("UTC", shifts=SHIFTS))
    on_time = kit.run(2 * HOUR_S)
    path = tmp_path / "kpi.db"
    await fed(kit, path, kit.records(on_time))
    minute = START // 60_000 + 10
    before = rows_of(path, "press")[minute]
    assert asked(path, "SELECT revision, final FROM minute WHERE asset = 'press' AND minute = ?", minute) == [(0, 1)]
    assert asked(path, "SELECT count(*) FROM audit") == [(0,)]

    late = [kit.reading("press/state", minute * 60_000 + 137 + 500, "ABORTED")]
    first = len(kit.records(on_time)) + 1
    await fed(kit, path, kit.records(late, first=first))
    after = rows_of(path, "press")[minute]
    assert q(after, "time_fault") > q(before, "time_fault")
    assert q(after, "planned") == q(before, "planned")
    assert (
        after
        == kit.scratch(on_time + late, "press", START, START + 2 * HOUR_S * 1000, START + 3 * HOUR_S * 1000)[minute]
    )
    assert asked(path, "SELECT revision FROM minute WHERE asset = 'press' AND minute = ?", minute) == [(1,)]
    assert kit.inbox.bucket("press", "time_fault").get(minute, 0) == q(after, "time_fault")
    audit = asked(path, "SELECT kind, owner, detail FROM audit")
    reopened = {json.loads(detail)["window"] for kind, owner, detail in audit if (kind, owner) == ("reopened", "press")}
    assert "shift" in reopened
    published = [one for one in kit.inbox.kpi("press", "shift", "availability") if one[0] < START]
    assert [revision for _, revision, _ in published] == [0, 1]
    assert published[1][2] < published[0][2]


async def test_facts_in_whatever_order_and_pieces_give_the_same_minutes(tmp_path: Path) -> None:
    kit = Kit()
    rows = kit.run(900)
    late = rows[::-1][:400] + rows[:50]
    await fed(kit, tmp_path / "straight.db", kit.records(rows))
    twisted = Kit()
    await fed(twisted, tmp_path / "twisted.db", twisted.records(rows[:-400] + late, size=33))
    for asset in ("press", "weld"):
        assert rows_of(tmp_path / "twisted.db", asset) == rows_of(tmp_path / "straight.db", asset)

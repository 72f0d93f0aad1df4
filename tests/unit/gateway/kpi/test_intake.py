"""What is picked out of the journal: events one by one, entries without moving any clock."""

import numpy as np
import pytest

from gateway.kpi.entries import Entry, dump, entry_tag, stamp_ns
from gateway.kpi.facts import FOREVER_MS, text_code
from gateway.kpi.intake import Intake
from gateway.model import Batch, BatchBuilder
from tests.unit.gateway.kpi.floor import bind
from tests.unit.gateway.kpi.kit import START, Kit


def intake(kit: Kit) -> Intake:
    for asset in kit.models:
        kit.ids[entry_tag(asset).name] = kit.inbox.add(entry_tag(asset))
    return Intake(kit.models, kit.inbox.tags)


def booked(kit: Kit, *entries: Entry, asset: str = "press") -> Batch:
    builder = BatchBuilder()
    for entry in entries:
        builder.add_text(kit.ids[f"{asset}/entry"], stamp_ns(entry), dump(entry))
    return builder.build()


SCRAP = Entry("a", "count", START, START, 5.0, role="scrap")


def test_events_within_one_millisecond_stay_apart_and_a_redelivered_one_does_not_count_twice() -> None:
    kit = Kit()
    bind(kit, "press", {"rework": "pulse", "passed": "counter"})
    taken = intake(kit)
    times = np.array([0, 250_000, 500_000, 250_000], np.int64) + START * 1_000_000
    for role in ("rework", "passed"):
        tag = np.full(4, kit.ids[f"press/{role}"], np.int32)
        taken.take(1, Batch(tag, times.copy(), np.ones(4), np.full(4, 192, np.uint8)))
    facts = taken.drain().facts
    assert facts["press", "rework"].seq.tolist() == [0, 250_000, 500_000]
    assert facts["press", "rework"].time_ms.tolist() == [START] * 3
    assert facts["press", "passed"].seq.tolist() == [0]


def test_what_was_booked_becomes_facts_and_intervals_and_is_kept_as_it_was_said() -> None:
    kit = Kit()
    taken = intake(kit)
    order = Entry("o", "order", START, FOREVER_MS, "A-1")
    state = Entry("r", "reading", START, START, "IDLE", role="state")
    corrected = SCRAP.revised(value=4.0)
    taken.take(1, booked(kit, corrected, order, SCRAP, state))
    taken.take(2, booked(kit, SCRAP, asset="weld"))
    found = taken.drain()
    assert found.facts["press", "scrap_booked"].value.tolist() == [4.0]
    assert found.facts["weld", "scrap_booked"].value.tolist() == [5.0]
    assert found.facts["press", "state"].revision.tolist() == [1]
    assert found.texts == {text_code("IDLE"): "IDLE"}
    assert [(one.value, one.to_ms) for one in found.intervals["press"]] == [("A-1", FOREVER_MS)]
    assert found.entries == (
        ("press", corrected),
        ("press", order),
        ("press", SCRAP),
        ("press", state),
        ("weld", SCRAP),
    )
    assert (found.position, taken.pending, taken.drain().entries) == (2, 0, ())


def test_a_correction_and_the_reading_that_it_corrects_meet_in_one_fact_in_either_order() -> None:
    right = Entry("r", "reading", START, START, 7.0, role="total")
    for first in (True, False):
        kit = Kit()
        taken = intake(kit)
        recorded = kit.batch([kit.reading("press/total", START, 3.0)])
        for batch in (recorded, booked(kit, right)) if first else (booked(kit, right), recorded):
            taken.take(1, batch)
        assert taken.drain().facts["press", "total"].value.tolist() == [7.0]


def test_a_booking_moves_no_clock_but_asks_to_be_computed() -> None:
    kit = Kit()
    taken = intake(kit)
    taken.take(1, kit.batch([(kit.alive, START, 1.0)]))
    before = (taken.presence_ms, taken.newest_ms, taken.entered)
    taken.take(2, booked(kit, Entry("p", "planned", START + 10**9, START + 2 * 10**9, "service")))
    assert (taken.presence_ms, taken.newest_ms) == before[:2]
    assert (taken.entered, taken.pending) == (1, 2)


def test_a_text_that_is_no_entry_is_told_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kit = Kit()
    taken = intake(kit)
    builder = BatchBuilder()
    builder.add_text(kit.ids["press/entry"], START * 1_000_000, "hello")
    builder.add_text(kit.ids["press/entry"], START * 1_000_000, dump(SCRAP))
    taken.take(1, builder.build())
    assert [entry for _, entry in taken.drain().entries] == [SCRAP]
    assert "press: " in caplog.text

"""Entries as text, as facts and as intervals; and what may be booked."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kpi.asset import Binding, TimeClass
from gateway.kpi.bookable import Bookable
from gateway.kpi.entries import (
    COUNT,
    KINDS,
    READING,
    SPANS,
    Entry,
    dump,
    entry_tag,
    fact_of,
    id_of_row,
    interval_of,
    load,
    stamp_ns,
)
from gateway.kpi.facts import FOREVER_MS, Series, merge, text_code
from tests.unit.gateway.kpi.kit import START, Kit

SCRAP = Entry("a", COUNT, START, START, 5.0, role="scrap")
STOP = Entry("s", "stop", START, START + 60_000, "mechanical/bearing")
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
times = st.integers(-(2**50), 2**50)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind, start = draw(st.sampled_from(KINDS)), draw(times)
    span = kind in SPANS
    end = draw(st.one_of(st.just(FOREVER_MS), st.integers(start + 1, 2**51))) if span else start
    number = st.floats(allow_nan=False, allow_infinity=False)
    return Entry(
        id=draw(names),
        kind=kind,
        from_ms=start,
        to_ms=end,
        value=draw(names if span else st.one_of(number, names)),
        role="" if span else draw(names),
        seq=draw(st.integers(0, 999_999)),
        revision=draw(st.integers(0, 1000)),
        usable=draw(st.booleans()),
        by=draw(st.one_of(st.just(""), names)),
        booked_ms=draw(st.integers(0, 2**50)),
        note=draw(st.one_of(st.just(""), names)),
    )


@given(entries())
def test_the_text_of_an_entry_gives_it_back_and_has_one_form(entry: Entry) -> None:
    text = dump(entry)
    assert load(text) == entry
    assert dump(load(text)) == text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["", "5", "[]", "{}", '{"id":"x"}', '{"id":"x","kind":"count","from":null,"value":1}'])
def test_a_text_that_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # JSON's own error among others
        load(text)


def test_an_entry_of_a_kind_to_come_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="kind 'forecast': written by a newer Lineside"):
        load(json.dumps({"id": "x", "kind": "forecast", "from": 1, "value": 1}))


def as_series(entry: Entry) -> Series:
    fact = fact_of(entry)
    assert fact
    return Series.of([fact.time_ms], [fact.value], [fact.usable], [fact.seq], [fact.revision])


def test_a_count_stands_beside_others_of_its_millisecond_and_its_newest_revision_wins_in_any_order() -> None:
    other = replace(SCRAP, id="b", value=2.0)
    corrected, taken_back = SCRAP.revised(value=4.0), SCRAP.revised(value=4.0).revised(usable=False)
    both = merge(as_series(SCRAP), as_series(other))
    assert sorted(both.value.tolist()) == [2.0, 5.0]
    for first, second in ((SCRAP, corrected), (corrected, SCRAP)):
        assert merge(as_series(first), as_series(second)).value.tolist() == [4.0]
    assert merge(as_series(taken_back), as_series(corrected)).usable.tolist() == [False]
    fact = fact_of(SCRAP)
    assert fact is not None
    assert fact.role == "scrap_booked"
    assert 0 <= fact.seq < 2**53


def test_a_corrected_reading_takes_the_place_of_the_recorded_one() -> None:
    recorded = Series.of([START], [12.0])
    entry = Entry("r", READING, START, START, 13.0, role="total")
    assert merge(recorded, as_series(entry)).value.tolist() == [13.0]
    assert merge(as_series(entry), recorded).revision.tolist() == [1]
    state = fact_of(Entry("r", READING, START, START, "IDLE", role="state"))
    assert state is not None
    assert (state.value, state.text) == (text_code("IDLE"), "IDLE")
    assert merge(recorded, as_series(entry.revised(usable=False))).usable.tolist() == [False]


def test_reasons_orders_and_products_are_intervals_and_nothing_else_is() -> None:
    for kind in SPANS:
        interval = interval_of(replace(STOP, kind=kind).revised(usable=False))
        assert interval is not None
        assert (interval.kind, interval.value, interval.revision, interval.usable) == (kind, STOP.value, 1, False)
        assert fact_of(replace(STOP, kind=kind)) is None
    assert interval_of(SCRAP) is None


def test_two_entries_of_one_moment_have_stamps_of_their_own_within_it() -> None:
    stamps = {stamp_ns(replace(SCRAP, id=str(n))) for n in range(50)}
    assert len(stamps) == 50
    assert {stamp // 1_000_000 for stamp in stamps} == {START}


def test_the_id_of_a_row_tells_equal_rows_apart_by_their_number() -> None:
    assert id_of_row("press", SCRAP, 0) == id_of_row("press", replace(SCRAP, by="me", booked_ms=7), 0)
    assert len({id_of_row("press", SCRAP, 0), id_of_row("press", SCRAP, 1), id_of_row("weld", SCRAP, 0)}) == 3


WRONG = {
    "no asset 'pres'; did you mean 'press'": ("pres", SCRAP),
    "no kind 'forecast'": ("press", replace(SCRAP, kind="forecast")),
    "no count 'energy': write total, good, scrap, rework, inspected, passed": ("press", replace(SCRAP, role="energy")),
    "write a whole number": ("press", replace(SCRAP, value=1.5)),
    "0.0 is no number of parts": ("press", replace(SCRAP, value=0.0)),
    "'five' is no number of parts": ("press", replace(SCRAP, value="five")),
    "nan is no number of parts": ("press", replace(SCRAP, value=float("nan"))),
    "has no role 'rpm'": ("press", Entry("r", READING, START, START, 1.0, role="rpm")),
    "state is a text": ("press", Entry("r", READING, START, START, 1.0, role="state")),
    "total is a number": ("press", Entry("r", READING, START, START, "12", role="total")),
    "a stop needs its end": ("press", replace(STOP, to_ms=FOREVER_MS)),
    "ends before it begins": ("press", replace(STOP, to_ms=START)),
    "is no name": ("press", replace(STOP, value=" ")),
    "lies in the future: 100 s ahead of the gateway's clock": ("press", replace(SCRAP, from_ms=START + 700_000)),
    "lies in the future: 3 days ahead": ("press", replace(STOP, to_ms=START + 600_000 + 3 * 86_400_000)),
    "inspected of press is not counted, .* write `inspected: { kind: booked }`": (
        "press",
        replace(SCRAP, role="inspected"),
    ),
    "more than 400 days ahead": ("press", replace(STOP, kind="order", from_ms=START + 401 * 86_400_000, to_ms=2**61)),
    "older than the facts that are kept": ("press", replace(SCRAP, from_ms=START - 3_600_001)),
    "id: is empty": ("press", replace(SCRAP, id="")),
    "note: at most 500": ("press", replace(SCRAP, note="x" * 501)),
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_cannot_be_booked_is_refused_with_what_to_write(problem: str) -> None:
    rules = Bookable(Kit().models, {"press": START - 3_600_000}, START + 600_000)
    asset, entry = WRONG[problem]
    with pytest.raises(ValueError, match=problem):
        rules.check(asset, entry)


def test_a_product_or_reason_that_the_config_does_not_have_is_refused_once_it_has_any() -> None:
    kit = Kit()
    product = replace(STOP, kind="product", value="cup-2")
    Bookable(kit.models, {}, START + 600_000).check("press", product)
    Bookable(kit.models, {}, START + 600_000).check("press", STOP)
    known = replace(kit.models["weld"], ideal_by_product={"cup-1": 5, "lid": 7})
    reasons = replace(kit.models["press"], reasons={"mechanical": TimeClass.FAULT, "mechanical/belt": TimeClass.FAULT})
    rules = Bookable({"weld": known, "press": reasons}, {}, START + 600_000)
    with pytest.raises(ValueError, match="no product 'cup-2'; did you mean 'cup-1'"):
        rules.check("press", product)
    with pytest.raises(ValueError, match="no reason 'mechanical/bearing'; did you mean"):
        rules.check("press", STOP)
    rules.check("press", replace(product, value="lid"))
    rules.check("press", STOP.revised(usable=False))


def test_what_can_be_booked_is() -> None:
    rules = Bookable(Kit().models, {}, START + 600_000)
    ahead = replace(STOP, kind="planned", from_ms=START + 86_400_000, to_ms=START + 90_000_000, value="team meeting")
    running = replace(STOP, kind="order", to_ms=FOREVER_MS, value="A-4711")
    for entry in (SCRAP, STOP, ahead, running, replace(SCRAP, value=-2.0)):
        rules.check("press", entry)


def test_parts_are_booked_where_something_counts_them() -> None:
    def check(role: str, *bound: str) -> None:
        bindings = {name: Binding(name, -1, "booked") for name in bound}
        model = replace(Kit().models["press"], bindings=bindings)
        Bookable({"press": model}, {}, START + 600_000).check("press", replace(SCRAP, role=role))

    for role in ("total", "good", "scrap", "rework"):  # any two counts give the third, and rework is taken from good
        check(role, "total", "good")
    check("passed", "total", "passed")
    check("scrap", "total", "scrap")
    for role, *bound in (("scrap", "energy"), ("scrap", "total"), ("rework", "total"), ("passed", "total", "good")):
        with pytest.raises(ValueError, match=f"{role} of press is not counted"):
            check(role, *bound)


def test_the_tag_of_entries_is_a_text_of_the_asset() -> None:
    assert entry_tag("press").name == "press/entry"


def test_a_stop_takes_a_reason_of_the_tree_where_there_is_one() -> None:
    press = replace(Kit().models["press"], reasons={"mechanical": TimeClass.FAULT, "mechanical/bearing": None})
    rules = Bookable({"press": press}, {}, START + 600_000)
    rules.check("press", replace(STOP, value="mechanical/bearing"))
    with pytest.raises(ValueError, match="no reason 'mechanical/baering'; did you mean 'mechanical/bearing'"):
        rules.check("press", replace(STOP, value="mechanical/baering"))
    rules.check("press", replace(STOP, value="of an older tree", usable=False))  # it can still be withdrawn

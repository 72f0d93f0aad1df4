"""Minutes split by product and order; what holds for every history, however busy."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.asset import AssetModel, Binding, TimeClass
from gateway.kpi.buckets import MINUTE_MS, Buckets, buckets, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.facts import FOREVER_MS, Series, text_code
from gateway.kpi.intervals import Interval
from gateway.kpi.split import by_minute
from tests.unit.gateway.kpi.busy import busy_histories
from tests.unit.gateway.kpi.machines import (
    SPAN_MS,
    T0,
    UNWATCHED,
    History,
    adds_up,
    alone_as_among_others,
    history,
    machine,
)

US = 1_000_000
MINUTE = T0 // MINUTE_MS
OUTSIDE = ("planned_stop", "maintenance", "unplanned")
CLASSES = [one.label for one in TimeClass] + ["unplanned"]


@given(busy_histories(), st.lists(st.integers(0, SPAN_MS), max_size=6))
@settings(deadline=None, max_examples=150)
def test_any_partition_of_time_adds_up_to_the_whole(what: History, cuts: list[int]) -> None:
    adds_up(what, cuts)


@given(busy_histories())
@settings(deadline=None, max_examples=80)
def test_a_minute_computed_alone_is_the_minute_computed_among_others_and_so_are_its_slices(what: History) -> None:
    for minute, alone, whole in alone_as_among_others(what):
        assert split(alone, minute) == split(whole, minute)


@given(busy_histories())
@settings(deadline=None, max_examples=100)
def test_the_slices_of_a_minute_add_up_to_it(what: History) -> None:
    whole = what.buckets(T0, T0 + SPAN_MS)
    says = {"product", "order"} & set(what.model.bindings)
    for row, minute in enumerate(whole.minute.tolist()):
        parts = split(whole, minute)
        if says or parts:
            assert np.sum(list(parts.values()), axis=0).tolist() == whole.values[:, row].tolist()


@given(busy_histories())
@settings(deadline=None, max_examples=100)
def test_classes_fill_the_period_and_parts_are_one_sum(what: History) -> None:
    sums = what.buckets(T0, T0 + SPAN_MS).total()
    passed_ms = min(what.horizon_ms, T0 + SPAN_MS) - T0
    assert sum(sums[f"time_{name}"] for name in CLASSES) == passed_ms * 1000
    assert sums["planned"] == passed_ms * 1000 - sum(sums[f"time_{name}"] for name in OUTSIDE)
    assert sums["energy"] == sum(sums[f"energy_{name}"] for name in CLASSES)
    assert 0 <= sums["time_order"] <= sums["planned"]
    assert sums["minor_stops"] <= sums["stops"]
    assert sums["output"] == sums["total"]
    bound = {"total", "good", "scrap"} & set(what.model.bindings)
    if len(bound) == 2:
        assert sums["total"] == sums["good"] + sums["scrap"] + sums["rework"]


def split(found: Buckets, minute: int) -> dict[tuple[str, str], list[int]]:
    return {
        (one.product, one.order): one.values[:, one.minute.tolist().index(minute)].tolist()
        for one in found.slices
        if minute in one.minute
    }


def q(values: list[int], name: str) -> int:
    return values[quantities.index(name)]


def maker(*roles: str, **changes: object) -> AssetModel:
    """A machine that says product and order as numbers."""
    plain = machine("state", "total", "good", "energy")
    more = {role: Binding(role, 60 + n, hold=UNWATCHED) for n, role in enumerate(roles)}
    settings = {"bindings": {**plain.bindings, **more}, "ideal_by_product": {"7": 1_000_000, "8": 5_000_000}}
    return replace(plain, **(settings | changes))  # type: ignore[arg-type]


def test_a_change_inside_a_minute_splits_time_energy_and_parts_to_the_millisecond() -> None:
    model = maker("product", "order")
    parts = {-1: 0, 20: 2, 40.2: 5, 55: 6}
    what = history(
        model,
        60,
        state={-1: 1},
        total=parts,
        good=parts,
        energy={0: 0.0, 60: 0.06},
        product={-500: 7, 40.25: 8},
        order={-500: 1001, 50: 0},
    )
    found = what.buckets(T0, T0 + 60_000)
    parts_of = split(found, MINUTE)
    assert set(parts_of) == {("7", "1001"), ("8", "1001"), ("8", "")}
    seven, eight, none = parts_of["7", "1001"], parts_of["8", "1001"], parts_of["8", ""]
    assert [q(one, "time_producing") for one in (seven, eight, none)] == [40_250_000, 9_750_000, 10_000_000]
    assert [q(one, "energy_producing") for one in (seven, eight, none)] == [40_250, 9_750, 10_000]
    assert [q(one, "total") for one in (seven, eight, none)] == [5, 0, 1]
    assert [q(one, "ideal_total") for one in (seven, eight, none)] == [5 * US, 0, 5 * US]
    assert found["time_order"].tolist() == [50 * US]
    assert found["ideal_good"].tolist() == [5 * US + 5 * US]


def test_a_lost_scan_changes_no_product_and_a_long_held_one_needs_no_new_reading() -> None:
    what = history(maker("product"), 120, state={-1: 1}, product={-90_000: 7, 30: None})
    assert {(one.product, one.order) for one in what.buckets(T0 + 60_000, T0 + 120_000).slices} == {("7", "")}


def test_names_come_from_the_texts_that_the_source_wrote() -> None:
    model = maker("product")
    named = replace(model.bindings["product"], is_text=True)
    model = replace(model, bindings={**model.bindings, "product": named}, ideal_by_product={"lid, blue": 3_000_000})
    product = Series.of([T0 - 5, T0 + 30_000], [text_code("lid, blue"), text_code("lid, red")])
    plain = history(model, 60, state={-1: 1}, total={-1: 0, 10: 4, 50: 6}, good={-1: 0})
    what = replace(plain, facts={**plain.facts, "product": product})
    texts = {text_code("lid, blue"): "lid, blue"}
    found = split_with(what, texts)
    red = f"#{int(text_code('lid, red')):x}"
    assert {product: q(row, "ideal_total") for (product, _), row in found.items()} == {
        "lid, blue": 12 * US,
        red: 4 * US,  # the ideal time of the asset
    }


def split_with(what: History, texts: dict[float, str]) -> dict[tuple[str, str], list[int]]:
    end = T0 + 60_000
    found = buckets(what.model, what.segments(T0, end), what.near(T0, end), (), T0, end, texts)
    return split(found, MINUTE)


def test_an_interval_goes_before_the_tag_and_ends_where_it_says() -> None:
    said = (
        Interval("a", "order", T0 + 15_000, T0 + 45_000, "SO-1"),
        Interval("b", "product", T0 - 5, FOREVER_MS, "8"),
        Interval("c", "product", T0, FOREVER_MS, "7", usable=False),
    )
    what = replace(history(maker("order"), 120, state={-1: 1}, order={-9: 5}), intervals=said)
    found = {key: q(row, "planned") // US for key, row in split(what.buckets(T0, T0 + 120_000), MINUTE).items()}
    assert found == {("8", "5"): 30, ("8", "SO-1"): 30}


def test_without_roles_only_the_minutes_of_an_interval_have_slices() -> None:
    said = (Interval("a", "order", T0 + 90_000, T0 + 100_000, "SO-1"),)
    what = replace(history(maker(), 240, state={-1: 1}), intervals=said)
    found = what.buckets(T0, T0 + 240_000)
    assert {minute for one in found.slices for minute in one.minute.tolist()} == {MINUTE + 1}
    assert {key: q(row, "planned") // US for key, row in split(found, MINUTE + 1).items()} == {
        ("", ""): 50,
        ("", "SO-1"): 10,
    }


def test_slices_of_time_to_come_are_none() -> None:
    what = history(maker("product"), 120, horizon_s=50, state={-1: 1}, product={-1: 7})
    found = by_minute(what.buckets(T0, T0 + 120_000).slices)
    assert {minute - MINUTE: len(parts) for minute, parts in found.items()} == {0: 1}


def test_a_machine_that_says_neither_has_no_slices() -> None:
    what = history(machine(calendar=Calendar.always("UTC")), 60, state={0: 1})
    assert what.buckets(T0, T0 + 60_000).slices == ()

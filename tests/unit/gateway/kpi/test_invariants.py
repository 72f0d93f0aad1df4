"""What must hold whatever a machine reports: additivity, identities, order, bounds."""

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import CATALOGUE, Result, combine, evaluate
from gateway.kpi.facts import Series, merge_all
from tests.oracle import world
from tests.oracle.anything import SPAN_MS, T0, Life, lives
from tests.oracle.bridge import derived, facts, quantities_of, slices_of

PLANNED = ("producing", "setup", "idle", "fault", "blocked", "starved", "minor_stop", "unknown")
OUTSIDE = ("planned_stop", "maintenance", "unplanned")
LOSSES = ("breakdown", "setup", "minor_stops", "speed", "defects", "startup", "unknown")
few = settings(max_examples=100, deadline=None)


def sums(life: Life, from_ms: int = T0, to_ms: int = T0 + SPAN_MS) -> Counter[str]:
    """Σ of every quantity of a range; negative ones stay."""
    found: Counter[str] = Counter()
    for row in quantities_of(derived(life.machine, life.story, from_ms, to_ms, life.horizon_ms).buckets).values():
        found.update(row)
    return found


def values(found: dict[str, Result]) -> dict[str, float]:
    return {kpi: result.value for kpi, result in found.items() if result.value is not None}


@few
@given(lives(), st.lists(st.integers(1, SPAN_MS - 1), max_size=6, unique=True))
def test_sums_over_any_partition_of_time_are_those_of_the_whole(life: Life, cuts: list[int]) -> None:
    edges = [T0, *(T0 + cut for cut in sorted(cuts)), T0 + SPAN_MS]
    parts: Counter[str] = Counter()
    for low, high in pairwise(edges):
        parts.update(sums(life, low, high))
    whole = sums(life)
    assert {name: parts[name] for name in quantities} == {name: whole[name] for name in quantities}


@few
@given(lives(), st.integers(1, 19))
def test_a_minute_alone_is_the_same_as_in_the_whole(life: Life, minute: int) -> None:
    low = T0 + minute * 60_000
    whole = quantities_of(derived(life.machine, life.story, T0, T0 + SPAN_MS, life.horizon_ms).buckets)
    alone = quantities_of(derived(life.machine, life.story, low, low + 60_000, life.horizon_ms).buckets)
    assert alone == {low // 60_000: whole[low // 60_000]}


@few
@given(lives())
def test_times_of_all_classes_fill_the_period(life: Life) -> None:
    for row in quantities_of(derived(life.machine, life.story, T0, T0 + SPAN_MS, life.horizon_ms).buckets).values():
        assert sum(row[f"time_{name}"] for name in PLANNED) == row["planned"]
        assert row["planned"] + sum(row[f"time_{name}"] for name in OUTSIDE) == 60_000_000
        assert all(row[f"time_{name}"] >= 0 for name in (*PLANNED, *OUTSIDE))
        assert 0 <= row["time_order"] <= row["planned"]


@few
@given(lives())
def test_energy_by_class_is_all_energy(life: Life) -> None:
    for row in quantities_of(derived(life.machine, life.story, T0, T0 + SPAN_MS, life.horizon_ms).buckets).values():
        assert sum(row[f"energy_{name}"] for name in (*PLANNED, *OUTSIDE)) == row["energy"]


@few
@given(lives())
def test_the_slices_of_products_and_orders_make_up_the_minute(life: Life) -> None:
    found = derived(life.machine, life.story, T0, T0 + SPAN_MS, life.horizon_ms).buckets
    if not found.slices:
        return
    parts: dict[int, Counter[str]] = {}
    for (minute, _, _), row in slices_of(found).items():
        parts.setdefault(minute, Counter()).update(row)
    whole = quantities_of(found)
    for minute, row in parts.items():  # where nothing is told of products and orders there is nothing to split
        assert {name: row[name] for name in quantities} == {name: whole[minute][name] for name in quantities}


@few
@given(lives(), st.integers(0, 2**32))
def test_order_repetition_and_splitting_of_facts_change_no_bit(life: Life, seed: int) -> None:
    dice = random.Random(seed)
    once = derived(life.machine, life.story, T0, T0 + SPAN_MS, life.horizon_ms).buckets
    again = derived(life.machine, world.again(dice, life.story), T0, T0 + SPAN_MS, life.horizon_ms).buckets
    assert once.values.tobytes() == again.values.tobytes()
    for series in facts(life.story).values():
        rows = np.array([dice.randrange(3) for _ in range(len(series))])
        split = [series.at(np.flatnonzero(rows == n)) for n in dice.sample(range(3), 3)]
        assert merge_all([*split, split[0], Series.empty()]) == series


@few
@given(lives())
def test_oee_is_availability_times_effectiveness_times_quality(life: Life) -> None:
    row = sums(life)
    found = values(evaluate(row))
    if {"availability", "effectiveness", "quality_rate"} <= found.keys() and row["ideal_total"]:
        product = found["availability"] * found["effectiveness"] * row["ideal_good"] / row["ideal_total"]
        assert found["oee"] == pytest.approx(product, abs=1e-12)
        assert found["oee"] == pytest.approx(row["ideal_good"] / row["planned"], abs=1e-12)
        classic = found["availability_classic"] * found["performance_classic"] * row["ideal_good"] / row["ideal_total"]
        assert found["oee_classic"] == pytest.approx(classic, abs=1e-12)


@few
@given(lives())
def test_the_losses_are_the_planned_time_that_was_not_spent_on_good_parts(life: Life) -> None:
    row = sums(life)
    found = values(evaluate(row))
    losses = [found[f"loss_{name}"] for name in LOSSES]
    assert sum(losses) == pytest.approx((row["planned"] - row["ideal_good"]) / 1e6, abs=1e-6)


@few
@given(lives())
def test_every_value_lies_between_its_bounds(life: Life) -> None:
    found = evaluate(sums(life))
    for kpi, result in found.items():
        if result.value is None:
            assert result.reason, kpi
            assert result.low is None
            assert result.high is None
        else:
            assert np.isfinite(result.value)
            assert result.reason == ""
            if result.low is not None and result.high is not None:
                assert result.low <= result.value <= result.high, kpi


@few
@given(lives())
def test_without_unknown_time_bounds_and_value_are_one(life: Life) -> None:
    row = sums(life)
    row["planned"] -= row["time_unknown"]
    row["time_unknown"] = 0
    for kpi, result in evaluate(row).items():
        if result.low is not None and result.high is not None and result.value is not None:
            assert result.low == pytest.approx(result.value), kpi
            assert result.high == pytest.approx(result.value), kpi


@few
@given(lives())
def test_every_result_names_its_method(life: Life) -> None:
    assert [kpi for kpi, result in evaluate(sums(life)).items() if result.value is not None and not result.method] == []


@few
@given(lives(), lives(), lives())
def test_a_group_of_parallel_machines_is_the_ratio_of_sums_and_lies_between_its_members(
    one: Life, two: Life, three: Life
) -> None:
    members = [sums(life) for life in (one, two, three)]
    whole = combine(members)
    assert whole["planned"] == sum(row["planned"] for row in members)
    found = values(evaluate(whole))
    each = [share for row in members if (share := values(evaluate(row)).get("availability")) is not None]
    if each:
        assert min(each) - 1e-12 <= found["availability"] <= max(each) + 1e-12
        weighted = sum(row["time_producing"] for row in members) / sum(row["planned"] for row in members)
        assert found["availability"] == pytest.approx(weighted)


@few
@given(lives())
def test_shares_and_scores_lie_between_0_and_1(life: Life) -> None:
    found = values(evaluate(sums(life)))
    shares = (
        "availability",
        "availability_classic",
        "utilization_efficiency",
        "allocation_efficiency",
        "loading",
        "technical_efficiency",
        "setup_ratio",
        "coverage",
        "inherent_availability",
        "corrective_ratio",
        *(kpi.id for kpi in CATALOGUE if kpi.code.startswith("D")),
    )
    assert {kpi: found[kpi] for kpi in shares if not 0 <= found.get(kpi, 0) <= 1} == {}

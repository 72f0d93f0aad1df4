"""Capability from sums: against the textbook's formulas, in any order of arrival, over any hours."""

import asyncio
import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.kpi.asset import Binding, Hold, Measure
from gateway.kpi.capable import Measured, capabilities, least
from gateway.kpi.catalogue import STANDARD
from gateway.kpi.check_config import MeasureConfig
from gateway.kpi.facts import Series
from gateway.kpi.measures import HOUR_MS, Capability, capability, hour_of
from gateway.kpi.query import KpiReader
from tests.unit.gateway.kpi.gauge import DIAMETER, REPORTED, gauged, measured_rows
from tests.unit.gateway.kpi.kit import START, Kit, dump, fed

POLLED = replace(REPORTED, hold=Hold(polled=True, period_ms=1000))
HOUR = START // HOUR_MS


def of(
    values: Mapping[int, float] | list[float], measure: Measure = DIAMETER, binding: Binding = REPORTED
) -> Capability:
    """Capability of values at seconds of one hour."""
    at: Mapping[int, float] = values if isinstance(values, Mapping) else dict(enumerate(values))
    series = Series.of([HOUR * HOUR_MS + round(second * 1000) for second in at], list(at.values()))
    return capability([hour_of(series, binding, measure, HOUR)], measure.lsl, measure.usl)


def test_the_indices_are_those_of_the_textbook() -> None:
    values = [10 + 0.01 * (n * 7 % 11 - 5) for n in range(60)]
    found = of(values)
    ranges = [max(values[n : n + 5]) - min(values[n : n + 5]) for n in range(0, 60, 5)]
    within = statistics.fmean(ranges) / 2.326
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    assert found.n == 60
    assert found.mean == pytest.approx(mean, abs=1e-7)
    assert found.cp == pytest.approx(0.2 / (6 * within), rel=1e-5)
    assert found.cpk == pytest.approx(min(10.1 - mean, mean - 9.9) / (3 * within), rel=1e-5)
    assert found.cm == pytest.approx(0.2 / (6 * deviation), rel=1e-5)
    assert found.cmk == pytest.approx(min(10.1 - mean, mean - 9.9) / (3 * deviation), rel=1e-5)
    assert found.reasons == {}


def test_the_example_of_the_guide_is_right() -> None:
    text = Path("docs/kpi/quality.md").read_text()
    (block,) = re.findall(r"```yaml example-capability\n(.*?)```", text, re.DOTALL)
    example = yaml.safe_load(block)
    found = of(example["values"] * example["repeat"], MeasureConfig(tag="t", **example["limits"]).measure)
    shown = example["results"]
    assert {name: round(getattr(found, name), 4) for name in shown} == shown


@pytest.mark.parametrize(
    ("values", "reason"),
    [([10.0] * 49, "49 values: needs 50"), ([], "no measured values"), ([10.0] * 60, "all values are the same")],
)
def test_without_enough_values_or_spread_there_is_a_reason(values: list[float], reason: str) -> None:
    found = of(values)
    assert (found.cp, found.cpk, found.cm, found.cmk) == (None, None, None, None)
    assert set(found.reasons.values()) == {reason}


def test_a_measure_with_one_limit_has_the_one_sided_indices_only() -> None:
    values = [n % 7 * 0.1 for n in range(60)]
    found = of(values, Measure(None, 2.0, 5, 1e-4))
    assert found.cp is None
    assert found.reasons == {"cp": "needs both limits", "cm": "needs both limits"}
    assert found.cpk is not None
    assert found.cmk == pytest.approx((2 - statistics.fmean(values)) / (3 * statistics.stdev(values)), rel=1e-3)


def test_a_process_off_centre_outside_its_limits_has_a_negative_cpk() -> None:
    found = of([10.2 + 0.001 * (n % 5) for n in range(60)])
    assert found.cp is not None
    assert found.cp > 1
    assert found.cpk is not None
    assert found.cpk < 0


def test_a_polled_value_counts_when_it_changes_and_a_reported_one_each_time() -> None:
    shown = {second: 10 + 0.01 * (second // 10 % 4) for second in range(200)}
    assert of(shown, binding=POLLED).n == 20
    assert of(shown, binding=REPORTED).n == 200


def test_a_value_that_is_far_from_any_limit_is_left_out_and_counted() -> None:
    found = of([10.0 + 0.001 * (n % 5) for n in range(55)] + [0.0, 1e300])
    assert (found.n, found.left_out) == (55, 2)


def test_hours_with_other_limits_and_steps_add_up_exactly() -> None:
    values = [10 + 0.01 * (n * 7 % 11 - 5) for n in range(120)]
    fine, coarse = DIAMETER, Measure(9.0, 11.0, 4, 0.01)
    times = [HOUR * HOUR_MS + 1000 * n for n in range(60)]
    one = hour_of(Series.of(times, values[:60]), REPORTED, fine, HOUR)
    other = hour_of(Series.of([t + HOUR_MS for t in times], values[60:]), REPORTED, coarse, HOUR + 1)
    found = capability([one, other], 9.9, 10.1)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.deviation == pytest.approx(statistics.stdev(values), rel=1e-6)
    assert found.groups == 60 // 5 + 60 // 4


@given(st.lists(st.integers(-800_000, 800_000), min_size=50, max_size=150))
@settings(deadline=None, max_examples=60)
def test_sums_give_what_the_values_give_and_least_is_never_above_both(steps: list[int]) -> None:
    values = [10 + step * 2e-7 for step in steps]
    found = of(values)
    spread = statistics.pstdev(steps) > 0
    assert (found.cm is not None) == spread
    if found.cm is not None and found.cmk is not None:
        assert found.deviation == pytest.approx(statistics.stdev(values), rel=1e-6)
        assert found.cmk <= found.cm + 1e-9
    if found.cp is not None and found.cpk is not None:
        assert found.cpk <= found.cp + 1e-9


async def test_the_engine_keeps_the_same_hours_in_whatever_order_and_pieces_values_arrive(tmp_path: Path) -> None:
    kit = Kit()
    tag = gauged(kit)
    rows = measured_rows(kit, tag, 100)
    mixed = [*rows[3000:], *rows[:3000], *rows[100:700]]
    await fed(kit, tmp_path / "a.db", kit.records(rows, 500))
    await fed(kit, tmp_path / "b.db", kit.records(mixed, 77))
    hours = dump(tmp_path / "a.db", "measure")
    assert hours == dump(tmp_path / "b.db", "measure")
    assert len(hours["measure"]) == 2
    values = np.array([value for number, _, value in rows if number == tag], np.float64)
    await asyncio.to_thread(_asked, tmp_path / "a.db", values)


def _asked(path: Path, values: NDArray[np.float64]) -> None:
    reader = KpiReader(path, STANDARD)
    (found,) = capabilities(reader, "weld", "", START - HOUR_MS, START + 2 * HOUR_MS)
    assert found.found.n == 100
    assert found.found.cm == pytest.approx(0.2 / (6 * values.std(ddof=1)), rel=1e-6)
    site = capabilities(reader, "site/plant", "day", START - 86_400_000, START + 86_400_000)
    assert {one.asset for one in site} == {"weld"}
    indices = {one.index: one.value for one in least(site)}
    assert indices["cmk"] == min(one.found.cmk for one in site if one.found.cmk is not None)
    reader.close()


def test_the_least_of_several_measures_is_that_of_the_worst_process() -> None:
    good, bad = of([10 + 0.001 * (n % 7) for n in range(60)]), of([10 + 0.02 * (n % 7) for n in range(60)])
    every = [Measured(asset, "diameter", 0, 1, "", 9.9, 10.1, one) for asset, one in (("a", good), ("b", bad))]
    every.append(Measured("c", "diameter", 0, 1, "", 9.9, 10.1, of([])))
    assert {(one.index, one.asset) for one in least(every)} == {(index, "b") for index in ("cp", "cpk", "cm", "cmk")}
    assert math.isclose(least(every)[0].value, bad.cp or 0)

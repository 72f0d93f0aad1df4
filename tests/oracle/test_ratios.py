"""The catalogue against the formulas in fractions, over random sums."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import CATALOGUE, evaluate
from tests.oracle.machine import CLASSES, OUTSIDE
from tests.oracle.ratios import FORMULAS

ELSEWHERE = {"idle_energy_share", "co2e", "carbon_intensity", "loss_unknown", "quality_rate_weighted"}
"""Held to by the golden cases: they need a grid factor, or are parts of others."""


@st.composite
def sums(draw: st.DrawFn) -> dict[str, int]:
    """Sums of a window in which every quantity may be nothing."""
    big = st.one_of(st.just(0), st.integers(0, 10**12))
    found = {name: draw(big) for name in quantities}
    found |= {
        name: draw(st.integers(0, 2000)) for name in ("stops", "minor_stops", "faults", "total", "rework", "inspected")
    }
    found["good"] = draw(st.integers(0, found["total"] + 1))
    found["scrap"] = found["total"] - found["good"]
    found["output"] = found["total"]
    found["planned"] = sum(found[f"time_{name}"] for name in CLASSES)
    return found | {
        f"dq_{name}": 0 for name in ("expected", "received", "checked", "accurate", "in", "bad", "time", "live")
    }


@settings(max_examples=300, deadline=None)
@given(sums())
def test_every_kpi_is_its_formula(row: dict[str, int]) -> None:
    found = evaluate(row)
    for kpi, formula in FORMULAS.items():
        expected, result = formula(row), found[kpi]
        if expected is None:
            assert result.value is None, kpi
            assert result.reason, kpi
        else:
            assert result.value is not None, (kpi, result.reason)
            assert result.value == pytest.approx(float(expected), rel=1e-12, abs=1e-12), kpi


def test_no_kpi_of_the_groups_p_q_and_m_goes_without_a_second_look() -> None:
    checked = {kpi.id for kpi in CATALOGUE if kpi.code[:1] in ("P", "Q", "M")}
    assert checked - FORMULAS.keys() - ELSEWHERE <= {"cpk"}


def test_the_classes_of_time_are_all_known_to_both() -> None:
    assert {name.removeprefix("time_") for name in quantities if name.startswith("time_")} == {
        *CLASSES,
        *OUTSIDE,
        "order",
    }

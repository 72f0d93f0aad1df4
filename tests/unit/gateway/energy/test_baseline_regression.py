"""The fit against normal equations solved in fractions, and against numpy's least squares."""

from fractions import Fraction
from math import isclose, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.energy.baseline.regression import Model, NoFit, Statistics, fit
from gateway.energy.baseline.student import quantile, within

Array = NDArray[np.float64]


def inverted(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """By Gauss and Jordan, exactly."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for at in range(size):
        pivot = next(i for i in range(at, size) if rows[i][at] != 0)
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for i in range(size):
            if i != at:
                rows[i] = [a - rows[i][at] * b for a, b in zip(rows[i], rows[at], strict=True)]
    return [row[size:] for row in rows]


class Oracle:
    """(X'X)⁻¹X'y and what follows from it, in fractions, from its own definition."""

    def __init__(self, energy: Array, drivers: Array) -> None:
        y = [Fraction(value) for value in energy.tolist()]
        self.x = [[Fraction(1), *map(Fraction, row)] for row in drivers.tolist()]
        size = len(self.x[0])
        self.inverse = inverted([[sum(r[i] * r[j] for r in self.x) for j in range(size)] for i in range(size)])
        products = [sum(r[i] * v for r, v in zip(self.x, y, strict=True)) for i in range(size)]
        self.b = [sum(a * p for a, p in zip(row, products, strict=True)) for row in self.inverse]
        self.residuals = [
            v - sum(b * x for b, x in zip(self.b, r, strict=True)) for v, r in zip(y, self.x, strict=True)
        ]
        self.n, self.dof = len(y), len(y) - size
        self.sse = sum(r * r for r in self.residuals)
        self.mean = sum(y) / len(y)
        self.sst = sum((v - self.mean) ** 2 for v in y)
        self.variance = self.sse / self.dof

    def error(self, at: list[Fraction]) -> float:
        return sqrt(self.variance * sum(a * self.inverse[i][j] * b for i, a in enumerate(at) for j, b in enumerate(at)))


def near(got: float, true: float, scale: float = 1.0) -> bool:
    return isclose(got, true, rel_tol=1e-7, abs_tol=1e-9 * scale)


def random_case(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 5))
    n = int(rng.integers(k + 2, 60))
    drivers = np.round(rng.normal(rng.uniform(-500, 5000, k), rng.uniform(0.5, 800, k), (n, k)), 3)
    energy = rng.uniform(0, 900) + drivers @ rng.uniform(-1, 3, k) + rng.normal(0, rng.uniform(0.1, 300), n)
    return np.round(energy, 3), drivers


@pytest.mark.parametrize("seed", range(40))
def test_fit_is_what_the_normal_equations_say(seed: int) -> None:
    energy, drivers = random_case(seed)
    model, found = fit(energy, drivers, [f"x{j}" for j in range(drivers.shape[1])])
    true = Oracle(energy, drivers)
    scale = float(np.abs(energy).max())
    assert all(near(a, float(b), scale) for a, b in zip((model.base, *model.slopes), true.b, strict=True))
    assert near(model.sd, sqrt(true.variance), scale)
    assert near(found.r2, float(1 - true.sse / true.sst))
    assert near(found.r2_adjusted, float(1 - true.variance / (true.sst / (true.n - 1))))
    assert near(found.cv_rmse, sqrt(true.variance) / abs(float(true.mean)))
    errors = [sqrt(true.variance * true.inverse[j][j]) for j in range(len(true.b))]
    assert all(near(a, b) for a, b in zip(found.errors, errors, strict=True))
    assert all(near(t, float(b) / e, 1e3) for t, b, e in zip(found.t, true.b, errors, strict=True))
    following = sum(a * b for a, b in zip(true.residuals[1:], true.residuals, strict=False)) / true.sse
    assert near(found.following, float(following))


@pytest.mark.parametrize("seed", range(40))
def test_errors_of_forecasts_are_those_of_the_normal_equations(seed: int) -> None:
    energy, drivers = random_case(seed)
    model, _ = fit(energy, drivers, [f"x{j}" for j in range(drivers.shape[1])])
    true = Oracle(energy, drivers)
    later = drivers[:5] * 1.1
    rows = [[Fraction(1), *map(Fraction, row)] for row in later.tolist()]
    for got, row in zip(model.error_of_line(later), rows, strict=True):
        assert near(got, true.error(row))
    for got, row in zip(model.error_of_period(later), rows, strict=True):
        assert near(got, sqrt(true.variance + Fraction(true.error(row)) ** 2))
    together = [sum(column) for column in zip(*rows, strict=True)]
    expected = sqrt(len(rows) * true.variance + Fraction(true.error(together)) ** 2)
    assert near(model.error_of_sum(later), expected)


@pytest.mark.parametrize("seed", range(40))
def test_inflation_is_that_of_each_driver_fitted_on_the_others(seed: int) -> None:
    energy, drivers = random_case(seed)
    names = [f"x{j}" for j in range(drivers.shape[1])]
    _, found = fit(energy, drivers, names)
    for j, inflation in enumerate(found.inflation):
        others = np.column_stack([np.ones(len(energy)), np.delete(drivers, j, axis=1)])
        left = drivers[:, j] - others @ np.linalg.lstsq(others, drivers[:, j], rcond=None)[0]
        apart = drivers[:, j] - drivers[:, j].mean()
        assert isclose(inflation, float(apart @ apart) / float(left @ left), rel_tol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_fit_agrees_with_numpy_and_leaves_residuals_that_no_driver_explains(seed: int) -> None:
    energy, drivers = random_case(seed)
    model, _ = fit(energy, drivers, [f"x{j}" for j in range(drivers.shape[1])])
    with_base = np.column_stack([np.ones(len(energy)), drivers])
    best = np.linalg.lstsq(with_base, energy, rcond=None)[0]
    assert np.allclose(model.expected(drivers), with_base @ best, rtol=1e-7, atol=1e-6)
    residuals = energy - model.expected(drivers)
    assert abs(residuals.sum()) < 1e-6 * np.abs(energy).sum()
    assert np.all(np.abs(drivers.T @ residuals) < 1e-7 * np.abs(drivers.T) @ np.abs(energy))


def test_a_large_constant_in_a_driver_costs_no_digits() -> None:
    """As a timestamp or a meter's register would have: X'X in floats would lose the slope altogether."""
    x = 1.7e9 + np.arange(20.0)
    model, found = fit(3.0 + 2.0 * (x - 1.7e9), x[:, None], ["x"])
    assert isclose(model.slopes[0], 2.0, rel_tol=1e-9)
    assert found.r2 > 1 - 1e-12


def test_the_line_of_the_furnace_gives_the_lectures_24_991_therms() -> None:
    """Test vector: E = 9831 + 15.16·P over eight weeks, at 1000 t."""
    tonnes = np.array([980.0, 1240, 610, 1530, 1390, 720, 1105, 1660])
    wobble = np.array([1.0, -1, 0, 0, 0, 0, 0, 0])
    wobble -= np.polyval(np.polyfit(tonnes, wobble, 1), tonnes)  # scatter that leaves the line where it is
    model, _ = fit(9831 + 15.16 * tonnes + 400 * wobble, tonnes[:, None], ["tonnes"])
    assert isclose(model.base, 9831, rel_tol=1e-9)
    assert isclose(model.slopes[0], 15.16, rel_tol=1e-9)
    assert round(float(model.expected(np.array([[1000.0]]))[0])) == 24_991


def refusal(energy: list[float], drivers: list[list[float]], names: list[str]) -> str:
    with pytest.raises(NoFit) as caught:
        fit(np.array(energy), np.array(drivers, np.float64), names)
    return str(caught.value)


def test_what_data_cannot_tell_is_refused_with_its_reason() -> None:
    assert "2 periods are too few for 1 drivers" in refusal([1, 2], [[1], [2]], ["total"])
    assert "energy is 5 in every period" in refusal([5, 5, 5], [[1], [2], [4]], ["total"])
    still = refusal([1, 2, 4, 4], [[1, 24], [2, 24], [3, 24], [5, 24]], ["total", "hours"])
    assert "hours (24)" in still
    assert "total" not in still


def test_drivers_that_follow_from_each_other_are_named_and_the_others_are_not() -> None:
    rng = np.random.default_rng(7)
    a, b, free = rng.normal(100, 20, (3, 30))
    drivers = np.column_stack([a, free, b, 2 * a - 3 * b + 5])
    text = refusal(list(rng.normal(0, 1, 30)), drivers.tolist(), ["good", "hdd", "scrap", "total"])
    assert text.startswith("good, scrap, total are collinear")


def test_an_exact_line_has_no_infinite_numbers() -> None:
    model, found = fit(np.array([2.0, 4, 6, 8]), np.array([[1.0], [2], [3], [4]]), ["total"])
    assert isclose(model.slopes[0], 2)
    assert all(np.isfinite([*found.t, *found.p, found.cv_rmse, found.following, *found.errors]))


# Two-sided quantiles as printed in any table of Student's t.
@pytest.mark.parametrize(
    ("confidence", "dof", "t"),
    [
        *((0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 10, 2.228)),
        *((0.95, 29, 2.045), (0.95, 120, 1.980), (0.99, 7, 3.499), (0.90, 15, 1.753), (0.999, 5, 6.869)),
    ],
)
def test_student_has_the_quantiles_of_the_tables(confidence: float, dof: int, t: float) -> None:
    assert round(quantile(confidence, dof), 3) == t
    assert isclose(within(quantile(confidence, dof), dof), confidence, rel_tol=1e-8)


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 9, 30, 365])
def test_student_is_the_integral_of_its_density(dof: int) -> None:
    x = np.linspace(0, 2.5, 200_001)
    density = (1 + x**2 / dof) ** (-(dof + 1) / 2)
    angle = np.linspace(0, np.pi / 2, 200_001)
    whole = np.trapezoid(np.cos(angle) ** (dof - 1), angle) * sqrt(dof)  # ∫₀^∞ of the density, by x = √dof·tan
    assert isclose(within(2.5, dof), float(np.trapezoid(density, x) / whole), rel_tol=1e-8)


def test_statistics_and_model_are_plain_numbers() -> None:
    """They go into JSON, where numpy's own would not."""
    model, found = fit(*random_case(3), ["a", "b", "c", "d"][: random_case(3)[1].shape[1]])
    for record, kind in ((model, Model), (found, Statistics)):
        for name in kind.__dataclass_fields__:
            value = getattr(record, name)
            flat = np.array(value, object).ravel().tolist() if isinstance(value, tuple) else [value]
            assert {type(one) for one in flat} <= {float, int}, name

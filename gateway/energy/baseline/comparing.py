"""A baseline against what happened: EnPI, savings, CUSUM, drift, and savings at normal conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Final, Literal

import numpy as np

from gateway.energy.baseline.record import Baseline, Period, driver_columns, energies
from gateway.energy.baseline.regression import Column, Model
from gateway.energy.baseline.student import quantile

CONFIDENCE: Final = 0.95
SLACK: Final = 0.5
"""k of the tabular CUSUM, in standard errors: a lasting change of 1 is found soonest."""
LIMIT: Final = 5.0
"""h of the tabular CUSUM, in standard errors: with k = 0.5 one false alarm in about 465 periods."""

_ROUNDING: Final = 1e-9
"""Of the energy: below this the residuals of a line that fits exactly are rounding."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A lasting change that the CUSUM test found.

    direction  more: more energy than the baseline expects; less: a saving
    since, at  first period of the change as it looks now, and the period in which it was found (indices)
    mean       energy − expected per period, from `since` to `at`
    """

    direction: Literal["more", "less"]
    since: int
    at: int
    mean: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """m periods against a baseline. Signs: `differences` and `cusum` are energy − expected, so down is a saving;
    `savings` is expected − energy, so above 0 is a saving.

    expected       float64[m]
    differences    float64[m]  energy − expected
    cusum          float64[m]  running sum of the differences
    errors         float64[m]  standard error of each difference
    outside        per period: which drivers lie outside the range in which the baseline was fitted, and that range
    energy, total  Σ energy, Σ expected
    uncertainty    half width of the 95 % interval of the savings
    drifts         what the CUSUM test found, in order
    """

    periods: tuple[Period, ...]
    expected: Column
    differences: Column
    cusum: Column
    errors: Column
    outside: tuple[tuple[str, ...], ...]
    energy: float
    total: float
    uncertainty: float
    drifts: tuple[Drift, ...]

    @property
    def enpi(self) -> float | None:
        """Σ energy / Σ expected: below 1 is better than the baseline. None where nothing was expected."""
        return self.energy / self.total if self.total > _ROUNDING * abs(self.energy) else None

    @property
    def improvement(self) -> float | None:
        """1 − EnPI: above 0 is better."""
        return None if self.enpi is None else 1 - self.enpi

    @property
    def savings(self) -> float:
        """Σ expected − Σ energy: above 0 is saved."""
        return self.total - self.energy

    @property
    def is_certain(self) -> bool:
        """Whether the savings, or the excess, are larger than their uncertainty."""
        return abs(self.savings) > self.uncertainty

    @property
    def extrapolated(self) -> int:
        """Periods outside the fitted range."""
        return sum(map(bool, self.outside))


@dataclass(frozen=True, slots=True)
class Normalised:
    """Two lines at the same conditions. savings: of a period, expected by the first − by the second; above 0 is saved.

    uncertainty  half width of its 95 % interval
    """

    before: float
    after: float
    savings: float
    uncertainty: float


def compare(baseline: Baseline, periods: Sequence[Period]) -> Comparison:
    """What was used against what the baseline expects of the same drivers; at least one period, in order of time."""
    drivers, energy = driver_columns(periods), energies(periods)
    expected = baseline.model.expected(drivers)
    differences = energy - expected
    errors = np.maximum(baseline.model.error_of_period(drivers), _ROUNDING * max(1.0, float(np.abs(expected).max())))
    return Comparison(
        tuple(periods),
        expected,
        differences,
        np.cumsum(differences),
        errors,
        tuple(_outside(baseline, row) for row in drivers.tolist()),
        float(energy.sum()),
        float(expected.sum()),
        quantile(CONFIDENCE, baseline.model.dof) * baseline.model.error_of_sum(drivers),
        drifts(differences, errors),
    )


def drifts(differences: Column, errors: Column) -> tuple[Drift, ...]:
    """Lasting changes of energy − expected, by the tabular CUSUM test.

    Each difference is divided by its standard error; two sums, one for more and one for less energy, grow by what
    exceeds `SLACK` and never fall below 0. A sum above `LIMIT` is a drift that began where it last left 0; both sums
    then begin anew.

    Args:
        differences, errors: float64[m], errors above 0.
    Source: E. S. Page, Continuous Inspection Schemes, Biometrika 41 (1954); k and h as recommended by
        D. C. Montgomery, Introduction to Statistical Quality Control (run length 465 without a change).
    """
    found: list[Drift] = []
    sums, since = [0.0, 0.0], [0, 0]
    for at, size in enumerate((differences / errors).tolist()):
        for side, grown in enumerate((size, -size)):
            if sums[side] == 0:
                since[side] = at
            sums[side] = max(0.0, sums[side] + grown - SLACK)
        if max(sums) > LIMIT:
            side = int(sums[1] > sums[0])
            mean = float(differences[since[side] : at + 1].mean())
            found.append(Drift("less" if side else "more", since[side], at, mean))
            sums = [0.0, 0.0]
    return tuple(found)


def normalised(before: Model, after: Model, conditions: Sequence[float]) -> Normalised:
    """Savings of a period at normal conditions: Ê_before(x) − Ê_after(x), above 0 is saved.

    Args:
        before, after: the baseline's model and that of the reporting period, with the same drivers.
        conditions: the drivers of a normal period.
    Source: ISO 50006 and IPMVP, savings normalised to conditions; the errors of the two lines are independent.
    """
    at = np.array([conditions], np.float64)
    first, second = (float(model.expected(at)[0]) for model in (before, after))
    halves = [quantile(CONFIDENCE, model.dof) * float(model.error_of_line(at)[0]) for model in (before, after)]
    return Normalised(first, second, first - second, hypot(*halves))


def outside(names: Sequence[str], ranges: Sequence[tuple[float, float]], drivers: Sequence[float]) -> tuple[str, ...]:
    """Drivers outside a range, each with that range."""
    rows = zip(names, drivers, ranges, strict=True)
    return tuple(
        f"{name} {x:.6g} not in {low:.6g} … {high:.6g}" for name, x, (low, high) in rows if not low <= x <= high
    )


def _outside(baseline: Baseline, drivers: Sequence[float]) -> tuple[str, ...]:
    return outside(baseline.names, baseline.ranges, drivers)

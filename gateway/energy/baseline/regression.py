"""Ordinary least squares of energy on its drivers, how well they fit, and how sure a forecast is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.energy.baseline.student import within

Column = NDArray[np.float64]
_MOST: Final = 1e12
_ALIKE: Final = 1e-9
"""Below this share of the largest singular value, drivers are one and the same."""


class NoFit(ValueError):  # noqa: N818  # what the data cannot tell, rather than a fault
    """No line goes through these data; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Model:
    """Ê = base + Σ slopes·x, and what its forecasts rest on. k drivers, n periods.

    base      energy of a period in which every driver is 0
    means     of the drivers over the fitted periods
    inverse   k × k: inverse of the drivers' sums of squares and products about their means
    sd        standard deviation of the residuals, √(SSE/(n − k − 1))
    """

    base: float
    slopes: tuple[float, ...]
    means: tuple[float, ...]
    inverse: tuple[tuple[float, ...], ...]
    sd: float
    n: int

    @property
    def dof(self) -> int:
        """Degrees of freedom, n − k − 1."""
        return self.n - len(self.slopes) - 1

    def expected(self, drivers: Column) -> Column:
        """Energy of periods. drivers: float64[m, k]. Returns float64[m]."""
        return np.asarray(self.base + drivers @ np.array(self.slopes), np.float64)

    def error_of_line(self, drivers: Column) -> Column:
        """Standard error of the line itself at float64[m, k]: what better data would take away. Returns float64[m]."""
        apart = drivers - np.array(self.means)
        leverage = 1 / self.n + np.einsum("mi,ij,mj->m", apart, np.array(self.inverse), apart)
        return np.asarray(self.sd * np.sqrt(leverage), np.float64)

    def error_of_period(self, drivers: Column) -> Column:
        """Standard error of energy − forecast for single periods at float64[m, k]. Returns float64[m]."""
        return np.hypot(self.sd, self.error_of_line(drivers))

    def error_of_sum(self, drivers: Column) -> float:
        """Standard error of Σ(energy − forecast) over the periods float64[m, k]; the line's error is common to all."""
        count = len(drivers)
        apart = (drivers - np.array(self.means)).sum(axis=0)
        return self.sd * sqrt(count + count**2 / self.n + float(apart @ np.array(self.inverse) @ apart))


@dataclass(frozen=True, slots=True)
class Statistics:
    """How well a line fits n periods.

    r2, r2_adjusted  share of the variance that the drivers explain; adjusted for their number
    cv_rmse          √(SSE/(n − k − 1)) / mean energy
    mean             energy of a period
    errors, t, p     of base and slopes: standard error, coefficient/error, probability of so large a |t| by chance
    inflation        of each driver: 1/(1 − R² of it on the others); 1 where it stands alone
    following        correlation of each residual with the one before
    """

    n: int
    r2: float
    r2_adjusted: float
    cv_rmse: float
    mean: float
    errors: tuple[float, ...]
    t: tuple[float, ...]
    p: tuple[float, ...]
    inflation: tuple[float, ...]
    following: float


def fit(energy: Column, drivers: Column, names: Sequence[str]) -> tuple[Model, Statistics]:
    """The line with the least squares.

    Args:
        energy: float64[n]. drivers: float64[n, k], one column per name, k ≥ 1.
    Raises: NoFit: too few periods, an energy or driver that never changes, drivers that say the same.
    Source: ISO 50006 (linear regression model of an energy baseline); formulas as in any textbook on regression.
    """
    n, k = drivers.shape
    _must_be_fit(energy, drivers, names)
    means, scales = drivers.mean(axis=0), drivers.std(axis=0)
    scaled = (drivers - means) / scales
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    _must_differ(sizes, right, names)
    slopes = (right.T @ ((left.T @ (energy - energy.mean())) / sizes)) / scales
    inverse = (right.T / sizes**2) @ right / np.outer(scales, scales)
    residuals = energy - energy.mean() - (drivers - means) @ slopes
    sse, sst = float(residuals @ residuals), float(((energy - energy.mean()) ** 2).sum())
    sd = sqrt(sse / (n - k - 1))
    base = float(energy.mean() - means @ slopes)
    model = Model(base, _row(slopes), _row(means), tuple(map(_row, inverse)), sd, n)
    errors = sd * np.sqrt([1 / n + means @ inverse @ means, *np.diag(inverse)])
    t = tuple(_ratio(value, error) for value, error in zip((base, *slopes), errors, strict=True))
    return model, Statistics(
        *(n, 1 - sse / sst, 1 - (sse / (n - k - 1)) / (sst / (n - 1)), _ratio(sd, abs(energy.mean()))),
        *(float(energy.mean()), _row(errors), t, tuple(max(0.0, 1 - within(one, n - k - 1)) for one in t)),
        _row(np.diag(inverse) * (n * scales**2)),
        _following(residuals, sse),
    )


def _must_be_fit(energy: Column, drivers: Column, names: Sequence[str]) -> None:
    n, k = drivers.shape
    if n < k + 2:
        raise NoFit(f"{n} periods are too few for {k} drivers: {k + 2} at the very least, 12 or more in practice")
    if np.ptp(energy) == 0:
        raise NoFit(f"energy is {energy[0]:g} in every period: there is nothing that drivers could explain")
    still = [f"{name} ({column[0]:g})" for name, column in zip(names, drivers.T, strict=True) if np.ptp(column) == 0]
    if still:
        raise NoFit(f"the same in every period, so its part cannot be told from the base: {', '.join(still)}")


def _must_differ(sizes: Column, right: Column, names: Sequence[str]) -> None:
    if sizes[-1] <= _ALIKE * sizes[0]:
        part = np.abs(right[-1])
        alike = [name for name, share in zip(names, part, strict=True) if share > 0.01 * part.max()]
        raise NoFit(f"{', '.join(alike)} are collinear, each follows from the others: leave one out")


def _row(values: Column) -> tuple[float, ...]:
    return tuple(map(float, values))


def _ratio(value: float, error: float) -> float:
    """Cut off where a fit is exact: JSON knows no infinity."""
    return max(-_MOST, min(_MOST, float(value / error))) if error > 0 else copysign(_MOST, value) * (value != 0)


def _following(residuals: Column, sse: float) -> float:
    return float(residuals[1:] @ residuals[:-1]) / sse if sse > 0 else 0.0

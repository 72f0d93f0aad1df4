"""Student's t distribution with whole degrees of freedom, as finite sums."""

from math import atan, cos, pi, sin, sqrt
from typing import Final

_MOST: Final = 1e9


def within(t: float, dof: int) -> float:
    """The probability that |T| ≤ |t|.

    Args:
        t: any number. dof: degrees of freedom, at least 1.
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = atan(abs(t) / sqrt(dof))
    square = cos(angle) ** 2
    odd = dof % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for step in range(2 + odd, dof + 1, 2):
        total += term
        term *= square * (step - 1) / step
    return (2 / pi) * (angle + sin(angle) * total) if odd else sin(angle) * total


def quantile(confidence: float, dof: int) -> float:
    """The t within whose ± a share `confidence` of the distribution lies, to 1e-9 of itself."""
    low, high = 0.0, 1.0
    while within(high, dof) < confidence and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, dof) < confidence else (low, middle)
    return high

"""Whether a fitted line can be used as a baseline: what practice asks of it, each with its reason."""

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Final

from gateway.energy.baseline.record import Check
from gateway.energy.baseline.regression import Model, Statistics

ENOUGH: Final = 12
"""Periods; practice asks for 10 to 12 at least."""
R2: Final = 0.75
CV_RMSE: Final = 0.25
CHANCE: Final = 0.05
INFLATION: Final = 10.0


def checks(model: Model, found: Statistics, names: Sequence[str], hours: Sequence[float] = ()) -> tuple[Check, ...]:
    """Every check with its outcome; a warning does not forbid a baseline, but stays with it wherever it is used.

    hours: how long each period was; where `hours` is no driver, the base load takes them to be equally long
    """
    return tuple(
        Check(check, "warning" if bad else "ok", text)
        for check, bad, text in (*_checks(model, found, names), *_lengths(names, hours))
    )


def chance(p: float) -> str:
    """A probability as text; what is smaller than rounding leaves of it is only bounded."""
    return f"{p:.2g}" if p >= 1e-9 else "< 1e-9"


def _checks(model: Model, found: Statistics, names: Sequence[str]) -> Iterator[tuple[str, bool, str]]:
    few = found.n < ENOUGH
    yield "periods", few, f"{found.n} periods" + f", fewer than {ENOUGH}: fit again when there are more" * few
    weak = found.r2 < R2
    yield "R²", weak, f"{found.r2:.3f}" + f", below {R2}: a driver is missing, or energy is not linear in them" * weak
    wide = found.cv_rmse > CV_RMSE
    yield "CV(RMSE)", wide, f"{found.cv_rmse:.1%}" + f", above {CV_RMSE:.0%}: small savings cannot be seen" * wide
    for name, slope, p, inflation in zip(names, model.slopes, found.p[1:], found.inflation, strict=True):
        doubtful = p > CHANCE
        text = f"p {chance(p)}" + ": may be no driver at all; fit without it, or over more periods" * doubtful
        yield f"significance of {name}", doubtful, text
        alike = inflation > INFLATION
        text = f"inflation {inflation:.3g}" + f", above {INFLATION:g}: follows the other drivers; leave one out" * alike
        yield f"collinearity of {name}", alike, text
        falls = slope < 0
        yield f"sign of {name}", falls, f"{slope:.4g}" + ": energy falls as it grows; a driver is missing?" * falls
    negative = model.base < 0 and found.t[0] < -2
    yield "base", negative, f"{model.base:.5g}" + ": below 0; energy is not linear in its drivers" * negative
    follows = abs(found.following) > 2 / sqrt(found.n)
    text = f"{found.following:.2f}" + ": residuals follow one another, so errors are understated" * follows
    yield "correlation of neighbours", follows, text


def _lengths(names: Sequence[str], hours: Sequence[float]) -> Iterator[tuple[str, bool, str]]:
    if hours and "hours" not in names:
        uneven = max(hours) > 1.15 * min(hours)
        text = (
            f"{min(hours):g} to {max(hours):g} h" + ": the base belongs to none of them; add the driver hours" * uneven
        )
        yield "lengths of periods", uneven, text

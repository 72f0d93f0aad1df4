"""Periods → a baseline."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from gateway.energy.baseline.checking import checks
from gateway.energy.baseline.periods import Collected, NoPeriods
from gateway.energy.baseline.record import Ask, Baseline, driver_columns, energies, short
from gateway.energy.baseline.regression import fit


def fitted(
    name: str, ask: Ask, found: Collected, span: tuple[int, int], zone: ZoneInfo, static: Mapping[str, str]
) -> Baseline:
    """A baseline that nobody has signed or stored yet: version 0.

    Raises: NoPeriods: there is none that can be used. NoFit: no line goes through them.
    """
    names = tuple(map(short, ask.drivers))
    if not found.periods:
        why = f": {found.left_out[0].reason}" if found.left_out else ""
        raise NoPeriods(f"no {ask.period} of {ask.owner or ask.data} in this range can be used{why}")
    model, statistics = fit(energies(found.periods), driver_columns(found.periods), names)
    judged = checks(model, statistics, names, tuple((one.end_ms - one.start_ms) / 3.6e6 for one in found.periods))
    return Baseline(
        *(name, 0, 0, "", "", ask, zone.key, *span, found.units, model, statistics, judged, dict(static)),
        *(found.members, found.periods, found.left_out),
    )

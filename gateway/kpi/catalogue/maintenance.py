"""M01–M04: failures and repair."""

from functools import partial
from typing import Final

from gateway.kpi.catalogue.row import HOUR, Kpi

_mean = partial(Kpi, unit="h", per=HOUR, standard="ISO 22400-2", method="by state")

MAINTENANCE: Final[tuple[Kpi, ...]] = (
    _mean(
        *("mtbf", "M01", "Mean operating time between failures", "TBF / FE"),
        clause="KPI 31",
        zero="no failure in {:.4g} h of operation: at least that",
    ),
    _mean(
        *("mttf", "M01", "Mean time to failure", "TTF / FE"),
        clause="KPI 32",
        zero="no failure in {:.4g} h of production: at least that",
    ),
    _mean("mttr", "M02", "Mean time to restoration", "TTR / FE", clause="KPI 33", zero="no failure"),
    Kpi(
        *("inherent_availability", "M03", "Inherent availability", "TBF / (TBF + TTR)"),
        standard="IEC 60050-192",
        method="by state",
        inputs=("fault",),
        zero="no operation and no failure",
    ),
    Kpi(
        *("corrective_ratio", "M04", "Corrective maintenance ratio", "TTR / (TTR + time_maintenance)"),
        standard="ISO 22400-2",
        clause="KPI 34",
        method="by state",
        inputs=("fault",),
        zero="no failure and no maintenance",
    ),
)

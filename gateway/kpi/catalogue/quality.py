"""Q01–Q05: quality of what was made."""

from functools import partial
from typing import Final

from gateway.kpi.catalogue.row import EVERY, Kpi

_iso = partial(Kpi, standard="ISO 22400-2", method="iso")
TOO_MANY: Final = "good parts exceed all parts: look at both counters"
_GOOD: Final = "good_exceeds_total"

QUALITY: Final[tuple[Kpi, ...]] = (
    Kpi(
        *("quality_rate_weighted", "Q01", "Quality rate by ideal time", "ideal_good / ideal_total"),
        standard="ISO 22400-2",
        clause="KPI 10, several products",
        method="weighted by ideal time",
        refused=TOO_MANY,
        suspect=_GOOD,
        zero="no parts with an ideal time",
    ),
    _iso(
        *("quality_rate", "Q01", "Quality rate", "good / total"),
        clause="KPI 10",
        instead="quality_rate_weighted",
        refused=TOO_MANY,
        suspect=_GOOD,
        windows=EVERY,
    ),
    _iso("scrap_ratio", "Q02", "Scrap ratio", "scrap / total", clause="KPI 16", refused="scrap exceeds all parts"),
    _iso("rework_ratio", "Q03", "Rework ratio", "rework / total", clause="KPI 17", refused="rework exceeds all parts"),
    _iso(
        *("first_pass_yield", "Q04", "First pass yield", "passed / inspected"),
        clause="KPI 15",
        rollup="P",
        refused="more parts passed than were inspected",
    ),
)

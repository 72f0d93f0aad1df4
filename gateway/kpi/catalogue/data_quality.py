"""D01–D04: accurate, sufficient, clean, live; the least of them says how good every other KPI is."""

from functools import partial
from typing import Final

from gateway.kpi.catalogue.row import Kpi

_score = partial(Kpi, standard="ISO/IEC 25024", method="counted")

DATA_QUALITY: Final[tuple[Kpi, ...]] = (
    _score(
        *("data_accurate", "D01", "Accurate data", "dq_accurate / dq_checked"),
        clause="Acc-I-1",
        zero="nothing was checked",
    ),
    _score(
        *("data_sufficient", "D02", "Sufficient data", "dq_received / dq_expected"),
        clause="Com-I",
        zero="nothing was expected",
    ),
    _score("data_clean", "D03", "Clean data", "(dq_in - dq_bad) / dq_in", clause="Con-I", zero="nothing came in"),
    _score("data_live", "D04", "Live data", "dq_live / dq_time", clause="Cur-I-2", zero="no time was watched"),
)

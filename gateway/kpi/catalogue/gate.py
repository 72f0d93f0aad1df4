"""How good the data behind a KPI is: the least of four scores, for a product would hide one bad factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gateway.kpi.catalogue.data_quality import DATA_QUALITY
from gateway.kpi.catalogue.formula import Formula, compiled

Status = Literal["good", "uncertain", "bad", ""]
_SCORES: Final = tuple(kpi.id for kpi in DATA_QUALITY)
_FRACTIONS: Final = compiled([Formula.parse(kpi.formula, {}) for kpi in DATA_QUALITY])


@dataclass(frozen=True, slots=True)
class Gate:
    """From which score on a KPI is good, from which on uncertain; below it is bad."""

    good: float = 0.95
    uncertain: float = 0.80

    def status(self, sums: Mapping[str, int]) -> Status:
        """What the scores over these sums make of every KPI; "": nothing was scored."""
        found = scores(sums)
        if not found:
            return ""
        least = min(found.values())
        return "good" if least >= self.good else "uncertain" if least >= self.uncertain else "bad"


def scores(sums: Mapping[str, int]) -> dict[str, float]:
    """The scores that were counted: accurate, sufficient, clean, live."""
    found = zip(_SCORES, _FRACTIONS(sums.get), strict=True)
    return {kpi: above / below for kpi, (above, below) in found if below}

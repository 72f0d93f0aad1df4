"""Time elements of ISO 22400-2: which class of time counts as which is a setting, since the standards disagree."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

from gateway.kpi.catalogue.formula import Terms


class Element(StrEnum):
    """Where a class of time belongs."""

    APT = "APT"
    AUST = "AUST"
    ADET = "ADET"
    ADOT = "ADOT"
    PDOT = "PDOT"


Divisor = Literal["FE", "FE+1"]
CLASSES: Final[Mapping[str, Element]] = {
    "producing": Element.APT,
    "setup": Element.AUST,
    "minor_stop": Element.ADET,
    "fault": Element.ADET,
    "blocked": Element.ADET,
    "starved": Element.ADET,
    "idle": Element.ADOT,
    "planned_stop": Element.PDOT,
    "maintenance": Element.PDOT,
}
"""Class of time → element, unless the config says otherwise. Unknown time is planned busy time, but no element."""
_OUTSIDE: Final = ("planned_stop", "maintenance")
MEANINGS: Final[Mapping[str, str]] = {
    "APT": "actual production time",
    "AUST": "actual unit set-up time",
    "ADET": "actual unit delay time",
    "ADOT": "actual unit down time, available but not used",
    "AUPT": "actual unit processing time, APT + AUST",
    "AUBT": "actual unit busy time, AUPT + ADET",
    "PBT": "planned busy time",
    "PDOT": "planned down time",
    "POT": "planned operation time, PBT + PDOT",
    "run": "classic run time: producing and minor stops",
    "period": "all time",
    "TBF": "operating time between failures, AUPT",
    "TTF": "operating time to failure, APT",
    "TTR": "time to restoration: faults",
    "FE": "failures",
}


def elements(moved: Mapping[str, Element] | None = None, divisor: Divisor = "FE") -> dict[str, Terms]:
    """Element → the sum of quantities that it stands for.

    Args:
        moved: classes of time that count as another element than in `CLASSES`.
        divisor: what the times of failures are divided by: failures, or failures + 1 for the interval that is open.
    """
    belongs = {**CLASSES, **(moved or {})}
    one = {element.value: _times(*(kind for kind, own in belongs.items() if own is element)) for element in Element}
    inside = [kind for kind in _OUTSIDE if belongs[kind] is not Element.PDOT]
    outside = [kind for kind in belongs if kind not in _OUTSIDE and belongs[kind] is Element.PDOT]
    return {
        **one,
        "AUPT": one["APT"] + one["AUST"],
        "AUBT": one["APT"] + one["AUST"] + one["ADET"],
        "PBT": ((1, "planned"), *_times(*inside), *_times(*outside, sign=-1)),
        "POT": ((1, "planned"), *_times(*_OUTSIDE)),
        "run": _times("producing", "minor_stop"),
        "period": ((1, "planned"), *_times(*_OUTSIDE, "unplanned")),
        "TBF": one["APT"] + one["AUST"],
        "TTF": one["APT"],
        "TTR": _times("fault"),
        "FE": ((1, "faults"),) + (((1, ""),) if divisor == "FE+1" else ()),
    }


def _times(*kinds: str, sign: int = 1) -> Terms:
    return tuple((sign, f"time_{kind}") for kind in kinds)

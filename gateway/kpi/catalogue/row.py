"""A KPI as data."""

from dataclasses import dataclass
from typing import Final

EVERY: Final = ("minute", "hour", "shift", "day", "week", "month")
LONG: Final = EVERY[1:]
HOURS: Final = 1 / 3.6e9
"""Hours of a µs."""
PER_HOUR: Final = 3.6e9
SECONDS: Final = 1e-6
"""Seconds of a µs."""
KWH: Final = 1e-6
"""Kilowatt hours of a mWh (a milliwatt hour, not a mega)."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One row: value = formula over summed bucket quantities × scale (× grid factor).

    formula   see `Formula`; names are bucket quantities and time elements
    low       of the lower bound where time is unknown; "" beside a `high`: the value itself, all of it down
    high      of the upper bound, all of it up at ideal speed; "" beside a `low`: the value itself
    grid      multiplied by the grid emission factor
    rollup    R: ratio of sums, S: sum, P: of a serial line the product over its machines
    windows   where it is published and listed; over a product, an order or any range it can be asked for as well
    inputs    what it takes beside what its quantities need
    above_one a value above 1 carries this flag …
    refused   … or is refused with this reason
    follows   KPIs whose flags it takes over
    instead   the KPI whose value it takes where that has one
    zero      the reason where there is nothing to divide by; {} is what stands above the line, in its unit
    """

    id: str
    code: str
    name: str
    formula: str
    unit: str = "1"
    scale: float = 1.0
    low: str = ""
    high: str = ""
    grid: bool = False
    rollup: str = "R"
    windows: tuple[str, ...] = LONG
    standard: str = ""
    clause: str = ""
    method: str = ""
    inputs: tuple[str, ...] = ()
    above_one: str = ""
    refused: str = ""
    follows: tuple[str, ...] = ()
    instead: str = ""
    zero: str = ""

    @property
    def is_bounded(self) -> bool:
        """Whether unknown time gives it bounds."""
        return bool(self.low or self.high)

    @property
    def source(self) -> str:
        """Standard and clause in one text, "" where it follows none."""
        return ", ".join(part for part in (self.standard, self.clause) if part)

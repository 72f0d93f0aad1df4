"""A KPI as data."""

from dataclasses import dataclass
from typing import Final

EVERY: Final = ("minute", "hour", "shift", "day", "week", "month")
LONG: Final = EVERY[1:]
HOUR: Final = 3_600_000_000
"""In µs."""
SECOND: Final = 1_000_000
"""In µs."""
KWH: Final = 1_000_000
"""In mWh (milliwatt hours, not mega)."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """One row: value = formula over summed bucket quantities × times ÷ per (× grid factor).

    formula   see `Formula`; names are bucket quantities and time elements
    low       of the lower bound where time is unknown; "" beside a `high`: the value itself, all of it down
    high      of the upper bound, all of it up at ideal speed; "" beside a `low`: the value itself
    per       how much of the formula's unit makes one of `unit`; times: the other way round
    grid      multiplied by the grid emission factor
    rollup    R: ratio of sums, S: sum, P: of a serial line the product over its machines
    windows   where it is published and listed; over a product, an order or any range it can be asked for as well
    inputs    what it takes beside what its quantities need
    above_one a value above 1 carries this flag …
    refused   … or is refused with this reason, and the flag `suspect`
    follows   KPIs whose flags it takes over
    instead   the KPI whose value it takes where that has one
    zero      the reason where there is nothing to divide by; {} is what stands above the line, in its unit
    """

    id: str
    code: str
    name: str
    formula: str
    unit: str = "1"
    per: int = 1
    times: int = 1
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
    suspect: str = "parts_exceed_total"
    follows: tuple[str, ...] = ()
    instead: str = ""
    zero: str = ""

    @property
    def is_bounded(self) -> bool:
        """Whether unknown time gives it bounds."""
        return bool(self.low or self.high)

    @property
    def spelled(self) -> str:
        """The formula with the factor that it is multiplied by."""
        return f"{self.formula} * grid factor" if self.grid else self.formula

    @property
    def source(self) -> str:
        """Standard and clause in one text, "" where it follows none."""
        return ", ".join(part for part in (self.standard, self.clause) if part)

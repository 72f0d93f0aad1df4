"""The kinds of records in a pack: what holds from when to when, who published it where, and how sure that is."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from gateway.fields import Section
from gateway.walltime import Days, SpanField

Key = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Band = Literal["peak", "normal", "off_peak"]
BANDS: Final[tuple[Band, ...]] = ("peak", "normal", "off_peak")

_KG_PER_KWH: Final = {"tCO2/MWh": 1.0, "tCO2e/MWh": 1.0, "kgCO2/kWh": 1.0, "kgCO2e/kWh": 1.0, "gCO2e/kWh": 0.001}
_UNITS: Final = {
    "grid_electricity": frozenset(_KG_PER_KWH),
    "toe": frozenset({"toe/kWh", "toe/t", "toe/m3", "toe/L", "GJ/toe"}),
    "ncv": frozenset({"GJ/t"}),
    "density": frozenset({"kg/L"}),
    "co2": frozenset({"kg/TJ"}),
    "co2_biogenic": frozenset({"kg/TJ"}),
    "ch4": frozenset({"kg/TJ"}),
    "n2o": frozenset({"kg/TJ"}),
    "gwp": frozenset({"kgCO2e/kg"}),
}
"""Units that may follow the first or last word of a factor's key, so that no unit is taken for another."""


class Record(Section):
    """What all kinds of records have in common.

    valid_to   last day; absent: until further notice
    data_year  the year whose data it describes, where that is not the years of validity
    variant    tells apart records of one key that contradict each other; a site chooses one in its config
    preferred  the variant that applies where a site chooses none
    verified   official: read in the issuer's own document; secondary: several independent sources agree; unverified
    """

    key: Key
    scope: str = ""
    valid_from: date
    valid_to: date | None = None
    data_year: int | None = None
    variant: Key | None = None
    preferred: bool = False
    issued_by: str
    document: str
    source_url: str = ""
    retrieved: date | None = None
    verified: Literal["official", "secondary", "unverified"]
    note: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> "Record":
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        if self.variant and not self.note:
            raise ValueError("a variant needs a `note` that says what contradicts what")
        return self

    @property
    def name(self) -> str:
        """Key, variant and year: what a list of used records shows."""
        year = self.data_year or self.valid_from.year
        return " ".join(filter(None, (self.key, self.variant, str(year))))

    def covers(self, day: date) -> bool:
        """Whether it is valid on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class FactorRecord(Record):
    """One number: a grid, fuel, heat value, TOE or warming factor."""

    value: Positive
    unit: str

    @model_validator(mode="after")
    def _unit_fits(self) -> "FactorRecord":
        words = self.key.split(".")
        units = _UNITS.get(words[0]) or _UNITS.get(words[-1])
        if units is not None and self.unit not in units:
            raise ValueError(f"unit {self.unit!r}: {self.key} has one of {', '.join(sorted(units))}")
        return self

    @property
    def kg_per_kwh(self) -> float:
        """A grid factor in kg CO2e per kWh. KeyError: its unit is not one of a grid factor."""
        return self.value * _KG_PER_KWH[self.unit]


class TariffRecord(Record):
    """Prices of electricity per kWh by band, without VAT."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    prices: dict[Band, Positive]
    vat_percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    capacity_per_kw_month: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "TariffRecord":
        missing = [band for band in BANDS if band not in self.prices]
        if missing:
            raise ValueError(f"prices: {', '.join(missing)} missing; write the same price where bands do not differ")
        return self


class HoursSpan(Section):
    """Weekdays and spans of local wall time."""

    days: Days = frozenset(range(7))
    spans: tuple[SpanField, ...]


class HoursRecord(Record):
    """Which hours of the week are peak and off-peak; all others are normal."""

    peak: tuple[HoursSpan, ...] = ()
    off_peak: tuple[HoursSpan, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> "HoursRecord":
        pieces = sorted(piece for piece, _ in self.week())
        for one, following in pairwise(pieces):
            if following[0] < one[1]:
                raise ValueError("peak and off-peak hours overlap")
        return self

    def week(self) -> list[tuple[tuple[int, int], Band]]:
        """Spans in minutes of the week (0 = Monday 00:00, below 10080) that are not normal."""
        found: list[tuple[tuple[int, int], Band]] = []
        bands: tuple[tuple[Band, tuple[HoursSpan, ...]], ...] = (("peak", self.peak), ("off_peak", self.off_peak))
        for band, parts in bands:
            for part in parts:
                for day in sorted(part.days):
                    for span in part.spans:
                        found += [(piece, band) for piece in _of_week(1440 * day + span.start_min, span)]
        return sorted(found)


class ReactiveRecord(Record):
    """The charge for a poor power factor: k = required/cosφ − 1, a fixed share below the lowest cosφ of the table."""

    required: Annotated[float, Field(gt=0, le=1)]
    lowest: Annotated[float, Field(gt=0, le=1)]
    percent_below_lowest: Positive
    from_kw: Annotated[float, Field(ge=0)] = 0.0

    def percent(self, power_factor: float) -> float:
        """The charge in percent of the active energy's price. power_factor: of the billing cycle, 0 … 1."""
        if power_factor >= self.required:
            return 0.0
        if power_factor < self.lowest:
            return self.percent_below_lowest
        return (self.required / power_factor - 1) * 100


class ThresholdRecord(Record):
    """An amount per calendar year from which an obligation applies."""

    value: Positive
    unit: Literal["toe", "tCO2e", "kWh", "t"]
    obligation: str


class NormRecord(Record):
    """The most energy per product that a sector's rule allows."""

    value: Positive
    unit: Literal["MJ/t", "MJ/hl", "kWh/t"]
    sector: str
    product: str


def _of_week(start: int, span: tuple[int, int]) -> list[tuple[int, int]]:
    """A span as minutes of the week; what runs over Sunday midnight goes on at the week's beginning."""
    week, end = 7 * 1440, start + span[1] - span[0]
    return [(start, end)] if end <= week else [(start, week), (0, end - week)]

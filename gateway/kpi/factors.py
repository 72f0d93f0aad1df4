"""Dated factors from packs: records with a source, applied at query time and named by every result."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor as it applies to a date."""

    kg_per_kwh: float
    label: str  # names the record: key, year, value, document, how well verified
    latest_available: bool = False  # no record covers the date: the newest earlier one is used


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of the configured packs."""

    def grid(self, at: date) -> Factor | None:
        """The grid emission factor for a date, None where there is no record for it or an earlier date."""
        raise NotImplementedError

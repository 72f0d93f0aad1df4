"""The grid emission factor at query time, from the packs' records."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from gateway.packs import FactorRecord, Packs

GRID: Final = "grid_electricity"


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor as it applies to a date.

    label             names the record: key, year, value, document, how well verified
    latest_available  no record covers the date: the newest earlier one is used
    """

    kg_per_kwh: float
    label: str
    latest_available: bool = False


@dataclass(frozen=True, slots=True)
class Factors:
    """The factor records of the configured packs."""

    packs: Packs = field(default_factory=Packs)

    @staticmethod
    def parse(text: str) -> "Factors":
        """The factors that `dump` wrote."""
        found = json.loads(text or "{}")
        packs = tuple(tuple(map(FactorRecord.model_validate, pack)) for pack in found.get("packs", ()))
        return Factors(Packs(packs, found.get("choices", {}), found.get("strict", False)))

    def dump(self) -> str:
        """The factors as JSON, for readers in other processes."""
        factors = [
            [r.model_dump(mode="json") for r in pack if isinstance(r, FactorRecord)] for pack in self.packs.packs
        ]
        return json.dumps({"packs": factors, "choices": dict(self.packs.choices), "strict": self.packs.strict})

    @property
    def records(self) -> tuple[FactorRecord, ...]:
        """Every factor record."""
        return tuple(self.packs.of(FactorRecord))

    def grid(self, at: date) -> Factor | None:
        """The grid emission factor for a date, None where there is no record for it or an earlier date.

        Factors are published late: a date after the last record takes that record, and the result says so.
        """
        found = self.packs.at(FactorRecord, GRID, at)
        if found is None:
            return None
        record = found.record
        text = f"{record.name}: {record.value:g} {record.unit} ({record.document}, {record.verified})"
        return Factor(record.kg_per_kwh, text + ", latest available" * found.latest_available, found.latest_available)

"""The catalogue ready for use: every row with its formulas resolved for the site's settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from gateway.kpi.catalogue.data_quality import DATA_QUALITY
from gateway.kpi.catalogue.elements import elements
from gateway.kpi.catalogue.energy import ENERGY
from gateway.kpi.catalogue.formula import Formula, Fractions, Terms, compiled
from gateway.kpi.catalogue.gate import Gate
from gateway.kpi.catalogue.inputs import inputs_of
from gateway.kpi.catalogue.maintenance import MAINTENANCE
from gateway.kpi.catalogue.own import Expression
from gateway.kpi.catalogue.productivity import PRODUCTIVITY
from gateway.kpi.catalogue.quality import QUALITY
from gateway.kpi.catalogue.row import Kpi

CATALOGUE: Final[tuple[Kpi, ...]] = (*PRODUCTIVITY, *QUALITY, *MAINTENANCE, *DATA_QUALITY, *ENERGY)
"""Every KPI that Lineside knows by itself."""
_GATE: Final = Gate()
_NOTHING: Final = Formula("", ())
"""In place of a user's own expression, which is evaluated otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    """A KPI with its formulas over bucket quantities; low and high: None where they are the value itself."""

    kpi: Kpi
    formula: Formula | Expression
    low: Formula | None = None
    high: Formula | None = None

    @staticmethod
    def of(kpi: Kpi, known: Mapping[str, Terms]) -> "Row":
        """The row with time elements resolved."""
        low, high = (Formula.parse(text, known) if text else None for text in (kpi.low, kpi.high))
        return Row(kpi, Formula.parse(kpi.formula, known), low, high)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What an asset must have for it: roles and settings, each once."""
        return tuple(dict.fromkeys((*inputs_of(self.formula.needed), *self.kpi.inputs)))


@dataclass(frozen=True)
class Catalogue:
    """The KPIs of a site: the known ones under its settings, then its own.

    elements  time element → sum of quantities
    gate      how good the data must be
    settings  what made it so, as text; "": nothing
    """

    rows: tuple[Row, ...]
    elements: Mapping[str, Terms]
    gate: Gate
    settings: str = ""
    _plans: dict[str, "Plan"] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(
        known: Mapping[str, Terms],
        own: Sequence[Row] = (),
        gate: Gate = _GATE,
        settings: str = "",
    ) -> "Catalogue":
        """The catalogue under these time elements, with a site's own rows."""
        return Catalogue((*(Row.of(kpi, known) for kpi in CATALOGUE), *own), known, gate, settings)

    def row(self, kpi: str) -> Row | None:
        """The row of a KPI by its id."""
        return self._by_id.get(kpi)

    @cached_property
    def _by_id(self) -> dict[str, Row]:
        return {row.kpi.id: row for row in self.rows}

    def plan(self, window: str) -> "Plan":
        """What to compute for a window; "" stands for any range: all KPIs."""
        if window not in self._plans:
            shown = frozenset(row.kpi.id for row in self.rows if not window or window in row.kpi.windows)
            asked = [row.kpi for row in self.rows if row.kpi.id in shown]
            wanted = shown | {other for kpi in asked for other in (*kpi.follows, kpi.instead)}
            self._plans[window] = Plan.of(shown, [row for row in self.rows if row.kpi.id in wanted])
        return self._plans[window]


@dataclass(frozen=True, slots=True)
class Plan:
    """The KPIs of a window.

    shown      those that it has
    rows       those, and others that they refer to, each with where its low and high fractions stand, −1: nowhere
    fractions  of the formulas of all rows, then those of bounds
    """

    shown: frozenset[str]
    rows: tuple[tuple[Row, int, int], ...]
    fractions: Fractions

    @staticmethod
    def of(shown: frozenset[str], rows: Sequence[Row]) -> "Plan":
        """Numbers the formulas."""
        formulas = [row.formula if isinstance(row.formula, Formula) else _NOTHING for row in rows]
        places: list[tuple[Row, int, int]] = []
        for row in rows:
            at = [-1, -1]
            for side, bound in enumerate((row.low, row.high)):
                if bound:
                    at[side] = len(formulas)
                    formulas.append(bound)
            places.append((row, at[0], at[1]))
        return Plan(shown, tuple(places), compiled(formulas))


STANDARD: Final = Catalogue.of(elements())
"""The catalogue of a site without settings of its own."""

"""Sums of a window as people and boards get them: KPI values, bounds, reasons and the factors that were used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.kpi.catalogue import STANDARD, Catalogue, Result, Status, evaluate
from gateway.kpi.catalogue.formula import Sums
from gateway.kpi.factors import Factors


@dataclass(frozen=True, slots=True)
class Kpis:
    """KPIs of one window.

    values   KPI id (also `<id>_low`, `<id>_high`, `coverage`) → value, None where there is none
    reasons  KPI id → why it has no value
    factors  KPI id → the factor record that was applied
    methods  KPI id → which way it was computed
    flags    KPI id → what makes its value suspect
    status   how good the data behind all of them is: good, uncertain, bad; "": nothing was scored
    """

    values: dict[str, float | None]
    reasons: dict[str, str]
    factors: dict[str, str]
    methods: dict[str, str] = field(default_factory=dict)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    status: Status = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns sums into results, beside the sums.

    factors    the records of the packs, applied when a result is asked for
    needs      owner → KPI id → what the owner's config lacks for it, see `available`
    catalogue  the site's KPIs
    serial     lines whose KPIs may be products over their machines
    """

    factors: Factors
    needs: Mapping[str, Mapping[str, str]]
    catalogue: Catalogue = STANDARD
    serial: frozenset[str] = frozenset()

    def published(self, owner: str, sums: Sums, day: date, window: str) -> dict[str, Result]:
        """The results that go to stores: all that follow from the owner's own sums.

        A product over the machines of a serial line does not: its revisions would need those of every machine. It is
        computed when somebody asks for it.
        """
        found = self.results(owner, sums, day, window)
        if owner in self.serial:
            products = [row.kpi.id for row in self.catalogue.rows if row.kpi.rollup == "P"]
            return {kpi: result for kpi, result in found.items() if kpi not in products}
        return found

    def results(
        self, owner: str, sums: Sums, day: date, window: str = "", steps: Sequence[Sums] = ()
    ) -> dict[str, Result]:
        """Every KPI of an owner's window on a business date, see `evaluate`."""
        return evaluate(sums, self.factors.grid(day), self.needs.get(owner), self.catalogue, window, steps)

    def kpis(self, owner: str, sums: Sums, day: date, window: str = "", steps: Sequence[Sums] = ()) -> Kpis:
        """The same as tables by KPI."""
        found = self.results(owner, sums, day, window, steps)
        return Kpis(
            {kpi: result.value for kpi, result in found.items()},
            {kpi: result.reason for kpi, result in found.items() if result.value is None},
            {kpi: ", ".join(result.factors) for kpi, result in found.items() if result.factors},
            {kpi: result.method for kpi, result in found.items() if result.method},
            {kpi: result.flags for kpi, result in found.items() if result.flags},
            self.catalogue.gate.status(sums),
        )

    def unit(self, kpi: str) -> str:
        """The unit of a KPI; bounds have their KPI's."""
        row = self.catalogue.row(kpi) or self.catalogue.row(kpi.rpartition("_")[0])
        return row.kpi.unit if row else ""

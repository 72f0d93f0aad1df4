"""What a site says about its KPIs: which class of time counts as what, how good data must be, KPIs of its own."""

from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from gateway.fields import Section
from gateway.kpi.catalogue import CATALOGUE, LONG, Catalogue, Element, Expression, Gate, Kpi, Row, elements
from gateway.kpi.catalogue.elements import Divisor

__all__ = [
    "Divisor",
    "Element",
    "GateConfig",
    "KpiSettings",
    "MovableClass",
    "OwnKpiConfig",
    "OwnName",
    "catalogue_of",
]

_TAKEN: Final = {name for kpi in CATALOGUE for name in (kpi.id, f"{kpi.id}_low", f"{kpi.id}_high")}
Window = Literal["minute", "hour", "shift", "day", "week", "month"]
MovableClass = Literal[
    "producing", "setup", "minor_stop", "fault", "blocked", "starved", "idle", "planned_stop", "maintenance"
]


def _free(name: str) -> str:
    if name in _TAKEN:
        raise ValueError(f"{name!r} is a KPI of Lineside's own: take another name")
    return name


OwnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64), AfterValidator(_free)]


class OwnKpiConfig(Section):
    """A KPI of the user's own: a formula over summed bucket quantities."""

    formula: str
    unit: str = ""
    title: str = ""
    windows: tuple[Window, ...] = LONG

    @field_validator("formula")
    @classmethod
    def _can_be_computed(cls, text: str) -> str:
        Expression.parse(text, elements())
        return text


class GateConfig(Section):
    """From which score of its data on a KPI is good, from which on uncertain."""

    good: Annotated[float, Field(ge=0, le=1)] = 0.95
    uncertain: Annotated[float, Field(ge=0, le=1)] = 0.80

    @model_validator(mode="after")
    def _in_order(self) -> "GateConfig":
        if self.uncertain > self.good:
            raise ValueError("`uncertain` must not be above `good`")
        return self


class KpiSettings(Section):
    """The part of the site's config that shapes the catalogue."""

    time_elements: dict[MovableClass, Element] = {}
    mtbf_divisor: Divisor = "FE"
    kpis: dict[OwnName, OwnKpiConfig] = {}
    data_quality: GateConfig = GateConfig()

    def catalogue(self) -> Catalogue:
        """The site's KPIs."""
        known = elements({str(kind): element for kind, element in self.time_elements.items()}, self.mtbf_divisor)
        own = [Row(_row(name, one), Expression.parse(one.formula, known)) for name, one in self.kpis.items()]
        gate = Gate(self.data_quality.good, self.data_quality.uncertain)
        return Catalogue.of(known, own, gate, self.model_dump_json(exclude_defaults=True))


@lru_cache(4)
def catalogue_of(settings: str) -> Catalogue:
    """The catalogue that names these settings; "" stands for none."""
    return KpiSettings.model_validate_json(settings or "{}").catalogue()


def _row(name: str, own: OwnKpiConfig) -> Kpi:
    title = own.title or name.replace("_", " ").capitalize()
    return Kpi(name, "", title, own.formula, own.unit, windows=own.windows, method="own formula")

"""The KPI catalogue as data: every KPI is a product of ratios of sums of bucket quantities."""

from gateway.kpi.catalogue.catalogue import CATALOGUE, STANDARD, Catalogue, Row
from gateway.kpi.catalogue.elements import MEANINGS, Element, elements
from gateway.kpi.catalogue.evaluate import EVERYBODYS, NO_GRID_FACTOR, PARTS, Result, combine, evaluate
from gateway.kpi.catalogue.formula import Formula, FormulaError, spell
from gateway.kpi.catalogue.gate import Gate, Status, scores
from gateway.kpi.catalogue.inputs import inputs_of
from gateway.kpi.catalogue.own import Expression, amounts, unit_of
from gateway.kpi.catalogue.productivity import LOSSES
from gateway.kpi.catalogue.row import EVERY, LONG, Kpi

__all__ = [
    "CATALOGUE",
    "EVERY",
    "EVERYBODYS",
    "LONG",
    "LOSSES",
    "MEANINGS",
    "NO_GRID_FACTOR",
    "PARTS",
    "STANDARD",
    "Catalogue",
    "Element",
    "Expression",
    "Formula",
    "FormulaError",
    "Gate",
    "Kpi",
    "Result",
    "Row",
    "Status",
    "amounts",
    "combine",
    "elements",
    "evaluate",
    "inputs_of",
    "scores",
    "spell",
    "unit_of",
]

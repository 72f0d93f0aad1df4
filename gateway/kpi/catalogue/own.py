"""KPIs of the user's own: an expression over bucket quantities, checked when the config is read."""

import ast
import difflib
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from simpleeval import SimpleEval

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue.formula import FormulaError, Sums, Terms, total

_OPERATORS: Final[dict[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_TIMES: Final = ("planned", "rated_total", "takt_total", "dq_time", "dq_live")
_UNITS: Final = {"h": 3.6e9, "min": 6e7, "s": 1e6}
Amount = tuple[Terms, float]
"""A sum of quantities and what to divide it by, so that it is in the unit that its name says."""


@dataclass(frozen=True)
class Expression:
    """`good / energy_kwh`: numbers, names of quantities, + - * / and brackets, over summed quantities.

    amounts  name in the text → what it stands for
    """

    text: str
    node: ast.expr = field(compare=False, repr=False)
    amounts: Mapping[str, Amount]

    @staticmethod
    def parse(text: str, elements: Mapping[str, Terms]) -> "Expression":
        """The checked expression. FormulaError: says what is wrong, and which name was probably meant."""
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as exc:
            raise FormulaError(f"{text!r} is no formula: {exc.msg}") from exc
        known = amounts(elements)
        names = dict.fromkeys(_names(node, known))
        if not names:
            raise FormulaError(f"{text!r} names no quantity")
        return Expression(text.strip(), node, {name: known[name] for name in names})

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The bucket quantities in it, each once."""
        return tuple(dict.fromkeys(name for terms, _ in self.amounts.values() for _, name in terms if name))

    @property
    def needed(self) -> tuple[str, ...]:
        """As `names`: all of them must be counted."""
        return self.names

    def fraction(self, sums: Sums) -> tuple[float, float]:
        """What stands above the last division, and what below it, 1 where there is none; (0, 0): it divides by 0."""
        above, below = self._halves
        try:
            return self._value(above, sums), 1.0 if below is None else self._value(below, sums)
        except ZeroDivisionError:
            return 0.0, 0.0

    def lacking(self, sums: Sums) -> str:
        """What is 0 where one cannot divide."""
        return f"a divisor in {self.text}"

    @cached_property
    def _halves(self) -> tuple[ast.expr, ast.expr | None]:
        node = self.node
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return node.left, node.right
        return node, None

    def _value(self, node: ast.expr, sums: Sums) -> float:
        names = {name: total(terms, sums) / size for name, (terms, size) in self.amounts.items()}
        return float(SimpleEval(_OPERATORS, {}, names).eval(self.text, node))


def amounts(elements: Mapping[str, Terms]) -> dict[str, Amount]:
    """Every name that an expression may use: counts, `…_kwh` for energies, `…_h`, `…_min` and `…_s` for times."""
    found: dict[str, Amount] = {}
    for name in quantities:
        found |= _named(name, ((1, name),))
    for name, terms in elements.items():
        if name != "FE":
            found |= {f"{name}_{unit}": (terms, size) for unit, size in _UNITS.items()}
    return found


def _named(name: str, terms: Terms) -> dict[str, Amount]:
    if name.startswith("energy"):
        return {f"{name}_kwh": (terms, 1e6)}
    if unit_of(name) == "µs":
        return {f"{name}_{unit}": (terms, size) for unit, size in _UNITS.items()}
    return {name: (terms, 1.0)}


def unit_of(quantity: str) -> str:
    """µs, mWh or none."""
    if quantity.startswith("energy"):
        return "mWh"
    timed = quantity.startswith(("time_", "ideal_")) or quantity in _TIMES
    return "µs" if timed else ""


def _names(node: ast.expr, known: Mapping[str, Amount]) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            if name not in known:
                raise FormulaError(f"no quantity {name!r}{_meant(name, known)}")
            yield name
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            pass
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            yield from _names(operand, known)
        case ast.BinOp(op=ast.Div(), right=ast.Constant(value=0)):
            raise FormulaError(f"{ast.unparse(node)!r} divides by 0")
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            yield from _names(left, known)
            yield from _names(right, known)
        case _:
            raise FormulaError(
                f"{ast.unparse(node)!r} cannot stand in a formula: numbers, quantities, + - * / and brackets can"
            )


def _meant(name: str, known: Mapping[str, Amount]) -> str:
    longer = [one for one in known if one.startswith(f"{name}_") and one.removeprefix(f"{name}_") in {*_UNITS, "kwh"}]
    close = longer or difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {' or '.join(map(repr, close))}?" if close else ": see the list in docs/kpi"

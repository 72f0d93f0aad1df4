"""Formulas as text: products and quotients of sums of bucket quantities, exact until the last division."""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

Terms = tuple[tuple[int, str], ...]
"""A sum: (coefficient, quantity); the quantity "" stands for 1."""
Sums = Mapping[str, int]
"""Quantity → sum over any window and any assets; one that is not there is 0."""
_SIGNS: Final[dict[type[ast.AST], int]] = {ast.Add: 1, ast.UAdd: 1, ast.Sub: -1, ast.USub: -1}


class FormulaError(ValueError):
    """A text is no formula; says what is wrong."""


@dataclass(frozen=True)
class Formula:
    """`AUPT / PBT * ideal_good / APT`: the product of some sums divided by the product of others.

    text          as written, with the names of time elements
    numerators    sums whose product stands above the line
    denominators  sums whose product stands below it; (): a plain sum
    """

    text: str
    numerators: tuple[Terms, ...]
    denominators: tuple[Terms, ...] = ()

    @staticmethod
    def parse(text: str, elements: Mapping[str, Terms]) -> "Formula":
        """The formula with names of `elements` replaced by what they stand for. FormulaError: says what is wrong."""
        try:
            node = ast.parse(text, mode="eval").body
        except SyntaxError as exc:
            raise FormulaError(f"{text!r} is no formula: {exc.msg}") from exc
        above, below = _factors(node, elements)
        return Formula(text, tuple(above), tuple(below))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The bucket quantities in it, each once, in the order in which they appear."""
        every = (name for terms in (*self.numerators, *self.denominators) for _, name in terms)
        return tuple(dict.fromkeys(name for name in every if name))

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """As `names`, without those that are only taken away: where nothing was counted there is nothing to take."""
        every = (name for terms in (*self.numerators, *self.denominators) for sign, name in terms if sign > 0)
        return tuple(dict.fromkeys(name for name in every if name))

    def fraction(self, sums: Sums) -> tuple[int, int]:
        """What stands above the line, and what below it: 1 for a plain sum."""
        above = below = 1
        for terms in self.numerators:
            above *= total(terms, sums)
        for terms in self.denominators:
            below *= total(terms, sums)
        return above, below

    @property
    def code(self) -> str:
        """`fraction` as a Python expression over `get`, which gives a quantity's sum."""
        above, below = (" * ".join(map(_code, side)) or "1" for side in (self.numerators, self.denominators))
        return f"({above}, {below})"

    def lacking(self, sums: Sums) -> str:
        """The first sum below the line that is 0, as text."""
        return next((spell(terms) for terms in self.denominators if not total(terms, sums)), "")


Fraction = tuple[float, float]
"""What stands above a line, and what below it."""
Fractions = Callable[[Callable[[str, int], int]], tuple[Fraction, ...]]
"""`sums.get` → the fractions of some formulas."""


def compiled(formulas: Sequence[Formula]) -> Fractions:
    """The fractions of many formulas in one piece of code: four times as fast as one by one.

    A gateway of a thousand machines asks for them a hundred thousand times a minute. The code holds names and numbers
    of the parsed formulas only, never their text.
    """
    code: Fractions = eval(f"lambda get: ({''.join(f'{formula.code}, ' for formula in formulas)})")
    return code


def _code(terms: Terms) -> str:
    return f"({' + '.join(_amount(factor, f'get({name!r}, 0)' if name else '') for factor, name in terms) or '0'})"


def total(terms: Terms, sums: Sums) -> int:
    """One sum."""
    return sum(factor * (sums.get(name, 0) if name else 1) for factor, name in terms)


def spell(terms: Terms) -> str:
    """A sum as text: `time_producing + time_unknown`."""
    parts = [f"{'-' if factor < 0 else '+'} {_amount(abs(factor), name)}" for factor, name in terms]
    return " ".join(parts).removeprefix("+ ").replace("- ", "-", 1 if terms and terms[0][0] < 0 else 0)


def _amount(factor: int, name: str) -> str:
    return name if factor == 1 and name else f"{factor} * {name}" if name else str(factor)


def _factors(node: ast.expr, elements: Mapping[str, Terms]) -> tuple[list[Terms], list[Terms]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        above, below = _factors(node.left, elements)
        more, less = _factors(node.right, elements)
        if isinstance(node.op, ast.Div):
            more, less = less, more
        return above + more, below + less
    return [_joined(_terms(node, elements))], []


def _terms(node: ast.expr, elements: Mapping[str, Terms]) -> Iterable[tuple[int, str]]:
    match node:
        case ast.Name(id=name):
            return elements.get(name, ((1, name),))
        case ast.Constant(value=int(number)):
            return ((number, ""),)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return _signed(_SIGNS[type(sign)], _terms(operand, elements))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            return (*_terms(left, elements), *_signed(_SIGNS[type(sign)], _terms(right, elements)))
    raise FormulaError(f"{ast.unparse(node)!r} cannot stand in a sum of quantities")


def _signed(sign: int, terms: Iterable[tuple[int, str]]) -> Terms:
    return tuple((sign * factor, name) for factor, name in terms)


def _joined(terms: Iterable[tuple[int, str]]) -> Terms:
    """Each quantity once; what cancels out is gone."""
    found: dict[str, int] = {}
    for factor, name in terms:
        found[name] = found.get(name, 0) + factor
    return tuple((factor, name) for name, factor in found.items() if factor)

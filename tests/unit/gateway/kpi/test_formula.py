"""Formulas as text."""

import pytest

from gateway.kpi.catalogue.elements import elements
from gateway.kpi.catalogue.formula import Formula, FormulaError, spell

KNOWN = elements()


def test_a_formula_is_a_product_of_sums_over_a_product_of_sums() -> None:
    formula = Formula.parse("AUPT / PBT * (ideal_good + 2 - good) / faults", KNOWN)
    assert formula.numerators == (
        ((1, "time_producing"), (1, "time_setup")),
        ((1, "ideal_good"), (2, ""), (-1, "good")),
    )
    assert formula.denominators == (((1, "planned"),), ((1, "faults"),))
    sums = {"time_producing": 3, "time_setup": 4, "ideal_good": 10, "good": 2, "planned": 5, "faults": 2}
    assert formula.fraction(sums) == (7 * 10, 10)


def test_dividing_by_a_quotient_turns_it_over() -> None:
    formula = Formula.parse("total / (good / planned)", {})
    assert formula.numerators == (((1, "total"),), ((1, "planned"),))
    assert formula.denominators == (((1, "good"),),)


def test_what_cancels_out_is_gone_and_what_is_only_taken_away_is_not_needed() -> None:
    formula = Formula.parse("planned - time_unknown + good - good", KNOWN)
    assert formula.names == ("planned", "time_unknown")
    assert formula.needed == ("planned",)
    assert spell(formula.numerators[0]) == "planned - time_unknown"
    assert spell(((-1, "good"), (2, "total"), (3, ""))) == "-good + 2 * total + 3"


def test_sums_are_exact_beyond_what_a_float_holds() -> None:
    formula = Formula.parse("total * good / planned", {})
    big = 2**53 + 1
    assert formula.fraction({"total": big, "good": big}) == (big**2, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("total /", "is no formula"),
        ("total + good / planned", "'good / planned' cannot stand in a sum"),
        ("max(total, good)", "cannot stand in a sum"),
        ("total ** 2", "cannot stand in a sum"),
        ("1.5 * total", "'1.5' cannot stand in a sum"),
    ],
)
def test_what_is_no_formula_is_said(text: str, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem.replace("(", r"\(").replace("*", r"\*")):
        Formula.parse(text, {})

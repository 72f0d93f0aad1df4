"""What docs/kpi says is what the catalogue does."""

import re
from pathlib import Path

import pytest
import yaml

from gateway.kpi.buckets import quantities
from gateway.kpi.catalogue import CATALOGUE, EVERY, MEANINGS, STANDARD, evaluate, spell
from gateway.kpi.factors import Factor

DOCS = Path(__file__).parents[4] / "docs"
PAGES = {path.stem: path.read_text() for path in sorted((DOCS / "kpi").glob("*.md"))}
GROUPS = {"P": "productivity", "Q": "quality", "M": "maintenance", "D": "data-quality", "E": "energy", "C": "energy"}
EXAMPLES = [
    (page, yaml.safe_load(block))
    for page, text in PAGES.items()
    for block in re.findall(r"```yaml example\n(.*?)```", text, re.DOTALL)
]
GRID = Factor(0.6592, "grid_electricity 2023: 0.6592 tCO2/MWh (letter 1726/BĐKH-PTCBT, secondary)")


@pytest.mark.parametrize(("page", "example"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_the_examples_of_the_guide_are_right(page: str, example: dict[str, dict[str, float]]) -> None:
    assert set(example["sums"]) <= set(quantities)
    found = evaluate(example["sums"], GRID)
    shown = example["results"]
    assert {name: round(found[name].value or 0, 4) for name in shown} == shown
    assert found["oee"].status == example.get("status", "")


def test_every_kpi_stands_on_the_page_of_its_group_with_an_example() -> None:
    for kpi in CATALOGUE:
        page = GROUPS[kpi.code[:1] or "P"]
        assert f"`{kpi.id}`" in PAGES[page], kpi.id
        assert any(where == page and kpi.id in example["results"] for where, example in EXAMPLES), kpi.id


def test_every_quantity_and_time_element_is_explained() -> None:
    assert [name for name in (*quantities, *MEANINGS) if f"`{name}`" not in PAGES["README"]] == []


def test_the_kpis_of_a_minute_are_those_that_the_guide_names() -> None:
    (line,) = re.findall(r"\*\*Windows\.\*\*(.*?)longer windows", PAGES["README"], re.DOTALL)
    named = set(re.findall(r"`(\w+)`", line))
    assert named == {kpi.id for kpi in CATALOGUE if kpi.windows == EVERY and kpi.code[:1] not in {"E", "C"}}


def test_the_table_of_sums_for_queries_in_a_store_is_that_of_the_catalogue() -> None:
    text = (DOCS / "data-model.md").read_text()
    queries = set(re.findall(r"^### `(\w+)`", text, re.MULTILINE))
    table = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", text.partition("### Every other KPI")[2], re.MULTILINE))
    for row in STANDARD.rows:
        if row.kpi.id not in queries:
            above, below, *_ = table[row.kpi.id].split(" | ")
            formula = row.formula
            assert sorted(re.findall(r"\w+", above)) == sorted(_words(formula.numerators)), row.kpi.id  # type: ignore[union-attr]
            assert sorted(re.findall(r"\w+", below)) == sorted(_words(formula.denominators) or ["1"]), row.kpi.id  # type: ignore[union-attr]


def _words(factors: tuple[tuple[tuple[int, str], ...], ...]) -> list[str]:
    return re.findall(r"\w+", " ".join(map(spell, factors)))

"""The config sections shown on the pages of the guide are accepted as they stand."""

import re
from pathlib import Path

import pytest
import yaml

from gateway.config import RootConfig
from gateway.document import Document
from gateway.kpi.packml import PACKML
from gateway.kpi.products import read_products

STATES, PLANNING = (Path(f"docs/kpi/{page}.md") for page in ("states", "planning"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in (STATES, PLANNING, *(Path(f"docs/kpi/{page}.md") for page in ("data-quality", "quality")))
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S), 1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_section_in_the_docs_is_a_good_section(block: str, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"site: works\nsources: {{}}\n{block}")
    document = Document.load(file)
    root = document.validate(RootConfig, document.data, ())
    document.check()
    assert set(yaml.safe_load(block)) <= root.model_fields_set


def test_the_table_of_products_in_the_docs_can_be_read(tmp_path: Path) -> None:
    (table,) = re.findall(r"```csv\n(.*?)```", PLANNING.read_text(), re.S)
    (tmp_path / "products.csv").write_text(table)
    document = Document(tmp_path / "site.yaml")
    products = read_products(tmp_path / "products.csv", document, {"press-07"})
    document.check()
    assert {name: (one.title, one.ideal_cycle_time) for name, one in products.items()} == {
        "bracket-A": ("Bracket, left", {"*": 1.8}),
        "bracket-B": ("", {"press-07": 2.0}),
    }


def test_the_docs_say_what_each_packml_state_is() -> None:
    (paragraph,) = re.findall(r"\*\*PackML\.\*\* (.*?)\n\n", STATES.read_text(), re.S)
    said = {
        state.strip(): kind
        for states, kind in re.findall(r"([A-Z][\w,\s]*?):\s(\w+)", paragraph)
        for state in states.split(",")
        if state.strip() != "Undefined"
    }
    assert said == {names[1]: kind for _, names, kind in PACKML}

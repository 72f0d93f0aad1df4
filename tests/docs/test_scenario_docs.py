import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from simulators.export import TABLES
from simulators.machine_models import CompressorSpec, InrushSpec, LoadStep, MachineSpec, StopSpec, ToolSpec
from simulators.picture import shift_of
from simulators.plant_models import (
    AirSpec,
    CalendarSpec,
    GeneratedOrders,
    LineSpec,
    MeterSpec,
    OrderSpec,
    ProductSpec,
)
from simulators.scenario import Scenario, load_scenario
from simulators.scenario_file import kinds, shipped
from simulators.shift_table import shift_table, within

DOCS = Path(__file__).parents[2] / "docs" / "scenarios"
PAGE = (DOCS / "README.md").read_text(encoding="utf-8")
MODELS = [
    *(Scenario, CalendarSpec, ProductSpec, OrderSpec, GeneratedOrders, LineSpec, AirSpec, MeterSpec),
    *(MachineSpec, StopSpec, InrushSpec, LoadStep, ToolSpec, CompressorSpec),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_of_a_scenario_is_documented(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert re.search(rf"[`{{ ,]{field.alias or name}[`:,}} ]", PAGE), name


def test_every_kind_and_table_is_documented() -> None:
    for name in kinds():
        assert f"`{name}`" in PAGE
    for table, (header, _) in TABLES.items():
        columns = ", ".join(column.removesuffix("_ms") for column in header)
        row = re.search(rf"^\| `{table}` \| (.*) \|$", PAGE.partition("## What is true")[2], re.MULTILINE)
        assert row
        assert re.sub(r" \([^)]*\)", "", row[1]) == columns


def test_every_shipped_scenario_has_a_page_with_its_picture() -> None:
    for name in shipped():
        page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {name}\n")
        assert f"]({name}.svg)" in page
        assert f"[`{name}`]({name}.md)" in PAGE


@pytest.mark.parametrize("name", [name for name in shipped() if name != "thousand-machines"])
def test_the_true_numbers_of_a_page_are_those_of_its_scenario(name: str) -> None:
    ledger = shift_of(name)
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert within(page, shift_table(ledger, ledger.start_ms, ledger.until_ms)) == page
    assert len(re.findall(r"^\| `", page, re.MULTILINE)) >= 4


def test_the_small_example_and_the_python_lines_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "s.yaml").write_text(example)
    assert list(load_scenario(tmp_path / "s.yaml").machines) == list(yaml.safe_load(example)["machines"])
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(lines, "README.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) > 0.5

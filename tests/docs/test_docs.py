"""The docs say everything that the program knows, and their examples work."""

import inspect
import re
from pathlib import Path

import pytest
from typer.main import get_command

from adapters import SINKS, SOURCES
from adapters.modbus.health import Health as ModbusHealth
from adapters.mqtt.source import MqttHealth
from gateway import health
from gateway.checking import print_check
from gateway.cli import app
from gateway.commands.shared import PLAIN
from gateway.config import RootConfig, _attribute, load
from gateway.kpi.catalogue import CATALOGUE
from gateway.model import Tag

DOCS = {path: path.read_text() for path in [Path("README.md"), *Path("docs").rglob("*.md")]}
CONFIGURATION = DOCS[Path("docs/configuration.md")]
KPIS = "".join(text for path, text in DOCS.items() if path.parent == Path("docs/kpi"))


def keys(model: type) -> set[str]:
    """The keys of a section and of the sections inside it."""
    found: set[str] = set()
    for name, part in model.model_json_schema(by_alias=True).get("$defs", {}).items():
        if name.endswith("Config"):
            found |= set(part.get("properties", {}))
    return found | set(model.model_json_schema(by_alias=True)["properties"])


@pytest.mark.parametrize("kind", [*SOURCES.values(), *SINKS.values()], ids=lambda kind: kind.config)
def test_every_key_of_a_source_or_sink_is_documented(kind: object) -> None:
    model = _attribute(kind.config)  # type: ignore[attr-defined]
    missing = {
        key for key in keys(model) - {"kind"} if f"`{key}`" not in CONFIGURATION and f"{key}`" not in CONFIGURATION
    }
    assert missing <= {"defaults", "caveats"}


def test_every_other_key_is_documented() -> None:
    everything = CONFIGURATION + KPIS
    missing = {key for key in keys(RootConfig) if not re.search(rf"\b{key}\b", everything)}
    assert missing == set()


def test_every_command_is_documented() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in commands:
        assert re.search(rf"`(lineside )?{name}`|· `{name}`", CONFIGURATION), name


def test_every_health_tag_is_documented() -> None:
    own = [tag.name for _, tag in inspect.getmembers(health, lambda item: isinstance(item, Tag))]
    counters = [*ModbusHealth().counters(), *MqttHealth.__dataclass_fields__]
    for name in [*own, *counters, "readings", "rejects", "losses"]:
        assert name in CONFIGURATION, name


def test_every_kpi_is_documented_and_has_a_query() -> None:
    for kpi in CATALOGUE:
        assert f"`{kpi.id}`" in KPIS, kpi.id
        assert kpi.id in DOCS[Path("docs/data-model.md")], kpi.id


def test_the_configs_in_the_readme_are_good(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS[Path("README.md")], re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        assert print_check(load(file), PLAIN)


def test_every_link_inside_the_docs_leads_somewhere() -> None:
    for path, text in DOCS.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / target).exists(), f"{path}: {target}"


def test_decisions_are_short() -> None:
    for path in Path("docs/decisions").glob("*.md"):
        assert len(path.read_text().splitlines()) <= 60, path

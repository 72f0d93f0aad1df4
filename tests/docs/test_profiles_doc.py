"""docs/profiles.md says every key and every shipped profile, and its example is a good profile."""

import re
from pathlib import Path

import pytest

from adapters.modbus.examples import check_examples
from adapters.modbus.options import Options
from adapters.modbus.point import WORDS
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.profile import Example, Note, Profile, load_profile
from gateway.library import Library

TEXT = Path("docs/profiles.md").read_text()


@pytest.mark.parametrize("model", [Profile, PointDefaults, PointConfig, Options, Note, Example])
def test_every_key_of_a_profile_is_documented(model: type) -> None:
    assert [key for key in model.model_json_schema()["properties"] if f"`{key}`" not in TEXT] == []  # type: ignore[attr-defined]


def test_every_type_is_documented() -> None:
    assert [value_type for value_type in WORDS if f"`{value_type}`" not in TEXT] == []


def test_every_shipped_profile_is_documented() -> None:
    assert [name for name in Library.beside(Path("x.yaml")).names("profiles") if f"`{name}`" not in TEXT] == []


def test_the_profile_in_the_docs_is_good_and_its_examples_are_complete(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/m1.yaml").write_text(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    profile = load_profile("m1", Library((tmp_path,)))
    assert check_examples(profile) == []
    assert profile.resolved.keys() == {name for example in profile.examples for name in example.values}

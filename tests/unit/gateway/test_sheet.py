"""Instance sheets: one CSV row is one source."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, load

SITE = """\
site: plant
lines:
  a: {{ area: hall }}
sources:
  meters:
    sheet: {sheet}
    kind: modbus
    profile: eastron/sdm630
    each: {{ energy: {{ electricity: import_energy }}, power: active_power }}
assets:
  main: {{ energy: {{ electricity: import_energy }} }}
"""
SHEET = """\
name,endpoint,unit_id,asset,line,profile
m-1,tcp://10.0.0.1:502,1,press-1,a,
m-2,tcp://10.0.0.1:502,2,press-2,a,schneider/iem3000
m-3,tcp://10.0.0.2,1,main,,
"""


def write(folder: Path, sheet: str | bytes, name: str = "meters.csv") -> Path:
    (folder / "site.yaml").write_text(SITE.format(sheet=name))
    (folder / "meters.csv").write_bytes(sheet if isinstance(sheet, bytes) else sheet.encode())
    return folder / "site.yaml"


def problems(folder: Path, sheet: str | bytes, name: str = "meters.csv") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, sheet, name))
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_every_row_is_a_source_with_what_all_have_in_common(tmp_path: Path) -> None:
    config = load(write(tmp_path, SHEET))
    assert list(config.sources) == ["m-1", "m-2", "m-3"]
    assert {"press-1/import_energy", "press-2/import_energy", "main/import_energy"} <= {tag.name for tag in config.tags}
    assert config.site.lines == {"main": "", "press-1": "a", "press-2": "a"}
    assert config.root.assets["press-1"].power == "active_power"
    assert config.root.assets["main"].power is None, "an asset that the config describes stays as it is"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, separator: str) -> None:
    text = SHEET.replace(",", separator).replace("\n", "\r\n") + separator * 5 + "\r\n"
    config = load(write(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert len(config.sources) == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("m-2,tcp://10.0.0.1:502,2", "m-2,tcp://10.0.0.1:502,two"),
            "meters.csv:3: sources.m-2.unit_id: input should be",
        ),
        (("m-2,", "m-1,"), "meters.csv:3: sources.m-1: this name is already taken"),
        (
            ("schneider/iem3000", "schneider/iem300"),
            "meters.csv:3: sources.m-2.profile: no profile 'schneider/iem300'; did",
        ),
        (("unit_id,", "unit,"), "meters.csv:2: sources.m-1.unit: unknown key; did you mean 'unit_id'?"),
        (("name,", "nam,"), "site.yaml:6: sources.meters.sheet: "),
        ((SHEET, ""), "site.yaml:6: sources.meters.sheet: "),
    ],
)
def test_what_is_wrong_is_said_with_the_sheets_line(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    assert change[0] in SHEET
    found = problems(tmp_path, SHEET.replace(*change, 1))
    assert any(problem.startswith(expected) for problem in found), found


def test_a_sheet_that_is_not_there_or_no_text_is_said_plainly(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in problems(tmp_path, SHEET, "metres.csv")[0]
    assert "cannot be read" in problems(tmp_path, b"\xff\xfe\x00")[0]


def test_three_hundred_meters_load_in_a_moment(tmp_path: Path) -> None:
    rows = [f"m-{n},tcp://10.0.{n // 32}.1:502,{n % 32 + 1},{f'asset-{n}' if n else 'main'},a," for n in range(300)]
    config = load(write(tmp_path, SHEET.splitlines()[0] + "\n" + "\n".join(rows) + "\n"))
    assert len(config.sources) == 300
    assert len(config.root.assets) == 300

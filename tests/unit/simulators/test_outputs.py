"""What a run shall write is looked at before it begins."""

from pathlib import Path

import pytest

from simulators.outputs import check_outputs


def test_folders_of_what_is_to_come_are_made(tmp_path: Path) -> None:
    ledger, site = tmp_path / "a" / "truth.json", tmp_path / "b" / "site.yaml"
    check_outputs("stamping", ledger, site)
    assert ledger.parent.is_dir()
    assert site.parent.is_dir()


def test_neither_the_scenario_nor_a_config_of_somebody_else_is_overwritten(tmp_path: Path) -> None:
    scenario, mine, made = (tmp_path / name for name in ("plant.yaml", "mine.yaml", "made.yaml"))
    scenario.write_text("scenario: x\n")
    mine.write_text("site: my-plant\n")
    made.write_text("# Made from the scenario x: what Lineside needs to read this plant.\n")
    for ledger, site, recording in ((scenario, None, None), (None, scenario, None), (None, None, scenario)):
        with pytest.raises(ValueError, match=r"plant.yaml is the scenario itself"):
            check_outputs(str(scenario), ledger, site, recording)
    with pytest.raises(ValueError, match=r"mine.yaml was not written by simulate"):
        check_outputs(str(scenario), site_config=mine)
    check_outputs(str(scenario), site_config=made)


@pytest.mark.parametrize("name", ["truth.txt", "truth.csv", "truth.parquet"])
def test_a_ledger_is_json_or_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"NAME.json, or into a folder"):
        check_outputs("stamping", tmp_path / name)


def test_parquet_needs_a_folder(tmp_path: Path) -> None:
    for ledger in (None, tmp_path / "truth.json"):
        with pytest.raises(ValueError, match=r"--parquet is for the tables"):
            check_outputs("stamping", ledger, parquet=True)
    check_outputs("stamping", tmp_path / "tables", parquet=True)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        check_outputs("stamping", tmp_path / "file" / "truth.json")

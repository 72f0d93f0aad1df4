"""`lineside simulate`: options that would change nothing are refused, and durations are written as in scenarios."""

from pathlib import Path
from typing import Any

import pytest

from gateway.commands.simulate import simulate
from gateway.ports import Unusable


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"recording": Path("month.csv"), "speed": 5.0}, "--recording has no --speed"),
        (
            {"recording": Path("month.csv"), "seconds": "5m", "api": "127.0.0.1:0"},
            "--recording has no --for and no --api",
        ),
        ({"seconds": "5"}, "'5' is not a duration: .* 5m, 8h"),
        ({"parquet": True}, "--parquet is for the tables of --ledger FOLDER"),
    ],
)
def test_what_would_change_nothing_is_refused(
    options: dict[str, Any], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unusable, match=complaint):
        simulate("demo", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_is_played_has_no_seed_and_no_truth(tmp_path: Path) -> None:
    file = tmp_path / "week.csv"
    file.write_text("time,tag,value\n0,a/b,1\n")
    with pytest.raises(Unusable, match="a recording that is played has no --seed and no --ledger"):
        simulate(str(file), seed=3, ledger=tmp_path / "truth")


def test_the_past_of_a_plant_that_never_closes_has_parts_on_a_sunday(tmp_path: Path) -> None:
    parts = {}
    for always in (False, True):
        folder = tmp_path / str(always)
        simulate(
            "stamping", recording=folder / "r.csv", days=0.02, begin="2026-03-01T07:00", ledger=folder, always=always
        )
        parts[always] = len((folder / "parts.csv").read_text().splitlines()) - 1
    assert parts[False] == 0 < parts[True]

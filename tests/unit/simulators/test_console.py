import pytest

from simulators.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["demo", "--api", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["demo", "--for", "soon"], "'soon' is not a duration"),
        (["demo", "--speed", "0.5"], "is not a speed between 1 and 3600"),
        (["demo", "--hide-parts", "2"], "is not a share between 0 and 0.5"),
        (["--ledger", "x.json"], "the following arguments are required"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["run", *arguments])
    assert exit_.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_scenario_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "moon-base"]) == 1
    assert "moon-base: no such file, and no shipped scenario; these are" in capsys.readouterr().err


def test_the_shipped_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "demo " in capsys.readouterr().out

import pytest

from simulators.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--press-01", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["--mqtt", "http://127.0.0.1:1883"], "is not mqtt://HOST:PORT"),
        (["--hide-parts", "2"], "is not a share between 0 and 0.5"),
        (["--ledger", "x.json"], "the following arguments are required"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["demo", *arguments])
    assert exit_.value.code == 2
    assert complaint in capsys.readouterr().err

"""What a replay says of that which it could not compare."""

from zoneinfo import ZoneInfo

from gateway.commands.kpi_replay import LeftOut
from gateway.kpi.replay import Piece

HOUR = 3_600_000
UTC = ZoneInfo("UTC")
OPEN, FORGOTTEN = "is not closed yet", "lies before the facts that are kept"


def left_out(*pieces: Piece) -> LeftOut:
    found = LeftOut()
    for piece in pieces:
        found.add(piece.asset, piece)
    return found


def hours(asset: str, first: int, last: int, why: str) -> Piece:
    return Piece(asset, first * HOUR, last * HOUR, 0, left_out=why)


def test_pieces_that_follow_each_other_and_assets_with_the_same_ones_are_one_line() -> None:
    assets = ("press", "weld")
    found = left_out(*(hours(name, at, at + 6, FORGOTTEN) for name in assets for at in (0, 6, 12)))
    assert list(found.lines(UTC, 2)) == [
        f"all assets: 1970-01-01 00:00:00+00:00 to 1970-01-01 18:00:00+00:00 {FORGOTTEN}: not compared"
    ]
    assert next(found.lines(UTC, 3)).startswith("press, weld: ")


def test_gaps_and_other_reasons_stay_apart() -> None:
    found = left_out(
        hours("press", 0, 6, FORGOTTEN),
        hours("press", 6, 9, OPEN),
        hours("press", 10, 12, OPEN),
        hours("weld", 6, 9, OPEN),
    )
    said = list(found.lines(UTC, 2))
    assert [line.split(":")[0] for line in said] == ["press", "all assets", "press"]
    assert [FORGOTTEN in line for line in said] == [True, False, False]

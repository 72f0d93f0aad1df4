"""What replay says of a whole file."""

from pathlib import Path

from gateway.kpi.reading import reading
from gateway.kpi.replay import Difference, assets_of, replay
from tests.unit.gateway.kpi.kit import START

DAY_MS = 86_400_000


def replayed(path: Path) -> tuple[int, list[Difference]]:
    """How many minutes of all assets can be compared, and every number in them that is not what the facts give."""
    with reading(path) as db:
        pieces = [piece for name in assets_of(db) for piece in replay(db, name, START - DAY_MS, START + 2 * DAY_MS)]
    return sum(piece.minutes for piece in pieces), [one for piece in pieces for one in piece.differences]

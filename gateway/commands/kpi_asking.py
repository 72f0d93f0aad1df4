"""What the commands that ask kpi.db share: arguments, the store as answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from gateway.config import Config
from gateway.kpi.query import KpiReader
from gateway.kpi.windows import WINDOWS
from gateway.ports import Unusable
from gateway.spelling import closest

Owner = Annotated[str, typer.Argument(metavar="OWNER", help="An asset, line/NAME, area/NAME or site/NAME")]
Window = Annotated[str, typer.Option(help=", ".join(WINDOWS))]
DAY_MS: Final = 86_400_000
SPANS_MS: Final = {
    "minute": DAY_MS // 24,
    "hour": DAY_MS,
    "week": 70 * DAY_MS,
    "month": 400 * DAY_MS,
}
"""How far back a window is looked for where nobody says; the others: a week."""


@contextmanager
def stored(config: Config) -> Iterator[KpiReader]:
    """kpi.db, beside a running gateway or after it stopped, with the KPIs of this config; NoKpis: it cannot be read.

    Formulas are applied when they are asked for: a KPI that was just added to the config has a past at once.
    """
    reader = KpiReader(config.data_file("kpi.db"), config.catalogue)
    try:
        yield reader
    finally:
        reader.close()


def must_be_known(reader: KpiReader, owner: str) -> None:
    """Unusable: the owner has no numbers."""
    known = reader.owners()
    if owner not in known:
        raise Unusable(f"{owner!r} has no numbers yet{closest(owner, known)}")


def must_be_window(window: str) -> None:
    """BadParameter: there is no such window."""
    if window not in WINDOWS:
        raise typer.BadParameter(f"{window!r} is no window: write {', '.join(WINDOWS)}", param_hint="--window")


def amount(value: float | str | None, unit: str = "") -> str:
    """A value as people read it: shares in per cent."""
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{100 * value:.2f} %" if unit == "1" else f"{value:,.6g} {unit}".rstrip()

"""`lineside replay` and `lineside record`: recordings in and out."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.config import load
from gateway.signals import with_signals

if TYPE_CHECKING:
    from gateway.replaying import Replayed

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The site's YAML file")]
_MOST_NAMES = 6


def replay(
    config: ConfigPath,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Recordings; tags as in the config")
    ] = None,
) -> None:
    """Load recordings: journal, KPIs, history and sinks get everything in the recordings' own time, then it ends."""
    from gateway.replaying import replay as replay_files

    checked = load(config)
    zone = ZoneInfo(checked.root.timezone)
    console = Console(highlight=False, stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=1.0)

        def show(done: float, at_ms: int, waiting: str) -> None:
            at = f"{_moment(at_ms, zone):%Y-%m-%d %H:%M}" if at_ms else "reading"
            progress.update(task, completed=done, description=at + (f", waiting for {waiting}" if waiting else ""))

        found = with_signals(lambda stop: replay_files(checked, files or [], stop, show))
    _report(found, zone, Console(soft_wrap=True, highlight=False, markup=False))
    sys.exit(1 if found.stopped else 0)


def _report(found: "Replayed", zone: ZoneInfo, console: Console) -> None:
    if not found.readings:
        console.print("the recordings have no reading of a tag of this config")
        return
    span = f"{_moment(found.from_ms, zone):%Y-%m-%d %H:%M:%S} to {_moment(found.to_ms, zone):%Y-%m-%d %H:%M:%S %Z}"
    console.print(f"{found.readings:,} readings from {span}" + (": stopped before the end" if found.stopped else ""))
    if found.lacking:
        console.print(f"tags of the config that no recording has: {_names(found.lacking)}")
    if found.ignored:
        console.print(f"tags of the recordings that the config does not have: {_names(sorted(found.ignored))}")
    if found.refused:
        console.print(f"{found.refused:,} readings were too old for what kpi.db holds already, and changed no KPI")


def _names(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _moment(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, zone)

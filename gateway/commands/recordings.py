"""`lineside replay` and `lineside record`: recordings in and out."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.commands.shared import PLAIN, ConfigPath, moment, seconds, zone_of
from gateway.config import load
from gateway.ports import Unusable
from gateway.signals import with_signals

if TYPE_CHECKING:
    from gateway.replaying import Replayed

_MOST_NAMES = 6
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())


def replay(
    config: ConfigPath,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Recordings; tags as in the config")
    ] = None,
) -> None:
    """Load recordings: journal, KPIs, history and sinks get everything in the recordings' own time, then it ends."""
    from gateway.replaying import replay as replay_files

    checked = load(config)
    zone = zone_of(checked)
    console = Console(highlight=False, stderr=True)
    with Progress(*_COLUMNS, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=1.0)

        def show(done: float, at_ms: int, waiting: str) -> None:
            at = f"{_moment(at_ms, zone):%Y-%m-%d %H:%M}" if at_ms else "reading"
            progress.update(task, completed=done, description=at + (f", waiting for {waiting}" if waiting else ""))

        found = with_signals(lambda stop: replay_files(checked, files or [], stop, show))
    _report(found, zone)
    sys.exit(1 if found.stopped else 0)


def record(
    config: ConfigPath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NAME.csv, .csv.gz, .csv.zst or .parquet")],
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="From now on for so long, while the gateway runs: 1h")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From: 06:00, 2026-11-22T06:00; else all there is")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to this time; else up to now")] = None,
    anonymise: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Other names, scales and dates; the same key gives the same ones again"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists")] = False,
) -> None:
    """Write what a site measures into a recording: out of its history, or live with --for."""
    from gateway.recorder import Span, wait_for
    from gateway.recorder import record as write_recording

    checked = load(config)
    if file.exists() and not force:
        raise Unusable(f"{file} exists: take another name, or --force")
    if duration and (begin or end):
        raise typer.BadParameter("records from now on: leave --from and --to away", param_hint="--for")
    length_s = seconds(duration, "--for") if duration else None
    edges = ((begin, "--from"), (end, "--to"))
    span = Span(*(None if text is None else moment(text, checked, option) for text, option in edges))
    with Progress(*_COLUMNS, console=Console(highlight=False, stderr=True), transient=True) as progress:
        task = progress.add_task("waiting" if duration else "writing", total=1.0)

        def show(done: float) -> None:
            progress.update(task, completed=done)

        if length_s is not None:
            span = with_signals(lambda stop: wait_for(length_s, stop, show))
            progress.update(task, description="writing")
        found = write_recording(checked, file, span, anonymise, show)
    span_text = _span(found.from_ms, found.to_ms, zone_of(checked))
    PLAIN.print(f"{file}: {found.readings:,} readings of {found.tags} tags, {span_text}")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(replay)
    app.command()(record)


def _span(from_ms: int, to_ms: int, zone: ZoneInfo) -> str:
    return f"{_moment(from_ms, zone):%Y-%m-%d %H:%M:%S} to {_moment(to_ms, zone):%Y-%m-%d %H:%M:%S %Z}"


def _report(found: "Replayed", zone: ZoneInfo) -> None:
    if not found.readings:
        PLAIN.print("the recordings have no reading of a tag of this config")
        return
    span = _span(found.from_ms, found.to_ms, zone)
    PLAIN.print(f"{found.readings:,} readings from {span}" + (": stopped before the end" if found.stopped else ""))
    if found.lacking:
        PLAIN.print(f"tags of the config that no recording has: {_names(found.lacking)}")
    if found.ignored:
        PLAIN.print(f"tags of the recordings that the config does not have: {_names(sorted(found.ignored))}")
    if found.refused:
        PLAIN.print(f"{found.refused:,} readings were too old for what kpi.db holds already, and changed no KPI")


def _names(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _moment(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, zone)

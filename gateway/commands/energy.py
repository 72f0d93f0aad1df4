"""`lineside energy …`: demand, load factor and bill of an owner's electricity."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import apsw
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commands.kpi_asking import ConfigPath, moment, table_console, zone_of
from gateway.config import Config, load
from gateway.document import closest
from gateway.energy.demand import Peak
from gateway.energy.electricity import Electricity, OwnersDemand
from gateway.energy.localtime import month_span
from gateway.energy.profile import kw
from gateway.fields import parse_duration
from gateway.kpi.reading import reading
from gateway.moment import show_moment
from gateway.ports import Unusable

app = typer.Typer(help="Electricity: peak demand, load factor, power factor, what it costs.", no_args_is_help=True)
OwnerOrSite = Annotated[
    str, typer.Argument(metavar="[OWNER]", help="An asset, line/NAME, area/NAME or site/NAME; not given: the site")
]
Month = Annotated[str, typer.Option(metavar="MONTH", help="A calendar month: 2026-10; not given: this one")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Instead of --month: where the range begins")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="… and where it ends")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts")]
_HOUR_MS: Final = 3_600_000
_SHOWN: Final = 8
_SAY = Console(highlight=False, markup=False, soft_wrap=True)


@app.command()
def demand(
    config: ConfigPath,
    owner: OwnerOrSite = "",
    month: Month = "",
    from_: From = "",
    to: To = "",
    window: Annotated[str, typer.Option(help="15min or 30min; not given: electricity.demand_window")] = "",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every window of the clock: its mean power")] = False,
) -> None:
    """Show the peak demand of a month, by the clock's windows and sliding, its load factor and its coincidence."""
    checked = load(config)
    span = _span(checked, month, from_, to)
    with _asked(checked, owner) as (db, name):
        found = _electricity(checked).demand(db, name, span, _window_ms(window))
    if as_csv:
        _write_windows(found, zone_of(checked))
    elif as_json:
        typer.echo(json.dumps(_demand_as_json(name, found, span, zone_of(checked)), indent=2, ensure_ascii=False))
    else:
        _print_demand(name, found, span, zone_of(checked))


def _electricity(config: Config) -> Electricity:
    return Electricity(config.root.electricity, config.factors.packs, zone_of(config))


def _span(config: Config, month: str, from_: str, to: str) -> tuple[int, int]:
    zone = zone_of(config)
    if bool(from_) != bool(to) or (month and from_):
        raise typer.BadParameter("write either --month, or --from and --to")
    try:
        if not from_:
            return month_span(month or f"{datetime.now(UTC).astimezone(zone):%Y-%m}", zone)
        start, end = moment(from_, config, "--from"), moment(to, config, "--to")
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--month") from exc
    if start >= end or start % 60_000 or end % 60_000:
        raise typer.BadParameter("a range begins and ends at a whole minute, and is not empty", param_hint="--from")
    return start, end


def _window_ms(text: str) -> int:
    if text not in ("", "15min", "30min"):
        raise typer.BadParameter(f"{text!r}: demand is taken over 15min or 30min", param_hint="--window")
    return round(parse_duration(text) * 1000) if text else 0


@contextmanager
def _asked(config: Config, owner: str) -> Iterator[tuple[apsw.Connection, str]]:
    """kpi.db and whose electricity is meant. Unusable: it cannot be read, or nobody is called so."""
    name = owner or f"site/{config.root.site}"
    with reading(config.data_file("kpi.db")) as db:
        known: list[str] = [row[0] for row in db.execute("SELECT owner FROM progress ORDER BY owner")]
        if name not in known:
            raise Unusable(f"{name!r} has no numbers yet{closest(name, known)}")
        yield db, name


def _print_demand(owner: str, found: OwnersDemand, span: tuple[int, int], zone: ZoneInfo) -> None:
    """Peaks, load factor and coincidence; then what could not be said and why."""
    minutes, result = found.demand.blocks.length_ms // 60_000, found.demand
    _SAY.print(f"{owner}  {show_moment(span[0], zone)} – {show_moment(span[1], zone)}")
    if result.reason:
        _SAY.print(f"  no peak demand: {result.reason}")
    for name, peak in ((f"peak of {minutes}-min blocks", result.block), ("peak, sliding", result.sliding)):
        if peak:
            _SAY.print(f"  {name:<24}{peak.kw:>12,.1f} kW   {show_moment(peak.start_ms, zone)}, {minutes} min")
    if result.load_factor is not None:
        _SAY.print(f"  {'load factor':<24}{100 * result.load_factor:>12.1f} %")
    if found.coincidence is not None:
        _SAY.print(f"  {'coincidence':<24}{100 * found.coincidence:>12.1f} %    of {len(found.parts)} meters")
    if found.parts:
        table_console().print(_table_of_parts(found.parts, zone))
    _print_holes(found, span, zone)


def _table_of_parts(parts: Mapping[str, Peak | None], zone: ZoneInfo) -> Table:
    table = Table()
    for column in ("meter of", "own peak kW", "begins"):
        table.add_column(column, justify="right" if "kW" in column else "left")
    for name, peak in sorted(parts.items(), key=lambda one: -(one[1].kw if one[1] else 0.0)):
        shown = (f"{peak.kw:,.1f}", show_moment(peak.start_ms, zone)) if peak else ("–", "no window was measured")
        table.add_row(*map(Text, (name, *shown)))
    return table


def _print_holes(found: OwnersDemand, span: tuple[int, int], zone: ZoneInfo) -> None:
    """What was not measured, and where nobody can tell any more."""
    runs = _runs(found, span)
    hours = sum(end - start for start, end in runs) / _HOUR_MS
    if runs:
        _SAY.print(f"  not measured: {hours:,.1f} h; windows that touch them do not count")
    for start, end in runs[:_SHOWN]:
        _SAY.print(f"    {show_moment(start, zone)} – {show_moment(end, zone)}")
    if len(runs) > _SHOWN:
        _SAY.print(f"    … and {len(runs) - _SHOWN} more")
    if found.end_ms < span[1]:
        _SAY.print(f"  from {show_moment(found.end_ms, zone)} on nothing is stored yet")
    if found.unseen_ms > span[0]:
        text = "readings are no longer kept: holes in them would not be seen"
        _SAY.print(f"  before {show_moment(found.unseen_ms, zone)} {text}")


def _runs(found: OwnersDemand, span: tuple[int, int]) -> list[tuple[int, int]]:
    """What was not measured of the time that is stored."""
    end_ms = min(found.end_ms, span[1])
    return [(start, min(end, end_ms)) for start, end in found.profile.unknown_runs() if start < end_ms]


def _demand_as_json(owner: str, found: OwnersDemand, span: tuple[int, int], zone: ZoneInfo) -> dict[str, Any]:
    result = found.demand
    return {
        "owner": owner,
        "from": show_moment(span[0], zone),
        "to": show_moment(span[1], zone),
        "window_min": result.blocks.length_ms // 60_000,
        "block": _peak_as_json(result.block, zone),
        "sliding": _peak_as_json(result.sliding, zone),
        "reason": result.reason,
        "load_factor": result.load_factor,
        "coincidence": found.coincidence,
        "parts": {name: _peak_as_json(peak, zone) for name, peak in found.parts.items()},
        "energy_kwh": found.profile.total_mwh / 1e6,
        "measured_h": found.profile.known_ms / _HOUR_MS,
        "not_measured": [[show_moment(end, zone) for end in run] for run in _runs(found, span)],
        "stored_to": show_moment(found.end_ms, zone),
        "holes_unseen_before": show_moment(found.unseen_ms, zone) if found.unseen_ms > span[0] else None,
    }


def _peak_as_json(peak: Peak | None, zone: ZoneInfo) -> dict[str, Any] | None:
    if peak is None:
        return None
    return {"kw": peak.kw, "from": show_moment(peak.start_ms, zone), "to": show_moment(peak.end_ms, zone)}


def _write_windows(found: OwnersDemand, zone: ZoneInfo) -> None:
    """One line per window; without power where it was not measured."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("start", "end", "kw", "kwh"))
    blocks = found.demand.blocks
    for start, mwh, valid in zip(blocks.start_ms.tolist(), blocks.mwh.tolist(), blocks.valid.tolist(), strict=True):
        power = (kw(mwh, blocks.length_ms), mwh / 1e6) if valid else ("", "")
        writer.writerow((show_moment(start, zone), show_moment(start + blocks.length_ms, zone), *power))

"""`lineside kpi list | show`: which KPIs there are, and what they were."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from gateway.checking import kpi_needs
from gateway.commands.kpi_asking import (
    SPANS_MS,
    Owner,
    Window,
    must_be_known,
    must_be_window,
    stored,
)
from gateway.commands.kpi_tables import print_windows
from gateway.commands.shared import ConfigPath, moment, now_ms, table_console, zone_of
from gateway.config import Config, load
from gateway.kpi.catalogue import Kpi
from gateway.kpi.query import KpiReader, WindowKpis
from gateway.kpi.runs import RUNS
from gateway.moment import show_moment
from gateway.ports import Unusable
from gateway.spelling import closest

_WEEK_MS: Final = 7 * 86_400_000
_LONGEST_MS: Final = 32 * 86_400_000
_FIELDS: Final = (
    *("start", "end", "name", "kpi", "value", "low", "high", "unit", "reason"),
    *("method", "flags", "status", "final", "revision"),
)
AsJson = Annotated[bool, typer.Option("--json", help="For scripts")]


def list_kpis(
    config: ConfigPath,
    owner: Annotated[str, typer.Argument(metavar="[OWNER]", help="Only this asset, line/NAME, …")] = "",
    as_json: AsJson = False,
) -> None:
    """Show every KPI of every asset, line, area and the site: whether it is computed, or what is missing."""
    checked = load(config)
    needs = kpi_needs(checked)
    if owner and owner not in needs:
        raise Unusable(f"no asset, line, area or site {owner!r} in {config}{closest(owner, needs)}")
    shown = {owner: needs[owner]} if owner else needs
    rows = [row.kpi for row in checked.catalogue.rows]
    if as_json:
        typer.echo(json.dumps([_listed(kpi, shown) for kpi in rows], indent=2, ensure_ascii=False))
        return
    for name, lacks in shown.items():
        table_console().print(_table_of_needs(name, rows, lacks))


def _listed(kpi: Kpi, needs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    about = {"kpi": kpi.id, "code": kpi.code, "name": kpi.name, "unit": kpi.unit, "formula": kpi.spelled}
    more = {"standard": kpi.source, "method": kpi.method, "windows": kpi.windows}
    return about | more | {"owners": {owner: lacks.get(kpi.id, "") or "computed" for owner, lacks in needs.items()}}


def _table_of_needs(owner: str, rows: Sequence[Kpi], needs: Mapping[str, str]) -> Table:
    table = Table(title=owner, title_justify="left")
    for column in ("", "KPI", "name", "unit", "formula", "computed"):
        table.add_column(column)
    for kpi in rows:
        need = needs.get(kpi.id, "")
        cells = (kpi.code, kpi.id, kpi.name, "" if kpi.unit == "1" else kpi.unit, kpi.spelled)
        table.add_row(*map(Text, cells), Text(need, "dim") if need else Text("yes", "green"))
    return table


def show(
    config: ConfigPath,
    owner: Owner,
    window: Window = "day",
    from_: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="Windows that begin from here on, or the one that this lies in"),
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="… and before this; not given: now")] = "now",
    kpi: Annotated[list[str] | None, typer.Option(help="Only this KPI; may be given more than once")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line per window and KPI")] = False,
) -> None:
    """Show the KPIs of an owner over the windows that begin in a range."""
    checked = load(config)
    must_be_window(window)
    known = [row.kpi.id for row in checked.catalogue.rows]
    for name in kpi or ():
        if name not in known:
            raise typer.BadParameter(f"no KPI {name!r}{closest(name, known)}", param_hint="--kpi")
    end_ms = moment(to, checked, "--to")
    start_ms = moment(from_, checked, "--from") if from_ else min(end_ms, now_ms()) - SPANS_MS.get(window, _WEEK_MS)
    with stored(checked) as reader:
        must_be_known(reader, owner)
        rows = reader.kpis(owner, window, start_ms, end_ms) or _around(reader, owner, window, start_ms, end_ms)
        reach = reader.reach(owner)
    lines = [line for row in rows for line in _lines(checked, row, kpi or known)]
    if as_json:
        typer.echo(json.dumps(lines, indent=2, ensure_ascii=False))
    elif as_csv:
        _write_csv(lines)
    elif rows:
        kpis = [row.kpi for row in checked.catalogue.rows]
        print_windows(table_console(), owner, window, rows, kpis, kpi or (), zone_of(checked))
    else:
        typer.echo(f"no {window} of {owner} begins in this range{_known(reach, zone_of(checked))}")


def _around(reader: KpiReader, owner: str, window: str, start_ms: int, end_ms: int) -> list[WindowKpis]:
    """The windows that a range lies in where none begins in it."""
    if window in RUNS or end_ms <= start_ms:
        return []
    found = reader.kpis(owner, window, start_ms - _LONGEST_MS, start_ms)[-1:]
    return [row for row in found if row.end_ms > start_ms]


def _known(reach: tuple[int, int] | None, zone: ZoneInfo) -> str:
    if reach is None or reach[0] <= 0:
        return ""
    first, newest = (show_moment(time_ms // 1000 * 1000, zone) for time_ms in reach)
    return f": there are readings from {first} to {newest}"


def _lines(config: Config, row: WindowKpis, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """One entry per KPI of a window."""
    zone = zone_of(config)
    head = {"start": show_moment(row.start_ms, zone), "end": show_moment(row.end_ms, zone), "name": row.name}
    tail = {"status": row.status, "final": row.final, "revision": row.revision}
    units = {one.kpi.id: one.kpi.unit for one in config.catalogue.rows}
    return [
        head
        | {"kpi": kpi, "value": row.values[kpi], "low": row.values.get(f"{kpi}_low")}
        | {"high": row.values.get(f"{kpi}_high"), "unit": units[kpi], "reason": row.reasons.get(kpi, "")}
        | {"method": row.methods.get(kpi, ""), "flags": row.flags.get(kpi, ())}
        | tail
        for kpi in wanted
        if kpi in row.values
    ]


def _write_csv(lines: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**line, "flags": " ".join(line["flags"])} for line in lines)


def register(app: typer.Typer) -> None:
    """Adds the commands to the group `kpi`."""
    app.command("list")(list_kpis)
    app.command("show")(show)

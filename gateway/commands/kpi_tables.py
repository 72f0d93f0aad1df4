"""KPIs of windows as tables that fit the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commands.kpi_asking import amount
from gateway.kpi.catalogue import Kpi
from gateway.kpi.query import WindowKpis
from gateway.kpi.runs import RUNS
from gateway.moment import show_moment

_MAIN: Final = ("oee", "availability", "effectiveness", "quality_rate", "throughput", "energy", "sec", "coverage")


def print_windows(
    console: Console,
    title: str,
    window: str,
    rows: Sequence[WindowKpis],
    kpis: Sequence[Kpi],
    wanted: Sequence[str],
    zone: ZoneInfo,
) -> None:
    """One row per window with the KPIs that were asked for, else the main ones; of a single window all that it has."""
    if len(rows) == 1 and not wanted:
        console.print(_one_under_the_other(title, rows[0], kpis, zone))
        return
    shown = list(wanted) or [kpi for kpi in _MAIN if any(row.values.get(kpi) is not None for row in rows)]
    units = {kpi.id: kpi.unit for kpi in kpis}
    left_out: list[str] = []
    table = _side_by_side(title, window, rows, shown, units, zone)
    while not wanted and len(shown) > 1 and console.measure(table).maximum >= console.width:
        left_out.insert(0, shown.pop())
        table = _side_by_side(title, window, rows, shown, units, zone)
    console.print(table)
    for text in _why_not(rows, shown):
        console.print(Text(text, "dim"))
    if left_out:
        console.print(Text(f"not shown for want of room: {', '.join(left_out)}; --kpi NAME or --csv has them", "dim"))


def _side_by_side(
    title: str, window: str, rows: Sequence[WindowKpis], shown: Sequence[str], units: Mapping[str, str], zone: ZoneInfo
) -> Table:
    offsets = {_local(row.start_ms, zone).isoformat()[-6:] for row in rows}
    table = Table(title=f"{title}  UTC{min(offsets)}" if len(offsets) == 1 else title, title_justify="left")
    columns = ["from", "to"]
    if any(row.name for row in rows):
        columns.append(window)
    for name in columns:
        table.add_column(name, no_wrap=True)
    for kpi in shown:
        table.add_column(f"{kpi}\n{_unit(units[kpi])}".rstrip(), justify="right", no_wrap=True)
    ends = ["data"] if any(row.status for row in rows) else []
    ends += ["final"] if window in RUNS else ["final", "rev"]
    for name in ends:
        table.add_column(name, no_wrap=True)
    for row in rows:
        moments = _span(row, zone, with_offset=len(offsets) > 1)
        values = [_plain(row.values.get(kpi), units[kpi]) for kpi in shown]
        state = {
            "data": row.status,
            "final": "yes" if row.final else "no",
            "rev": "open" if row.revision is None else str(row.revision),
        }
        names = [row.name] if window in columns else []
        table.add_row(*map(Text, (*moments, *names, *values, *(state[name] for name in ends))))
    return table


def _unit(unit: str) -> str:
    return "%" if unit == "1" else unit


def _plain(value: float | None, unit: str) -> str:
    """A value without its unit, which stands above it."""
    return amount(value, unit).removesuffix(" %") if unit == "1" else amount(value)


def _span(row: WindowKpis, zone: ZoneInfo, *, with_offset: bool) -> tuple[str, str]:
    """Begin and end; of the end no more than what differs."""
    first, last = (_local(time_ms, zone) for time_ms in (row.start_ms, row.end_ms))
    form = "%Y-%m-%d %H:%M" + ("%z" if with_offset else "")
    end = last.strftime(form)
    same_day = first.date() == last.date() and not with_offset
    return first.strftime(form), end[11:] if same_day else end


def _local(time_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone)


def _why_not(rows: Sequence[WindowKpis], shown: Sequence[str]) -> Iterator[str]:
    """Why cells are empty, each reason once."""
    for kpi in shown:
        reasons = dict.fromkeys(row.reasons[kpi] for row in rows if row.reasons.get(kpi))
        if reasons:
            yield f"– {kpi}: {'; '.join(reasons)}"


def _one_under_the_other(title: str, row: WindowKpis, kpis: Sequence[Kpi], zone: ZoneInfo) -> Table:
    span = f"{show_moment(row.start_ms, zone)} – {show_moment(row.end_ms, zone)}"
    data = (f"  data: {row.status}" if row.status else "") + ("  final" if row.final else "  not final")
    table = Table(title=f"{title}  {span} {row.name}".rstrip() + data, title_justify="left")
    for column in ("KPI", "name", "value", "low", "high", "why not, or what is suspect"):
        table.add_column(column, justify="right" if column in ("value", "low", "high") else "left")
    for kpi in (one for one in kpis if one.id in row.values):
        value, *bounds = (row.values.get(f"{kpi.id}{end}") for end in ("", "_low", "_high"))
        shown = [amount(one, kpi.unit) if one is not None else "" for one in bounds]
        said = row.reasons.get(kpi.id) or ", ".join(row.flags.get(kpi.id, ()))
        table.add_row(*map(Text, (kpi.id, kpi.name, amount(value, kpi.unit), *shown, said)))
    return table

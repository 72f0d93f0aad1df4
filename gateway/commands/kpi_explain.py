"""`lineside kpi explain`: one number taken apart, down to the tags that it comes from."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commands.kpi_asking import (
    SPANS_MS,
    Owner,
    amount,
    must_be_known,
    stored,
)
from gateway.commands.shared import ConfigPath, moment, now_ms, table_console, zone_of
from gateway.config import load
from gateway.kpi.catalogue import MEANINGS, unit_of
from gateway.kpi.explain import Evidence, Explanation, NotExplained, Question, explain
from gateway.kpi.facts import FOREVER_MS
from gateway.kpi.runs import RUNS
from gateway.kpi.windows import WINDOWS
from gateway.moment import show_moment
from gateway.ports import Unusable
from gateway.spelling import closest

_WEEK_MS: Final = 7 * 86_400_000
_HOURS_OF_US: Final = 3.6e9
_KWH_OF_MWH: Final = 1e6
_SECOND_US: Final = 1_000_000
_SHOWN: Final = 12


def command(
    config: ConfigPath,
    owner: Owner,
    kpi: Annotated[str, typer.Argument(metavar="KPI", help="Such as oee; lineside kpi list shows them all")],
    window: Annotated[str, typer.Option(help=f"{', '.join(WINDOWS)}; or --from and --to")] = "day",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="The window that this moment lies in")] = "now",
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="With --to: any range of minutes")] = "",
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="Where the range ends")] = "",
    name: Annotated[str, typer.Option("--name", help="Of the product or order")] = "",
    minutes: Annotated[bool, typer.Option("--minutes", help="List the minute buckets behind it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts; with every minute")] = False,
) -> None:
    """Take one number apart: formula, numerator, denominator, buckets, facts, records, model, revision."""
    checked = load(config)
    known = [row.kpi.id for row in checked.catalogue.rows]
    if kpi not in known:
        raise typer.BadParameter(f"no KPI {kpi!r}{closest(kpi, known)}", param_hint="KPI")
    if window not in WINDOWS:
        raise typer.BadParameter(f"{window!r} is no window: write {', '.join(WINDOWS)}", param_hint="--window")
    if bool(from_) != bool(to):
        raise typer.BadParameter("a range needs both ends", param_hint="--from, --to")
    if from_:
        asked = Question(owner, kpi, "range", moment(from_, checked, "--from"), moment(to, checked, "--to"))
    else:
        at_ms = moment(at, checked, "--at")
        back_ms = SPANS_MS.get(window, _WEEK_MS) if at == "now" or window in RUNS else 0
        asked = Question(owner, kpi, window, min(at_ms, now_ms()) - back_ms if back_ms else at_ms, at_ms + 1, name)
    with stored(checked) as reader:
        must_be_known(reader, owner)
        try:
            found = explain(reader, asked)
        except NotExplained as exc:
            raise Unusable(str(exc)) from exc
    if as_json:
        typer.echo(json.dumps(as_data(found), indent=2, ensure_ascii=False))
    else:
        _print(found, zone_of(checked), table_console(), minutes=minutes)


def as_data(found: Explanation) -> dict[str, Any]:
    """The explanation for scripts; times in ms since 1970."""
    data = asdict(found)
    kpi = data.pop("row")["kpi"]
    about = {key: kpi[key] for key in ("id", "code", "name", "unit", "formula", "standard", "clause", "per", "times")}
    return {"kpi": about} | data | {"result": found.result._asdict()}


def _print(found: Explanation, zone: ZoneInfo, console: Console, *, minutes: bool) -> None:
    kpi, result = found.row.kpi, found.result
    span = f"{show_moment(found.start_ms, zone)} – {show_moment(found.end_ms, zone)}"
    console.print(Text(f"{kpi.name} ({kpi.id}) of {found.owner}, {found.window} {found.name}".rstrip(), "bold"))
    console.print(Text(span))
    bounds = (
        "" if result.low is None else f"  between {amount(result.low, kpi.unit)} and {amount(result.high, kpi.unit)}"
    )
    console.print(Text(f"= {amount(result.value, kpi.unit)}{bounds}  {result.reason}".rstrip(), "bold green"))
    for title, text in _about(found):
        console.print(Text.assemble((f"{title:<12}", "dim"), text))
    console.print(_sums(found))
    if found.members:
        console.print(_members(found))
    if found.evidence:
        console.print(_evidence(found, zone))
    for text in _records(found, zone):
        console.print(Text(text))
    if minutes:
        console.print(_minutes(found, zone))


def _about(found: Explanation) -> Iterator[tuple[str, str]]:
    kpi, result = found.row.kpi, found.result
    yield "formula", kpi.spelled
    if found.resolved.replace("÷", "/").replace("×", "*") != kpi.formula:
        yield "", found.resolved
    for name, meaning in MEANINGS.items():
        if name in kpi.formula.replace("(", " ").replace(")", " ").split():
            yield "", f"{name}: {meaning}"
    if kpi.source:
        yield "standard", kpi.source
    yield "method", result.method
    yield "computed", _computed(found)
    for factor in result.factors:
        yield "factor", factor
    if result.flags:
        yield "suspect", ", ".join(result.flags)
    yield "data", result.status or "not scored"
    final = "final" if found.final else "not final: late readings may still change it"
    revision = "not published as such" if found.revision is None else f"revision {found.revision}"
    yield "state", f"{final}; {revision}"


def _computed(found: Explanation) -> str:
    """The division with all its numbers, as one would type it."""
    kpi = found.row.kpi
    above = " × ".join([f"{found.numerator:,.15g}", *([f"{kpi.times:,}"] if kpi.times != 1 else [])])
    ones = [f"{one:,.15g}" for one in (found.denominator, kpi.per) if one != 1]
    below = f" ÷ ({' × '.join(ones)})" if len(ones) > 1 else f" ÷ {ones[0]}" if ones else ""
    return f"{above}{below}" + (f" × {found.factor:.15g} kg/kWh" if kpi.grid else "")


def _sums(found: Explanation) -> Table:
    table = Table(title="Sums of the window", title_justify="left")
    for column in ("quantity", "sum", "unit", ""):
        table.add_column(column, justify="right" if column == "sum" else "left")
    for name, value in found.sums.items():
        table.add_row(name, f"{value:,}", unit_of(name), _readable(name, value))
    return table


def _readable(name: str, value: int) -> str:
    match unit_of(name):
        case "µs":
            return f"{value / _HOURS_OF_US:,.4f} h"
        case "mWh":
            return f"{value / _KWH_OF_MWH:,.3f} kWh"
    return ""


def _members(found: Explanation) -> Table:
    limit = f"; times and counts are those of {found.constraint}" if found.constraint else ""
    table = Table(title=f"Of its members{limit}", title_justify="left")
    table.add_column("member")
    for name in found.sums:
        table.add_column(name, justify="right")
    for member, sums in found.members.items():
        table.add_row(member, *(f"{value:,}" for value in sums.values()))
    return table


def _evidence(found: Explanation, zone: ZoneInfo) -> Table:
    table = Table(title="Facts", title_justify="left")
    for column in ("asset", "role", "tag", "source", "facts", "bad", "corrected", "before", "first", "last"):
        table.add_column(column, justify="right" if column in ("facts", "bad", "corrected") else "left")
    for one in found.evidence:
        ends = (_reading(one.before, zone), _reading(one.first, zone), _reading(one.last, zone))
        counts = (f"{one.facts:,}", f"{one.unusable:,}", f"{one.corrected:,}")
        table.add_row(*map(Text, (one.asset, one.role, one.tag or _unbound(one), one.source, *counts, *ends)))
    return table


def _unbound(one: Evidence) -> str:
    return "booked by hand" if one.role.endswith("_booked") else "no longer bound"


def _reading(reading: tuple[int, float | str] | None, zone: ZoneInfo) -> str:
    if reading is None:
        return "–"
    time_ms, value = reading
    return f"{amount(value)} at {show_moment(time_ms, zone)[5:-6]}"


def _records(found: Explanation, zone: ZoneInfo) -> Iterator[str]:
    kept = found.buckets
    whole = "" if kept.adds_up else "; their sums are less than the window's: the oldest are no longer kept"
    yield (
        f"Buckets: {kept.minutes:,} of {kept.of_minutes:,} minutes have numbers, {kept.final:,} final, "
        f"highest revision {kept.revision}{whole}"
    )
    for model in found.models:
        since = "the beginning" if model.valid_from_ms <= 0 else show_moment(model.valid_from_ms, zone)
        yield f"Model: {model.asset} {model.hash}, valid from {since}, for {model.minutes:,} minutes"
        if model.times_us:
            times = [f"{what} {time_us / _SECOND_US:.9g} s" for what, time_us in model.times_us.items()]
            more = f" and {len(times) - _SHOWN} more: see --json" if len(times) > _SHOWN else ""
            yield f"  per part: {', '.join(times[:_SHOWN])}{more}"
    for one in found.laid:
        end = "now" if one.to_ms >= FOREVER_MS else show_moment(one.to_ms, zone)
        yield (
            f"Said: {one.asset} {one.kind} {one.value!r} from {show_moment(one.from_ms, zone)} to {end}"
            f" (entry {one.id}, revision {one.revision})"
        )


def _minutes(found: Explanation, zone: ZoneInfo) -> Table:
    table = Table(title="Minute buckets", title_justify="left")
    table.add_column("minute")
    for name in found.sums:
        table.add_column(name, justify="right")
    for start_ms, sums in found.buckets.rows.items():
        table.add_row(show_moment(start_ms, zone), *(f"{value:,}" for value in sums.values()))
    return table


def register(app: typer.Typer) -> None:
    """Adds the command to the group `kpi`."""
    app.command("explain")(command)

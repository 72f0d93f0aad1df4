"""`lineside kpi quality | capability`: how good the data behind the numbers are, and the parts behind the limits."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from gateway.commands.kpi_asking import DAY_MS, SPANS_MS, Owner, amount, must_be_known, stored
from gateway.commands.shared import ConfigPath, moment, table_console, zone_of
from gateway.config import Config, load
from gateway.kpi.capable import Measured, capabilities, least
from gateway.kpi.catalogue.data_quality import DATA_QUALITY
from gateway.kpi.measures import INDICES
from gateway.kpi.quality import TagScores, tag_scores, together
from gateway.kpi.windows import CALENDAR
from gateway.moment import show_moment

_SCORES: Final = tuple(kpi.id for kpi in DATA_QUALITY)
_WEEK_MS: Final = 7 * DAY_MS
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Begin of the range; not given: a day ago")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Its end; not given: now")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts")]


def quality(config: ConfigPath, owner: Owner, from_: From = "", to: To = "now", as_json: AsJson = False) -> None:
    """Show the data-quality scores of every tag behind an owner's KPIs, and what they come to."""
    checked = load(config)
    end_ms = moment(to, checked, "--to")
    start_ms = moment(from_, checked, "--from") if from_ else end_ms - DAY_MS
    with stored(checked) as reader:
        must_be_known(reader, owner)
        assets = reader.assets_of(owner)
        found = reader.asked(lambda db: tag_scores(db, assets, start_ms, end_ms))
    if owner not in assets:
        found.append(together([one for one in found if not one.role], owner))
    rows = [_scored(checked, one) for one in found]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        table_console().print(_scores_table(checked, owner, (start_ms, end_ms), rows))
    else:
        typer.echo(f"{owner} has no facts in this range")


def _scored(config: Config, one: TagScores) -> dict[str, Any]:
    heard = f"every {one.period_ms / 1000:g} s" if one.period_ms else "on change" if one.counts["dq_expected"] else ""
    scores = dict.fromkeys(_SCORES) | one.scores
    status = {} if one.role else {"status": config.catalogue.gate.status(one.counts)}
    about = {"asset": one.asset, "role": one.role, "tag": one.tag, "heard": heard if one.role else ""}
    return about | scores | {"unchecked": one.unchecked} | status | {"counts": one.counts}


def _scores_table(config: Config, owner: str, span: tuple[int, int], rows: Sequence[dict[str, Any]]) -> Table:
    zone = zone_of(config)
    table = Table(title=f"{owner}  {show_moment(span[0], zone)} – {show_moment(span[1], zone)}", title_justify="left")
    for column in ("asset", "role", "tag", "heard", "accurate", "unchecked", "sufficient", "clean", "live", "data"):
        table.add_column(column, justify="right" if column in ("accurate", "unchecked", "clean", "live") else "left")
    for row in rows:
        accurate, *rest = (amount(row[score], "1") for score in _SCORES)
        words = (row["asset"], row["role"] or "all", row["tag"], row["heard"], accurate, amount(row["unchecked"], "1"))
        table.add_row(*map(Text, (*words, *rest, row.get("status", ""))), end_section=not row["role"])
    return table


def capability(
    config: ConfigPath,
    owner: Owner,
    window: Annotated[str, typer.Option(help=f"{', '.join(CALENDAR[1:])}; not given: the range as one")] = "",
    from_: From = "",
    to: To = "now",
    as_json: AsJson = False,
) -> None:
    """Show Cp, Cpk, Cm and Cmk of everything that is measured of an owner's parts, and the least of each."""
    checked = load(config)
    if window and window not in CALENDAR[1:]:
        raise typer.BadParameter(f"{window!r} is none of {', '.join(CALENDAR[1:])}", param_hint="--window")
    end_ms = moment(to, checked, "--to")
    back_ms = SPANS_MS.get(window, _WEEK_MS) if window else DAY_MS
    start_ms = moment(from_, checked, "--from") if from_ else end_ms - back_ms
    with stored(checked) as reader:
        must_be_known(reader, owner)
        found = capabilities(reader, owner, window, start_ms, end_ms)
    worst = least(found)
    if as_json:
        shown = {"measures": [asdict(one) for one in found], "least": [asdict(one) for one in worst]}
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    elif not found:
        typer.echo(f"nothing is measured of {owner}: give an asset `measures`, see docs/kpi/quality.md")
    else:
        table_console().print(_capability_table(checked, owner, found))
        for one in worst:
            typer.echo(f"least {one.index}: {one.value:.4g} ({one.asset} {one.measure})")


def _capability_table(config: Config, owner: str, found: Sequence[Measured]) -> Table:
    table = Table(title=owner, title_justify="left")
    for column in ("from", "to", "", "asset", "measure", "limits", "n", "mean", "s", *INDICES, "why not"):
        table.add_column(column, justify="right" if column in ("n", "mean", "s", *INDICES) else "left")
    for one in found:
        table.add_row(*map(Text, _cells(config, one)))
    return table


def _cells(config: Config, one: Measured) -> Iterator[str]:
    zone, was = zone_of(config), one.found
    yield from (show_moment(one.start_ms, zone), show_moment(one.end_ms, zone), one.name, one.asset, one.measure)
    yield f"{amount(one.lsl)} … {amount(one.usl)}"
    yield str(was.n)
    yield from (amount(value) for value in (was.mean, was.deviation, was.cp, was.cpk, was.cm, was.cmk))
    more = [f"{was.left_out} left out"] if was.left_out else []
    yield ", ".join([*dict.fromkeys(was.reasons.values()), *more])


def register(app: typer.Typer) -> None:
    """Adds the commands to the group `kpi`."""
    app.command("quality")(quality)
    app.command("capability")(capability)

"""`lineside fact …`: what no machine reports is booked, corrected and taken back, with or without a running gateway."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from gateway.asking import Ask, asking
from gateway.commands.shared import ConfigPath, answered, finished, now_ms, table_console, user, zone_of
from gateway.config import Config, load, models
from gateway.control import Refused
from gateway.drafting import Draft as Drafted
from gateway.drafting import Drafter, Problem, must_be_none, read_drafts
from gateway.kpi.bookable import COUNT_ROLES
from gateway.kpi.entries import COUNT, READING, SPANS, Entry
from gateway.kpi.entries import load as load_entry
from gateway.kpi.facts import FOREVER_MS
from gateway.model import TagTable
from gateway.moment import show_moment
from gateway.ports import Unusable

app = typer.Typer(
    help="Book what no machine reports: scrap, reasons of stops, orders; correct readings.", no_args_is_help=True
)
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it; not given: the user of this session")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="When: 06:30, 2026-11-22T06:30, now; or with an offset")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Where it begins")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Where it ends; without, an order or product goes on")]
Note = Annotated[str | None, typer.Option("--note", help="Anything worth knowing")]
_DAY_MS = 86_400_000
_CHUNK = 1000


@app.command(context_settings={"ignore_unknown_options": True})  # -5 is a value
def add(
    config: ConfigPath,
    asset: Annotated[str, typer.Argument(metavar="ASSET")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help=", ".join((*COUNT_ROLES, READING, *SPANS)))],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Parts, a reading, or a reason, order or product")],
    at: At = "",
    from_: From = "",
    to: To = "",
    role: Annotated[str, typer.Option(help="With reading: whose, such as total or state")] = "",
    new: Annotated[bool, typer.Option("--new", help="With reading: one that nobody recorded")] = False,
    entry_id: Annotated[str, typer.Option("--id", help="A name of your own for it; not given: a new one")] = "",
    note: Note = None,
    by: By = "",
) -> None:
    """Book parts, the reason of a stop, a planned stop, an order or product; or the right value of a reading."""
    checked = load(config)
    if bool(at) == bool(from_):
        raise typer.BadParameter("write --at TIME, or --from TIME and --to TIME", param_hint="--at")
    row = {"kind": what, "asset": asset, "from": at or from_, "to": to, "role": role, "value": value, "id": entry_id}
    try:
        draft = _drafter(checked).draft(row | {"note": note or ""})
    except ValueError as exc:
        raise Unusable(str(exc)) from exc
    request = {"op": "book", "drafts": [draft | {"new": new}], "by": by or user()}
    reply = answered(checked, request)
    typer.echo(f"{reply['ids'][0]}: " + ("booked" if reply["booked"] else "is booked already, just so"))


@app.command()
def correct(
    config: ConfigPath,
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="As `add` and `list` show it")],
    value: Annotated[str | None, typer.Option(help="The right value")] = None,
    from_: From = "",
    to: To = "",
    note: Note = None,
    by: By = "",
) -> None:
    """Change an entry: it gets a new revision, the old ones stay on record."""
    checked = load(config)
    drafter = _drafter(checked)
    try:
        moments = {name: drafter.moment(text, name) for name, text in (("from", from_), ("to", to)) if text}
    except ValueError as exc:
        raise Unusable(str(exc)) from exc
    changes = moments | {name: text for name, text in (("value", value), ("note", note)) if text is not None}
    if not changes:
        raise typer.BadParameter("nothing to change: write --value, --from, --to or --note", param_hint="--value")
    reply = answered(checked, {"op": "correct", "id": entry_id, "by": by or user(), **changes})
    typer.echo(f"{entry_id}: corrected, revision {load_entry(reply['entry']).revision}")


@app.command()
def withdraw(config: ConfigPath, entry_id: Annotated[str, typer.Argument(metavar="ID")], by: By = "") -> None:
    """Take an entry back; it stays on record. The reading that it corrected counts as bad from then on."""
    reply = answered(load(config), {"op": "withdraw", "id": entry_id, "by": by or user()})
    typer.echo(f"{entry_id}: withdrawn, revision {load_entry(reply['entry']).revision}")


@app.command("import")
def import_file(
    config: ConfigPath,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns: kind,asset,from,to,role,value,id,note")],
    by: By = "",
) -> None:
    """Book every row of a CSV file, or nothing if a row is wrong. The same file again changes nothing."""
    checked = load(config)
    drafts, problems = read_drafts(file, _drafter(checked))
    booked, known = finished(_import(checked, file, drafts, problems, by or user()))
    typer.echo(f"{file}: {booked} booked, {known} were booked before")


@app.command("list")
def show(
    config: ConfigPath,
    asset: Annotated[str, typer.Option(help="Only of this one")] = "",
    from_: From = "",
    to: To = "",
    limit: Annotated[int, typer.Option(min=1, max=4999, help="Show at most so many")] = 200,
) -> None:
    """Show what was booked, each entry in its newest revision; not given when: from seven days ago on."""
    checked = load(config)
    drafter = _drafter(checked)
    try:
        from_ms = drafter.moment(from_, "from") if from_ else drafter.now_ms - 7 * _DAY_MS
        to_ms = drafter.moment(to, "to") if to else drafter.now_ms + 400 * _DAY_MS
    except ValueError as exc:
        raise Unusable(str(exc)) from exc
    reply = answered(checked, {"op": "list", "asset": asset, "from": from_ms, "to": to_ms, "limit": limit})
    entries = [(owner, load_entry(text)) for owner, text in reply["entries"]]
    console = table_console()
    console.print(_table(entries, drafter.zone) if entries else "nothing is booked for this time")
    if reply["more"]:
        console.print(f"only the first {limit} are shown: write --limit, --from or --to")


def _drafter(config: Config) -> Drafter:
    known = models(config.root, TagTable(enumerate(config.tags)))
    return Drafter(known, zone_of(config), now_ms())


async def _import(
    config: Config, file: Path, drafts: Sequence[tuple[int, Drafted]], unread: Sequence[Problem], by: str
) -> tuple[int, int]:
    """First everything is checked, then everything is booked; how many are new, and how many were known."""
    parts = [drafts[at : at + _CHUNK] for at in range(0, len(drafts), _CHUNK)]
    problems = list(unread)
    booked = known = 0
    async with asking(config) as ask:
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            for part in progress.track(parts, description="checking"):
                problems += await _problems(ask, part, by)
            must_be_none(file, problems)
            for part in progress.track(parts, description="booking"):
                reply = await ask(_request(part, by, dry=False))
                booked, known = booked + reply["booked"], known + reply["known"]
    return booked, known


async def _problems(ask: Ask, part: Sequence[tuple[int, Drafted]], by: str) -> list[Problem]:
    try:
        await ask(_request(part, by, dry=True))
    except Refused as exc:
        if not exc.problems:
            raise
        return [(part[index][0], text) for index, text in exc.problems.items()]
    return []


def _request(part: Sequence[tuple[int, Drafted]], by: str, *, dry: bool) -> dict[str, Any]:
    return {"op": "book", "drafts": [draft for _, draft in part], "by": by, "mode": "import", "dry": dry}


def _table(entries: Sequence[tuple[str, Entry]], zone: ZoneInfo) -> Table:
    table = Table()
    for column in ("asset", "what", "value", "from", "to", "by", "note", "rev", "id"):
        table.add_column(column, justify="right" if column == "rev" else "left")
    for asset, one in entries:
        value = one.value if isinstance(one.value, str) else f"{one.value:.15g}"
        what = {COUNT: one.role, READING: f"reading {one.role}"}.get(one.kind, one.kind)
        end = "" if one.to_ms == one.from_ms else "goes on" if one.to_ms == FOREVER_MS else show_moment(one.to_ms, zone)
        cells = (asset, what, value, show_moment(one.from_ms, zone), end, one.by, one.note, str(one.revision), one.id)
        table.add_row(*map(Text, cells), style=None if one.usable else "dim strike")
    return table

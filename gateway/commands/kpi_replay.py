"""`lineside kpi recompute | replay | audit`: numbers once more, and what changed them."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from gateway.commands.shared import ConfigPath, answered, now_ms, table_console, user, zone_of
from gateway.config import Config, load
from gateway.kpi.reading import AuditRecord, audit_records, reading
from gateway.kpi.replay import Difference, Piece, assets_of, replay
from gateway.moment import parse_moment, show_moment
from gateway.ports import Unusable
from gateway.spelling import closest

_SHOWN = 50
From = Annotated[
    str, typer.Argument(metavar="FROM", help="Where it begins: 2026-11-22, 2026-11-22T06:00, or 06:00 today")
]
To = Annotated[str, typer.Argument(metavar="TO", help="Where it ends")]
Assets = Annotated[list[str] | None, typer.Option("--asset", help="Only this one; may be given more than once")]


class Model(StrEnum):
    """Which models compute: those of the config now, or those recorded for the time."""

    CURRENT = "current"
    RECORDED = "recorded"


def recompute(
    config: ConfigPath,
    from_: From,
    to: To,
    model: Annotated[Model, typer.Option(help="The config of today, or what was recorded for that time")],
    asset: Assets = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who wants it; not given: the user of this session")
    ] = "",
) -> None:
    """Compute stored minutes again and publish what changes, as revisions. It is noted in the audit records."""
    checked = load(config)
    start, end = _span(checked, from_, to)
    request = {"op": "recompute", "assets": asset or [], "from": start, "to": end, "model": model, "by": by or user()}
    reply = answered(checked, request)
    if not reply["minutes"]:
        raise Unusable(f"nothing was computed: no minutes are stored from {from_} to {to}")
    typer.echo(f"{reply['minutes']} minutes computed again, {reply['changed']} of them changed")


def replay_range(config: ConfigPath, from_: From, to: To, asset: Assets = None) -> None:
    """Compute a range once more from the recorded facts, and compare bit by bit; exit 1 where anything differs."""
    checked = load(config)
    start, end = _span(checked, from_, to)
    zone = zone_of(checked)
    minutes = 0
    differences: list[Difference] = []
    left_out = LeftOut()
    with reading(checked.data_file("kpi.db")) as db:
        known = assets_of(db)
        for name in asset or []:
            if name not in known:
                raise Unusable(f"no asset {name!r} in kpi.db{closest(name, known)}")
        for name in asset or known:
            for piece in replay(db, name, start, end):
                minutes += piece.minutes
                differences += piece.differences
                if piece.left_out:
                    left_out.add(name, piece)
        for text in left_out.lines(zone, len(asset or known)):
            typer.echo(text)
    if differences:
        table_console().print(_differences(differences[:_SHOWN], zone))
        if len(differences) > _SHOWN:
            typer.echo(f"… and {len(differences) - _SHOWN} more")
    if not minutes:
        raise Unusable("nothing was compared")
    typer.echo(f"{minutes} minutes compared, {len(differences)} numbers differ")
    sys.exit(bool(differences))


class LeftOut:
    """What a replay did not compare: pieces that follow each other as one, assets with the same ones together."""

    def __init__(self) -> None:
        self._found: dict[str, list[Piece]] = {}

    def add(self, asset: str, piece: Piece) -> None:
        """One more piece of an asset, in order of time."""
        pieces = self._found.setdefault(asset, [])
        if pieces and (pieces[-1].to_ms, pieces[-1].left_out) == (piece.from_ms, piece.left_out):
            piece = replace(pieces.pop(), to_ms=piece.to_ms)
        pieces.append(piece)

    def lines(self, zone: ZoneInfo, of_assets: int) -> Iterator[str]:
        """A line for each stretch and reason."""
        owners: dict[tuple[int, int, str], list[str]] = {}
        for asset, pieces in self._found.items():
            for one in pieces:
                owners.setdefault((one.from_ms, one.to_ms, one.left_out), []).append(asset)
        for (from_ms, to_ms, reason), names in owners.items():
            who = "all assets" if len(names) == of_assets > 1 else ", ".join(names)
            yield f"{who}: {show_moment(from_ms, zone)} to {show_moment(to_ms, zone)} {reason}: not compared"


def audit(
    config: ConfigPath,
    owner: Annotated[list[str] | None, typer.Option(help="Only of this asset, line/NAME or site/NAME")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts")] = False,
) -> None:
    """Show what changed closed shifts and days, and what was computed again: the newest first."""
    checked = load(config)
    with reading(checked.data_file("kpi.db")) as db:
        found = audit_records(db, owner or [], limit)
    if as_json:
        rows = [{"at_ms": r.at_ms, "kind": r.kind, "owner": r.owner, "by": r.by, **r.detail} for r in found]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table_console().print(_records(found, zone_of(checked)) if found else "nothing changed closed numbers")


def register(app: typer.Typer) -> None:
    """Adds the commands to the group `kpi`."""
    app.command("recompute")(recompute)
    app.command("replay")(replay_range)
    app.command("audit")(audit)


def _span(config: Config, from_: str, to: str) -> tuple[int, int]:
    zone, now = zone_of(config), now_ms()
    try:
        start, end = parse_moment(from_, zone, now), parse_moment(to, zone, now)
    except ValueError as exc:
        raise Unusable(str(exc)) from exc
    if end <= start:
        raise Unusable(f"{to} is not after {from_}")
    return start, end


def _differences(found: Sequence[Difference], zone: ZoneInfo) -> Table:
    table = Table()
    for column in ("asset", "minute", "product", "order", "quantity", "stored", "from facts"):
        table.add_column(column, justify="right" if column in ("stored", "from facts") else "left")
    for one in found:
        cells = (one.asset, show_moment(one.minute * 60_000, zone), one.product or "", one.order or "", one.quantity)
        table.add_row(*map(Text, cells), f"{one.stored}", f"{one.computed}")
    return table


def _records(found: Sequence[AuditRecord], zone: ZoneInfo) -> Table:
    table = Table()
    for column in ("at", "what", "of", "by", "detail"):
        table.add_column(column)
    for one in found:
        times = {key: show_moment(value, zone) for key, value in one.detail.items() if key in ("from_ms", "to_ms")}
        detail = {key.removesuffix("_ms"): value for key, value in (one.detail | times).items()}
        text = ", ".join(f"{key} {value}" for key, value in detail.items())
        table.add_row(*map(Text, (show_moment(one.at_ms, zone), one.kind, one.owner, one.by, text)))
    return table

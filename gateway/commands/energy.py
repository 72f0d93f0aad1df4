"""`lineside energy …`: demand, load factor and bill of an owner's electricity."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import apsw
import typer

from gateway.commands.energy_texts import (
    bill_as_json,
    demand_as_json,
    print_bill,
    print_comparison,
    print_demand,
    write_windows,
)
from gateway.commands.shared import ConfigPath, moment, zone_of
from gateway.config import Config, load
from gateway.energy.electricity import Electricity
from gateway.energy.localtime import month_span
from gateway.energy.stored import meters_of
from gateway.fields import parse_duration
from gateway.kpi.reading import reading
from gateway.packs import TariffRecord
from gateway.ports import Unusable
from gateway.spelling import closest

app = typer.Typer(help="Electricity: peak demand, load factor, power factor, what it costs.", no_args_is_help=True)
OwnerOrSite = Annotated[
    str, typer.Argument(metavar="[OWNER]", help="An asset, line/NAME, area/NAME or site/NAME; not given: the site")
]
Month = Annotated[str, typer.Option(metavar="MONTH", help="A calendar month: 2026-10; not given: this one")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Instead of --month: where the range begins")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="… and where it ends")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts")]


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
    span, zone = _span(checked, month, from_, to), zone_of(checked)
    with _asked(checked, owner) as (db, name):
        found = _electricity(checked).demand(db, name, span, _window_ms(window))
    if as_csv:
        write_windows(found, zone)
    elif as_json:
        _print_json(demand_as_json(found, zone))
    else:
        print_demand(found, zone)


@app.command()
def bill(
    config: ConfigPath,
    owner: OwnerOrSite = "",
    month: Month = "",
    from_: From = "",
    to: To = "",
    hours: Annotated[
        list[str] | None, typer.Option(metavar="VARIANT", help="Compare with these peak hours, such as hours_2026")
    ] = None,
    tariff: Annotated[str, typer.Option(metavar="KEY", help="Instead of electricity.tariff")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a month's electricity costs: by band, reactive charge, capacity, VAT; compare peak hours."""
    checked = load(config)
    span, zone = _span(checked, month, from_, to), zone_of(checked)
    electricity = _electricity(checked, tariff)
    variants = _variants(electricity, hours or [])
    with _asked(checked, owner) as (db, name):
        look = electricity.look(db, name, span)
        factor = electricity.power_factor(db, look)
    own = electricity.bill(look, factor)
    others = {variant: electricity.bill(look, factor, variant) for variant in variants}
    if as_json:
        compared = {variant: bill_as_json(one, look, zone) for variant, one in others.items()}
        _print_json(bill_as_json(own, look, zone) | ({"compared": compared} if compared else {}))
        return
    print_bill(own, look, zone)
    if others:
        print_comparison({"as configured": own} | others)


def _variants(electricity: Electricity, wanted: Sequence[str]) -> Sequence[str]:
    known = electricity.choice().variants()
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"no hours {name!r} in the packs{closest(name, known)}", param_hint="--hours")
    return wanted


def _print_json(found: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _electricity(config: Config, tariff: str | None = None) -> Electricity:
    """tariff: in place of the config's, "" for that one; None: no bill is asked for. Unusable: there is none."""
    section, packs = config.root.electricity, config.factors.packs
    key = tariff or section.tariff
    if tariff is not None:
        known = sorted({record.key for record in packs.of(TariffRecord)})
        if key not in known:
            have = f"the packs have {', '.join(known)}" if known else "no pack has one: add `packs: [vietnam]`"
            raise Unusable(f"no tariff {key!r}{closest(key, known)}" if key and known else f"name a tariff: {have}")
    return Electricity(section.model_copy(update={"tariff": key}), packs, zone_of(config))


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
        if not meters_of(db, name).whole:
            raise Unusable(f"{name} has no electricity meter: give an asset of it `energy: {{ electricity: … }}`")
        yield db, name

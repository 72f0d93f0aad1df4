"""`lineside pack …`: checks packs and shows which records apply on a day."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.shared import PLAIN
from gateway.library import Library, UnknownName
from gateway.packs import (
    FactorRecord,
    HoursRecord,
    NormRecord,
    PackError,
    Packs,
    ReactiveRecord,
    Record,
    TariffRecord,
    ThresholdRecord,
    read,
)
from gateway.ports import Unusable

app = typer.Typer(help="What countries publish: factors, tariffs, hours, thresholds, norms.", no_args_is_help=True)
Where = Annotated[str, typer.Argument(metavar="PACK", help="A name such as vietnam, or a file")]


@app.command()
def check(pack: Where) -> None:
    """Check a pack against the schema; count its records by how well they are verified."""
    path, records = _records(pack)
    PLAIN.print(f"{path}: {len(records)} records, all well formed")
    for level in ("official", "secondary", "unverified"):
        PLAIN.print(f"  {level:<11}{sum(record.verified == level for record in records):>4}")
    today = date.today()  # noqa: DTZ011  # the reader's own day
    PLAIN.print(f"  ended      {sum(bool(one.valid_to and one.valid_to < today) for one in records):>4}")


@app.command()
def show(
    pack: Where,
    key: Annotated[str, typer.Argument(help="Only keys that begin like this, such as tariff or fuel.diesel")] = "",
    on: Annotated[
        str, typer.Option(metavar="DATE", help="Which record applies on this day; without, all records")
    ] = "",
) -> None:
    """Show records with their validity, document and how sure they are."""
    _, records = _records(pack)
    records = tuple(record for record in records if record.key.startswith(key))
    if on:
        records = tuple(_valid(records, _day(on)))
    if not records:
        raise Unusable(f"no record of {pack} has a key that begins with {key!r}" + f" for {on}" * bool(on))
    for record in sorted(records, key=lambda one: (one.key, one.valid_from)):
        name = record.key + f" ({record.variant})" * bool(record.variant)
        validity = f"{record.valid_from} to {record.valid_to or 'further notice'}"
        PLAIN.print(f"{name}: {value_text(record)}, {validity}, {record.verified}")
        PLAIN.print("".join(f"    {text}\n" for text in (record.scope, record.document, record.note) if text).rstrip())


def value_text(record: Record) -> str:
    """What a record says, short."""
    match record:
        case FactorRecord() | NormRecord() | ThresholdRecord():
            return f"{record.value:g} {record.unit}"
        case TariffRecord():
            return " ".join(f"{band} {price:g}" for band, price in record.prices.items()) + f" {record.currency}/kWh"
        case ReactiveRecord():
            return f"below cos φ {record.required:g}"
        case HoursRecord():
            peak_h = sum(end - start for (start, end), band in record.week() if band == "peak") / 60
            return f"{peak_h:g} h peak a week"
    raise TypeError(f"no text for {type(record)}")


def _records(pack: str) -> tuple[Path, tuple[Record, ...]]:
    path = Path(pack)
    try:
        if not path.is_file():
            path = Library.beside(Path("lineside.yaml")).find("packs", pack)
        return path, read(path).records
    except (PackError, UnknownName) as exc:
        raise Unusable(str(exc.args[0])) from exc


def _valid(records: tuple[Record, ...], day: date) -> list[Record]:
    packs = Packs((records,), strict=True)
    names = {(type(record), record.key) for record in records}
    found = [packs.at(kind, key, day) for kind, key in sorted(names, key=lambda one: one[1])]
    return [one.record for one in found if one is not None]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{text!r} is not a date: write one like 2026-03-01") from None

"""`lineside poll | plan | scan | decode | import-csv`: what engineers ask devices, and make of their manuals."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.shared import PLAIN, ConfigPath, seconds, table_console
from gateway.config import load
from gateway.ports import Unusable
from gateway.signals import with_signals
from gateway.spelling import closest


def poll(
    config: ConfigPath,
    source: Annotated[str | None, typer.Argument(help="Only this source")] = None,
) -> None:
    """Read everything once and print it: raw registers or payload, value, unit, quality and age."""
    from gateway.polling import print_poll

    checked = load(config)
    if source is not None and source not in checked.sources:
        raise Unusable(f"no source {source!r} in {config}{closest(source, checked.sources)}")
    sys.exit(not with_signals(lambda stop: print_poll(checked, source, table_console())))


def plan(
    config: ConfigPath,
    answer: Annotated[str, typer.Option(metavar="TIME", help="How long a device on a line takes to answer")] = "20ms",
    round_trip: Annotated[str, typer.Option(metavar="TIME", help="How long an answer takes over a network")] = "10ms",
    baud: Annotated[int, typer.Option(min=50, help="Of lines behind gateways, which the config does not know")] = 9600,
) -> None:
    """Show what Modbus sources will ask and how long it takes; exit 1 where a line cannot carry it. Reads nothing."""
    from adapters.modbus.forecast import Assumed
    from gateway.planning import print_plan

    assumed = Assumed(seconds(answer, "--answer"), seconds(round_trip, "--round-trip"), baud)
    sys.exit(not print_plan(load(config), assumed, table_console()))


def scan(
    endpoint: Annotated[str, typer.Argument(help="tcp://10.0.7.11, rtu:///dev/ttyUSB0?baud=9600&parity=E, …")],
    units: Annotated[str, typer.Option(help="Unit ids to try, such as 1-32 or 5")] = "1-32",
    tables: Annotated[str, typer.Option(help="Tables to search")] = "holding,input,coil,discrete",
    addresses: Annotated[str, typer.Option(help="Zero-based addresses to search")] = "0-9999",
    reads: Annotated[int, typer.Option(min=1, help="At most so many reads of each unit and table")] = 400,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long a device may take to answer")] = "500ms",
    pause: Annotated[str, typer.Option(metavar="TIME", help="Before each read, for the others on the line")] = "20ms",
) -> None:
    """Find out which unit ids answer and which addresses they have. Reads only; Ctrl-C shows what was found so far."""
    from adapters.modbus.point import Table
    from gateway.scanning import Wish, print_scan

    wanted = [name.strip() for name in tables.split(",")]
    if unknown := [name for name in wanted if name not in list(Table)]:
        raise typer.BadParameter(f"{unknown[0]!r} is no table: write {', '.join(Table)}", param_hint="--tables")
    wish = Wish(
        endpoint,
        _range(units, "--units", 255),
        tuple(Table(name) for name in wanted),
        _range(addresses, "--addresses", 65535),
        *(reads, seconds(timeout, "--timeout"), seconds(pause, "--pause")),
    )
    _check_endpoint(endpoint)
    sys.exit(not with_signals(lambda stop: print_scan(wish, stop, table_console())))


def decode(
    registers: Annotated[list[str] | None, typer.Argument(help="Registers in hexadecimal: 42C8 0000")] = None,
    expect: Annotated[str | None, typer.Option(help="What the device shows now: a number, or a part of a text")] = None,
    within: Annotated[float, typer.Option(min=0, help="How near to the expected number, in percent")] = 5.0,
    decimal: Annotated[bool, typer.Option("--decimal", help="Registers are written in decimal")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show the unlikely meanings too")] = False,
    endpoint: Annotated[str | None, typer.Option("--from", help="Read the registers of this endpoint")] = None,
    unit: Annotated[int, typer.Option(min=0, max=255, help="With --from: unit id")] = 1,
    table: Annotated[str, typer.Option(help="With --from: holding or input")] = "holding",
    address: Annotated[int, typer.Option(min=0, max=65535, help="With --from: zero-based address")] = 0,
    count: Annotated[int, typer.Option(min=1, max=125, help="With --from: how many registers")] = 2,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="With --from: for the answer")] = "1s",
) -> None:
    """Show what registers may mean, in every type and order: the likeliest first, or what matches an expected value."""
    from adapters.modbus.frames import Read
    from gateway.decoding import parse_words, print_decoded, read_words, register_table

    if bool(registers) == bool(endpoint):
        raise typer.BadParameter("write registers, such as 42C8 0000, or --from ENDPOINT", param_hint="REGISTERS")
    if endpoint:
        _check_endpoint(endpoint)
        read = Read(unit, register_table(table), address, min(count, 65536 - address))
        words = with_signals(lambda stop: read_words(endpoint, read, seconds(timeout, "--timeout")))
    else:
        words, address = parse_words(registers or [], decimal), 0
    wanted = None if expect is None else _number_or_text(expect)
    sys.exit(not print_decoded(words, address, wanted, within / 100, table_console(), everything=everything))


def import_csv(
    table: Annotated[Path, typer.Argument(metavar="MAP.csv", help="A register map: columns name, address, type, …")],
    out: Annotated[Path | None, typer.Option(help="Where to write the profile; not given: print it")] = None,
    name: Annotated[str | None, typer.Option(help="The device's name; not given: the file's")] = None,
    vendor: Annotated[str, typer.Option(help="Its maker")] = "",
    document: Annotated[str, typer.Option(help="The document that the registers come from")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the profile if it exists")] = False,
) -> None:
    """Make a profile out of a register map in a CSV file."""
    from gateway.importing import convert, write

    text = convert(table, name or table.stem, vendor, document)
    if out is None:
        typer.echo(text, nl=False)
        return
    write(text, out, force=force)
    PLAIN.print(f"{out}: written; a source names it as profile: {out.parent.name}/{out.stem}", markup=False)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (poll, plan, scan, decode):
        app.command()(command)
    app.command("import-csv")(import_csv)


def _range(text: str, option: str, largest: int) -> tuple[int, int]:
    from adapters.modbus.ranges import parse_range

    try:
        first, last = parse_range(text)
    except ValueError:
        first, last = 0, largest + 1
    if last > largest:
        raise typer.BadParameter(f"{text!r} is no range from 0 to {largest}: write 1-32 or 5", param_hint=option)
    return first, last


def _check_endpoint(text: str) -> None:
    from adapters.modbus.locator import parse_endpoint

    try:
        parse_endpoint(text)
    except ValueError as exc:
        raise Unusable(str(exc)) from exc


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

"""The command `lineside`."""

import json
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands import baseline, energy, fact, kpi, pack, recordings
from gateway.commands.simulate import simulate
from gateway.config import ConfigError, load, schema
from gateway.ports import Unusable
from gateway.signals import with_signals

app = typer.Typer(
    help="Lineside: equipment → KPIs → board and store, without losing a reading.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(energy.app, name="energy")
app.add_typer(baseline.app, name="baseline")
app.add_typer(fact.app, name="fact")
app.add_typer(kpi.app, name="kpi")
app.add_typer(pack.app, name="pack")
app.command()(simulate)
ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The site's YAML file, e.g. configs/minimal.yaml")]
_PLAIN = Console(soft_wrap=True, highlight=False, markup=False)
_ERRORS = Console(soft_wrap=True, highlight=False, markup=False, stderr=True)


def main() -> None:
    """Runs the command line; an error that the user can mend is one message and exit code 1, never a traceback."""
    try:
        app()
    except ConfigError as exc:
        _fail(str(exc))
    except Unusable as exc:
        _fail(f"lineside: {exc}")
    except BaseExceptionGroup as group:
        unusable, bugs = group.split(Unusable)
        if bugs is not None or unusable is None:
            raise
        _fail("\n".join(f"lineside: {exc}" for exc in unusable.exceptions))


def _fail(text: str) -> None:
    _ERRORS.print(text, style="red")
    sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lineside {version('lineside')}")
        raise typer.Exit


@app.callback()
def _options(
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error; one line each, with the source's name")
    ] = "info",
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end")
    ] = False,
) -> None:
    level = getattr(logging, log_level.upper(), None)
    if not isinstance(level, int):
        raise typer.BadParameter("write debug, info, warning or error", param_hint="--log-level")
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("lineside").setLevel(level)


@app.command()
def run(
    config: ConfigPath,
    clock: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Share the clock of a simulated plant: what `simulate` prints")
    ] = None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM: collect, compute, store, forward, and serve the board."""
    from gateway.app import run as run_gateway
    from gateway.clock import ScaledClock, SystemClock

    try:
        time = ScaledClock.parse(clock) if clock else SystemClock()
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--clock") from exc
    checked = load(config)
    with_signals(lambda stop: run_gateway(checked, stop, clock=time))


@app.command()
def check(config: ConfigPath) -> None:
    """Check a config without starting anything; say which KPIs each asset will have, and what the others need."""
    from gateway.checking import print_check

    sys.exit(not print_check(load(config), _PLAIN))


@app.command()
def poll(
    config: ConfigPath,
    source: Annotated[str | None, typer.Argument(help="Only this source")] = None,
) -> None:
    """Read everything once and print it: raw registers or payload, value, unit, quality and age."""
    from gateway.polling import print_poll

    checked = load(config)
    if source is not None and source not in checked.sources:
        from gateway.spelling import closest

        _fail(f"lineside: no source {source!r} in {config}{closest(source, checked.sources)}")
    sys.exit(not with_signals(lambda stop: print_poll(checked, source, _table_console())))


@app.command()
def plan(
    config: ConfigPath,
    answer: Annotated[str, typer.Option(metavar="TIME", help="How long a device on a line takes to answer")] = "20ms",
    round_trip: Annotated[str, typer.Option(metavar="TIME", help="How long an answer takes over a network")] = "10ms",
    baud: Annotated[int, typer.Option(min=50, help="Of lines behind gateways, which the config does not know")] = 9600,
) -> None:
    """Show what Modbus sources will ask and how long it takes; exit 1 where a line cannot carry it. Reads nothing."""
    from adapters.modbus.forecast import Assumed
    from gateway.planning import print_plan

    assumed = Assumed(_seconds(answer, "--answer"), _seconds(round_trip, "--round-trip"), baud)
    sys.exit(not print_plan(load(config), assumed, _table_console()))


@app.command()
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
        *(reads, _seconds(timeout, "--timeout"), _seconds(pause, "--pause")),
    )
    _check_endpoint(endpoint)
    sys.exit(not with_signals(lambda stop: print_scan(wish, stop, _table_console())))


@app.command()
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
        words = with_signals(lambda stop: read_words(endpoint, read, _seconds(timeout, "--timeout")))
    else:
        words, address = parse_words(registers or [], decimal), 0
    wanted = None if expect is None else _number_or_text(expect)
    sys.exit(not print_decoded(words, address, wanted, within / 100, _table_console(), everything=everything))


@app.command("import-csv")
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
    _PLAIN.print(f"{out}: written; a source names it as profile: {out.parent.name}/{out.stem}", markup=False)


@app.command()
def status(
    config: ConfigPath,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts")] = False,
    letters: Annotated[int, typer.Option(min=0, help="Show so many of the newest dead letters")] = 5,
) -> None:
    """Show cursors, lag, bytes, drops and dead letters of a running or stopped gateway, from its journal."""
    from gateway.status import print_status

    print_status(load(config), _table_console(), as_json=as_json, letters=letters)


@app.command()
def board(
    config: ConfigPath,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT instead of the config's")] = None,
) -> None:
    """Serve the board alone, from the files of a gateway that runs elsewhere on this machine or is stopped."""
    from gateway.app import board_arguments

    arguments = board_arguments(load(config)) + (["--listen", listen] if listen else [])
    os.execv(sys.executable, [sys.executable, "-m", "gateway.board", *arguments, "--standalone"])


@app.command()
def demo(
    seconds: Annotated[
        str | None,
        typer.Option("--for", help="Stop after this time (60s, 5min) and compare with the plant's own truth"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON")] = False,
    scenario: Annotated[str, typer.Option(help="Another plant: a shipped scenario's name, or a file")] = "demo",
    speed: Annotated[float, typer.Option(min=1, max=3600, help="Plant and gateway live so many times as fast")] = 1.0,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="The plant's time at the beginning: 2026-03-02T06:00")
    ] = None,
    hide_parts: Annotated[
        float,
        typer.Option(help="Let the plant hide this share of its parts, to see the comparison notice", hidden=True),
    ] = 0.0,
) -> None:
    """Run the simulated plant, its MQTT broker, the gateway and the board together, with a live table."""
    from gateway.demo import Stage, run_demo

    limit_s, stage = _seconds(seconds, "--for") if seconds else None, Stage(scenario, speed, begin, hide_parts)
    sys.exit(with_signals(lambda stop: run_demo(stop, limit_s, stage, as_json=as_json)))


app.command()(recordings.replay)
app.command()(recordings.record)


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the config file, so that editors complete and check it."""
    typer.echo(json.dumps(schema(), indent=2))


def _seconds(text: str, option: str) -> float:
    from gateway.fields import parse_duration

    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


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


def _table_console() -> Console:
    """As wide as the terminal; wide enough for every column where the output goes to a file."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


if __name__ == "__main__":
    main()

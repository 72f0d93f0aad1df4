"""The command `lineside`."""

import json
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from gateway.commands import baseline, devices, energy, fact, kpi, pack, recordings
from gateway.commands.shared import PLAIN, ConfigPath, seconds, table_console
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

    sys.exit(not print_check(load(config), PLAIN))


@app.command()
def status(
    config: ConfigPath,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts")] = False,
    letters: Annotated[int, typer.Option(min=0, help="Show so many of the newest dead letters")] = 5,
) -> None:
    """Show cursors, lag, bytes, drops and dead letters of a running or stopped gateway, from its journal."""
    from gateway.status import print_status

    print_status(load(config), table_console(), as_json=as_json, letters=letters)


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
    duration: Annotated[
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

    limit_s, stage = seconds(duration, "--for") if duration else None, Stage(scenario, speed, begin, hide_parts)
    sys.exit(with_signals(lambda stop: run_demo(stop, limit_s, stage, as_json=as_json)))


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the config file, so that editors complete and check it."""
    typer.echo(json.dumps(schema(), indent=2))


devices.register(app)
app.command()(simulate)
recordings.register(app)
app.add_typer(fact.app, name="fact")
app.add_typer(kpi.app, name="kpi")
app.add_typer(energy.app, name="energy")
app.add_typer(baseline.app, name="baseline")
app.add_typer(pack.app, name="pack")

if __name__ == "__main__":
    main()

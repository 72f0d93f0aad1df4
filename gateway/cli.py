"""The command `lineside`."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from gateway.config import ConfigError, load, schema
from gateway.ports import Unusable

app = typer.Typer(
    help="Lineside: equipment → KPIs → board and store, without losing a reading.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The site's YAML file, e.g. configs/minimal.yaml")]
T = TypeVar("T")
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
def run(config: ConfigPath) -> None:
    """Run the gateway until Ctrl-C or SIGTERM: collect, compute, store, forward, and serve the board."""
    from gateway.app import run as run_gateway

    checked = load(config)
    with_signals(lambda stop: run_gateway(checked, stop))


def with_signals(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` in a new event loop with an event that SIGINT and SIGTERM set; uvloop where it is there."""

    async def main() -> T:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await work(stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop


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
        from gateway.document import closest

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
    hide_parts: Annotated[
        float,
        typer.Option(help="Let the plant hide this share of its parts, to see the comparison notice", hidden=True),
    ] = 0.0,
) -> None:
    """Run the simulated plant, its MQTT broker, the gateway and the board together, with a live table."""
    from gateway.demo import run_demo

    limit_s = _seconds(seconds, "--for") if seconds else None
    sys.exit(with_signals(lambda stop: run_demo(stop, limit_s, as_json=as_json, hide_parts=hide_parts)))


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


def _table_console() -> Console:
    """As wide as the terminal; wide enough for every column where the output goes to a file."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


if __name__ == "__main__":
    main()

"""`lineside simulate`: a simulated plant that knows its own truth."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.ports import Unusable


def simulate(
    scenario: Annotated[
        str | None,
        typer.Argument(help="A shipped scenario's name, a file, or a recording; without: list the shipped ones"),
    ] = None,
    seconds: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Stop after this time, by the wall clock: 60s, 5m, 8h")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same plant; not given: the scenario's")] = None,
    speed: Annotated[
        float, typer.Option(min=1, max=3600, help="So many times as fast; `lineside run --clock` shares it")
    ] = 1.0,
    ledger: Annotated[
        Path | None, typer.Option(help="Where the truth is written at the end: NAME.json, or a folder of CSV tables")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="The folder's tables as Parquet")] = False,
    site_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a config with which `lineside run` reads this plant")
    ] = None,
    broker: Annotated[
        bool, typer.Option("--broker/--no-broker", help="Start an MQTT broker where the scenario's is not there")
    ] = True,
    api: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Serve the truth over HTTP there")] = None,
    recording: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plant's past for `lineside replay`, and end")
    ] = None,
    days: Annotated[float, typer.Option(min=0.001, max=3660, help="With --recording: how long that past is")] = 30.0,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="The plant's time at the beginning; else now (a recording: it ends now)"
        ),
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Ignore the calendar: the plant works around the clock")
    ] = False,
) -> None:
    """Run a simulated plant: machines on Modbus and MQTT, with a ledger of what truly happened."""
    from simulators.command import Wish, list_scenarios, run
    from simulators.endpoints import parse_host_port
    from simulators.fields import parse_duration
    from simulators.past import Past, write_past
    from simulators.playback import is_recording
    from simulators.playback_command import Playing, play_recording
    from simulators.problems import problems_of

    if scenario is None:
        typer.echo(list_scenarios(), nl=False)
        return
    try:
        if is_recording(scenario):
            _refuse("a recording that is played", seed=seed, ledger=ledger, parquet=parquet, api=api, always=always)
            _refuse("a recording that is played", recording=recording, begin=begin)
            limit_s = parse_duration(seconds) if seconds else None
            playing = Playing(Path(scenario), speed, limit_s, own_broker=broker, site_config=site_config)
            asyncio.run(play_recording(playing, typer.echo))
            return
        if recording:
            _refuse("--recording", speed=None if speed == 1 else speed, seconds=seconds, api=api)
            past = Past(scenario, recording, days, begin, seed, ledger, site_config, parquet=parquet, always=always)
            write_past(past, Console(highlight=False, stderr=True))
            return
        wish = Wish(
            scenario,
            seed=seed,
            limit_s=parse_duration(seconds) if seconds else None,
            ledger=ledger,
            parquet=parquet,
            speed=speed,
            own_broker=broker,
            api=parse_host_port(api) if api else None,
            site_config=site_config,
            begin=begin,
            always=always,
        )
        asyncio.run(run(wish))
    except* (OSError, ValueError, ImportError) as group:  # of the scenario, a profile, an address, pyarrow
        raise Unusable("\n".join(problems_of(group))) from group


def _refuse(what: str, **options: object) -> None:
    """ValueError: options were given that would change nothing."""
    names = {"seconds": "for", "begin": "from"}
    useless = [f"--{names.get(name, name)}" for name, value in options.items() if value]
    if useless:
        raise ValueError(f"{what} has no {' and no '.join(useless)}")

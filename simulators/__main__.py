"""`python -m simulators run SCENARIO`, `list` and `broker`: the plant and its broker for other programs."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from simulators.broker import mqtt_broker
from simulators.command import Wish, list_scenarios, run
from simulators.console import answer, commands
from simulators.endpoints import Tcp, parse_host_port
from simulators.fields import parse_duration
from simulators.problems import problems_of


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    problems: list[str] = []
    try:
        if options.command == "list":
            sys.stdout.write(list_scenarios())
        else:
            asyncio.run(_run(options) if options.command == "run" else _broker(options))
    except* (OSError, ValueError, ImportError) as group:
        problems = problems_of(group)
    for problem in problems:
        sys.stderr.write(f"simulators: {problem}\n")
    return 1 if problems else 0


async def _run(options: argparse.Namespace) -> None:
    wish = Wish(
        options.scenario,
        seed=options.seed,
        limit_s=options.limit_s,
        ledger=options.ledger,
        parquet=options.parquet,
        speed=options.speed,
        own_broker=options.broker,
        api=options.api,
        driven=options.driven,
        wait=options.wait,
        hidden_share=options.hide_parts,
        site_config=options.site_config,
        begin=options.begin,
        always=options.always,
    )
    await run(wish)


async def _broker(options: argparse.Namespace) -> None:
    async with mqtt_broker(options.dir, options.port, options.host) as port:
        answer(ready=True, mqtt=f"mqtt://{options.host}:{port}")
        async for command in commands():
            if command:
                answer(error=f"unknown command {command!r}: end of input stops the broker")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m simulators", description="A simulated plant that knows the truth.")
    kinds = parser.add_subparsers(dest="command", required=True)
    kinds.add_parser("list", help="the shipped scenarios")
    plant = kinds.add_parser("run", help="a plant with its faces, until Ctrl-C")
    plant.add_argument("scenario", help="a shipped scenario's name, or a file")
    plant.add_argument("--seed", type=int, help="same seed, same plant (default: the scenario's)")
    plant.add_argument("--for", type=_duration, dest="limit_s", metavar="TIME", help="stop after this time: 60s, 8h")
    plant.add_argument("--speed", type=_speed, default=1.0, help="so many times as fast")
    plant.add_argument(
        "--from", dest="begin", metavar="TIME", help="the plant's time at the beginning: 2026-03-02T06:00"
    )
    plant.add_argument("--always", action="store_true", help="ignore the calendar: the plant works around the clock")
    plant.add_argument("--ledger", type=Path, help="where the truth is written: NAME.json, or a folder of CSV tables")
    plant.add_argument("--parquet", action="store_true", help="the folder's tables as Parquet")
    plant.add_argument("--site-config", type=Path, metavar="FILE", help="write Lineside's config for this plant")
    plant.add_argument(
        "--broker",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="start an MQTT broker where the scenario's is not there",
    )
    plant.add_argument("--api", type=_address, metavar="HOST:PORT", help="serve the truth over HTTP there")
    plant.add_argument(
        "--driven", action="store_true", help="start and freeze as lines on stdin, answers as JSON lines"
    )
    plant.add_argument("--wait", action="store_true", help="with --driven: machines stand idle until `start` comes")
    plant.add_argument(
        "--hide-parts", type=_share, default=0.0, metavar="SHARE", help="hide parts from the faces: 0.01"
    )
    broker = kinds.add_parser("broker", help="an MQTT broker until stdin ends")
    broker.add_argument("--host", default="127.0.0.1")
    broker.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    broker.add_argument("--dir", type=Path, required=True, help="its data and log")
    return parser


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _address(text: str) -> Tcp:
    try:
        return parse_host_port(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _speed(text: str) -> float:
    speed = float(text)
    if not 1 <= speed <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a speed between 1 and 3600")
    return speed


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 0.5")
    return share


if __name__ == "__main__":
    sys.exit(main())

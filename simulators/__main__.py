"""`python -m simulators demo …` and `python -m simulators broker …`."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from urllib.parse import urlsplit

from simulators.broker import mqtt_broker
from simulators.console import answer, commands
from simulators.demo import Address, DemoOptions, run_demo


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("pymodbus.logging").setLevel(logging.ERROR)  # what it warns of, we raise
    problems: list[str] = []
    try:
        asyncio.run(_demo(options) if options.command == "demo" else _broker(options))
    except* OSError as group:
        problems = [str(problem) for problem in group.exceptions]
    for problem in problems:
        sys.stderr.write(f"simulators: {problem}\n")
    return 1 if problems else 0


async def _demo(options: argparse.Namespace) -> None:
    presses = {"press-01": options.press_01, "press-02": options.press_02}
    await run_demo(
        DemoOptions(options.seed, presses, options.mqtt, options.ledger, options.hide_parts, wait=options.wait)
    )


async def _broker(options: argparse.Namespace) -> None:
    async with mqtt_broker(options.dir, options.port, options.host) as port:
        answer(ready=True, mqtt=f"mqtt://{options.host}:{port}")
        async for command in commands():
            if command:
                answer(error=f"unknown command {command!r}: end of input stops the broker")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m simulators", description="A simulated plant that knows the truth.")
    kinds = parser.add_subparsers(dest="command", required=True)
    demo = kinds.add_parser("demo", help="four machines on Modbus TCP and MQTT; start and freeze as lines on stdin")
    demo.add_argument("--seed", type=int, default=7, help="same seed, same plant (default 7)")
    demo.add_argument("--press-01", type=_address, required=True, metavar="HOST:PORT", help="port 0 takes a free one")
    demo.add_argument("--press-02", type=_address, required=True, metavar="HOST:PORT")
    demo.add_argument("--mqtt", type=_mqtt_address, required=True, metavar="mqtt://HOST:PORT", help="a running broker")
    demo.add_argument("--ledger", type=Path, required=True, help="where the truth is written (JSON)")
    demo.add_argument("--hide-parts", type=_share, default=0.0, metavar="SHARE", help="hide parts from the faces: 0.01")
    demo.add_argument("--wait", action="store_true", help="machines stand idle until `start` comes on stdin")
    broker = kinds.add_parser("broker", help="an MQTT broker until stdin ends")
    broker.add_argument("--host", default="127.0.0.1")
    broker.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    broker.add_argument("--dir", type=Path, required=True, help="its data and log")
    return parser


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _mqtt_address(text: str) -> Address:
    url = urlsplit(text)
    if url.scheme != "mqtt" or not url.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not mqtt://HOST:PORT")
    return url.hostname, url.port or 1883


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 0.5")
    return share


if __name__ == "__main__":
    sys.exit(main())

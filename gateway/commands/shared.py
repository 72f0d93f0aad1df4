"""What the commands share: the config's argument, times as people write them, consoles, asking the gateway."""

import asyncio
import getpass
import sys
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from gateway.asking import asking
from gateway.config import Config
from gateway.control import Refused, Reply
from gateway.fields import parse_duration
from gateway.moment import parse_moment
from gateway.ports import Unusable

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The site's YAML file, e.g. configs/minimal.yaml")]
T = TypeVar("T")
PLAIN: Final = Console(soft_wrap=True, highlight=False, markup=False)


def table_console() -> Console:
    """As wide as the terminal; wide enough for every column where the output goes to a file."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def zone_of(config: Config) -> ZoneInfo:
    """The site's time zone."""
    return ZoneInfo(config.root.timezone)


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def moment(text: str, config: Config, option: str) -> int:
    """A moment that somebody wrote, ms since 1970. BadParameter: it is none."""
    try:
        return parse_moment(text, zone_of(config), now_ms())
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def seconds(text: str, option: str) -> float:
    """A duration that somebody wrote. BadParameter: it is none."""
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def user() -> str:
    """Who is at the keyboard, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def answered(config: Config, request: Mapping[str, Any]) -> Reply:
    """The gateway's answer. Unusable: it refuses, or nobody can be asked."""

    async def work() -> Reply:
        async with asking(config) as ask:
            return await ask(request)

    return finished(work())


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What came of it. Unusable: the gateway refuses; the user can mend that."""
    try:
        return asyncio.run(work)
    except Refused as exc:
        raise Unusable(str(exc)) from exc

"""`lineside poll`: one read of everything, as a table of raw material beside values."""

import asyncio
import time

from rich.console import Console
from rich.table import Table

from adapters import SOURCES
from gateway.clock import SystemClock
from gateway.config import Config, build
from gateway.model import Reason, TagTable, bad, describe
from gateway.ports import NotConnected, Polled

_TIMEOUT_S = 15.0
_REFUSED = bad(Reason.QUARANTINED)  # after a single read nothing else is meant by it


async def print_poll(config: Config, only: str | None, console: Console) -> bool:
    """Polls the sources one after the other and prints a table each; one that is not there does not stop the rest.

    Returns whether all of them answered.
    """
    answered = True
    tags = TagTable(enumerate(config.tags))
    for name, section in config.sources.items():
        if only is not None and name != only:
            continue
        source = build(SOURCES, section.kind)(name, section, tags, config.library, SystemClock())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                console.print(_table(name, await source.poll()))
        except (NotConnected, TimeoutError) as exc:
            answered = False
            console.print(f"{name}: not connected: {str(exc) or 'no answer in time'}", style="red", markup=False)
        finally:
            await source.close()
    return answered


def _table(name: str, found: list[Polled]) -> Table:
    table = Table(title=name, title_justify="left")
    for column in ("tag", "where", "raw"):
        table.add_column(column)
    table.add_column("value", justify="right")
    for column in ("unit", "quality", "age"):
        table.add_column(column)
    now_ns = time.time_ns()
    for polled in found:
        value = (
            "–" if polled.value is None else polled.value if isinstance(polled.value, str) else f"{polled.value:.10g}"
        )
        quality = "bad: refused by the device" if polled.quality == _REFUSED else describe(polled.quality)
        age = f"{max(0, now_ns - polled.time_ns) / 1e9:.1f} s" if polled.time_ns else "–"
        table.add_row(polled.tag.name, polled.address, polled.raw, value, polled.tag.unit, quality, age)
    return table

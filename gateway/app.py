"""The composition root: builds the path of the data from top to bottom and runs it. Start reading here.

source  ─▶ ingest ─▶ JOURNAL ─┬▶ "kpi"      facts → segments → buckets → KPIs (kpi.db) ─▶ back into the journal
control ─▶                    ├▶ "history"  embedded store (history.db) ─▶ board, API
                              └▶ each sink  InfluxDB, VictoriaMetrics
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters import SINKS, SOURCES
from gateway.child import run_board
from gateway.clock import SystemClock
from gateway.config import Config, build, models
from gateway.control import NAME as CONTROL
from gateway.control import Control, Refused
from gateway.desk import Desk
from gateway.energy.electricity import Electricity
from gateway.energy.watch import PeakWatch, watch_demand
from gateway.flow import Link, Presence, deliver, follow, ingest, prove_life
from gateway.health import Health
from gateway.history import History
from gateway.journal import SqliteJournal
from gateway.kpi.closing import Limits
from gateway.kpi.engine import Engine
from gateway.kpi.entries import entry_tag
from gateway.kpi.metering import MeterTree
from gateway.model import session
from gateway.ports import Clock, Consumer, Unusable

_log = logging.getLogger("lineside.app")
_CATCH_UP_S = 2.0


@dataclass(slots=True)
class Gateway:
    """A running gateway: its parts, and the tasks that move data between them."""

    config: Config
    clock: Clock
    journal: SqliteJournal
    engine: Engine
    history: History
    health: Health
    control: Control
    source_tasks: list[asyncio.Task[None]] = field(default_factory=list)
    other_tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def snapshot(self) -> dict[str, object]:
        """What board and terminal show: live numbers per asset and line, and the health of everything."""
        now_ms = self.clock.wall_ns() // 1_000_000
        head = {"time_ms": now_ms, "site": self.config.root.site, "timezone": self.config.root.timezone}
        return head | await self.engine.live() | {"health": await self.health.snapshot()}

    async def stop_sources(self) -> None:
        """Ends acquisition; what was read is in the journal."""
        for task in self.source_tasks:
            task.cancel()
        await asyncio.gather(*self.source_tasks, return_exceptions=True)

    async def caught_up(self, consumer: str) -> None:
        """Returns when this consumer has taken everything that was appended so far."""
        link = next(link for link in self.health.consumers if link.name == consumer)
        await self.journal.flush()
        newest = (await self.journal.ledger()).newest
        while link.position < newest:
            await self.clock.sleep(0.02)


Watch = Callable[[Gateway], Coroutine[Any, Any, None]]


async def run(
    config: Config,
    stop: asyncio.Event,
    watch: Watch | None = None,
    clock: Clock = SystemClock(),  # noqa: B008  # has no state
) -> None:
    """Runs the gateway until `stop` is set; `watch` runs beside it and may use its parts.

    JournalError, OSError: a file cannot be used. Everything else that ends it is a bug and comes as it is.
    """
    async with AsyncExitStack() as stack:
        gateway = await open_gateway(config, clock, stack, config.data_file("control.sock"))
        async with asyncio.TaskGroup() as tasks:
            _start(gateway, tasks)
            watching = tasks.create_task(watch(gateway), name="watch") if watch else None
            await stop.wait()
            if watching:
                watching.cancel()
            await _wind_down(gateway)


@asynccontextmanager
async def headless(config: Config) -> AsyncIterator[Gateway]:
    """Journal and KPI engine alone, for a command while no gateway runs; at the end everything is computed and stored.

    JournalInUse: a gateway runs. JournalError, OSError: a file cannot be used.
    """
    refusal: Refused | Unusable | None = None
    async with AsyncExitStack() as stack:
        gateway = await open_gateway(config, SystemClock(), stack)
        async with asyncio.TaskGroup() as tasks:
            start_core(gateway, tasks)
            try:
                yield gateway
            except (Refused, Unusable) as exc:
                refusal = exc  # for the user: it must not end the tasks, nor come as one of a group
            await gateway.stop_sources()
            await gateway.caught_up("kpi")
            await gateway.engine.flush()
            for task in gateway.other_tasks:
                task.cancel()
    if refusal:
        raise refusal


async def open_gateway(config: Config, clock: Clock, stack: AsyncExitStack, socket: Path | None = None) -> Gateway:
    """Opens the files: the journal first, since everything hangs on it; `stack` closes them again.

    socket: where requests come in
    """
    root = config.root
    journal = await asyncio.to_thread(
        lambda: SqliteJournal(
            config.journal_path, clock, commit_every_s=root.journal.commit_every, max_bytes=root.journal.max_size
        )
    )
    stack.push_async_callback(journal.close)
    sources = [Link(name, clock) for name in config.sources]
    consumers = [Link(name, clock) for name in ("kpi", "history", *config.sinks)]
    starts = [("kpi", False), ("history", False), *((n, sink.from_ == "now") for n, sink in config.sinks.items())]
    await journal.open(starts, [*config.tags, *map(entry_tag, root.assets)])
    history = await asyncio.to_thread(_open_history, config, journal, clock)
    stack.push_async_callback(_finish, history, "history", journal)
    engine = await asyncio.to_thread(_open_engine, config, journal, clock)
    stack.push_async_callback(_finish, engine, "kpi", journal)
    for name, consumer in (("history", history), ("kpi", engine)):
        journal.must_reach(consumer.position(), name)
    health = Health(journal, clock, sources, consumers, engine.refused)
    desk = Desk(engine, models(root, journal.tags), journal.tags, clock, lambda: journal.newest)
    control = Control(socket, desk.answer)
    desk.books_with(control.submit)
    return Gateway(config, clock, journal, engine, history, health, control)


def _open_history(config: Config, journal: SqliteJournal, clock: Clock) -> History:
    keep = config.root.retention
    return History(
        config.data_file("history.db"),
        journal.tags,
        clock=clock,
        retention_raw_s=keep.readings,
        retention_minute_s=keep.minutes,
    )


def _open_engine(config: Config, journal: SqliteJournal, clock: Clock) -> Engine:
    root, keep = config.root, config.root.retention
    return Engine(
        config.data_file("kpi.db"),
        models(root, journal.tags),
        config.site,
        config.factors,
        journal,
        clock,
        limits=Limits(
            lateness_ms=round(root.lateness * 1000),
            facts_ms=round(keep.facts * 1000),
            minutes_ms=round(keep.minutes * 1000),
        ),
        catalogue=config.catalogue,
        constraints={name: line.constraint for name, line in root.lines.items() if line.constraint},
        lasts={name: line.last for name, line in root.lines.items() if line.last},
        tree=MeterTree(root.meter_tree),
    )


async def _finish(consumer: Consumer, name: str, journal: SqliteJournal) -> None:
    """Makes a consumer's file durable, and lets the journal know; what a full disk keeps out is read again later."""
    try:
        await consumer.close()
    except OSError as exc:
        _log.error("%s.db could not be closed cleanly (%s): it goes on from its last commit", name, exc)
    await journal.ack(name, consumer.position())


def start_core(gateway: Gateway, tasks: asyncio.TaskGroup) -> None:
    """What runs in a command as well: requests into the journal, and from there into the KPIs."""
    journal, clock = gateway.journal, gateway.clock
    link = next(link for link in gateway.health.consumers if link.name == "kpi")
    asking = ingest(gateway.control, journal, clock, Link(CONTROL, clock), presence=None)
    gateway.source_tasks.append(tasks.create_task(asking, name=f"source[{CONTROL}]"))
    computing = follow(gateway.engine, "kpi", journal, clock, link)
    gateway.other_tasks.append(tasks.create_task(computing, name="consumer[kpi]"))


def _start(gateway: Gateway, tasks: asyncio.TaskGroup) -> None:
    """One named task per arrow of the picture above."""
    start_core(gateway, tasks)
    config, journal, clock = gateway.config, gateway.journal, gateway.clock
    links = {link.name: link for link in gateway.health.sources}
    presences = []
    for name, section in config.sources.items():
        source = build(SOURCES, section.kind)(name, section, journal.tags, config.library, clock)
        gateway.health.counters[name] = source.counters
        presence = Presence(journal.tags.id_of(session(name).name), clock)
        presences.append((links[name], presence))
        work = ingest(source, journal, clock, links[name], presence)
        gateway.source_tasks.append(tasks.create_task(work, name=f"source[{name}]"))
    start_stores(gateway, tasks)
    others = {
        "presence": prove_life(journal, clock, presences),
        "health": gateway.health.report(),
    }
    if "electricity" in config.root.model_fields_set:
        electricity = Electricity(config.root.electricity, config.factors.packs, ZoneInfo(config.root.timezone))
        watch = PeakWatch(electricity, config.data_file("kpi.db"), f"site/{config.root.site}")
        others["demand"] = watch_demand(watch, journal, clock)
    if config.root.board.enabled:
        others["board"] = run_board(board_arguments(config), gateway.snapshot, SystemClock())
    for name, work in others.items():
        gateway.other_tasks.append(tasks.create_task(work, name=name))


def start_stores(gateway: Gateway, tasks: asyncio.TaskGroup) -> None:
    """From the journal into the history and every sink."""
    config, journal, clock = gateway.config, gateway.journal, gateway.clock
    links = {link.name: link for link in gateway.health.consumers}
    works = {"consumer[history]": follow(gateway.history, "history", journal, clock, links["history"])}
    for name, section in config.sinks.items():
        sink = build(SINKS, section.kind)(name, section, journal.tags, config.site, clock)
        works[f"sink[{name}]"] = deliver(sink, journal, clock, links[name], journal.tags)
    for name, work in works.items():
        gateway.other_tasks.append(tasks.create_task(work, name=name))


async def _wind_down(gateway: Gateway) -> None:
    """Acquisition first; then what is in the journal reaches stores that take it, a hanging one is not waited for."""
    await gateway.stop_sources()
    names = [link.name for link in gateway.health.consumers if link.up]
    with suppress(TimeoutError):
        async with asyncio.timeout(_CATCH_UP_S):
            await asyncio.gather(*(gateway.caught_up(name) for name in names))
    for task in gateway.other_tasks:
        task.cancel()


def board_arguments(config: Config) -> list[str]:
    """The command line of the board's process."""
    return [
        *config.root.board.arguments(),
        *("--history", str(config.data_file("history.db"))),
        *("--kpi", str(config.data_file("kpi.db"))),
        *("--title", config.root.site),
        *("--timezone", config.root.timezone),
    ]

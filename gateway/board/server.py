"""The board's process: listens, takes snapshots from its parent's pipe, and ends when the pipe closes."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn

from gateway.board.alone import show_stored
from gateway.board.application import create_app
from gateway.board.hub import Hub
from gateway.board.listen import CannotListen, Listen
from gateway.board.readers import Board
from gateway.board.stored import StoredHistory, StoredKpi

log = logging.getLogger("lineside.board")

Feed = Callable[[Hub], Coroutine[None, None, None]]
"""Publishes snapshots; the board ends when it returns."""

EXIT_CANNOT_LISTEN: Final = 3
_LOG_FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"  # the gateway's: both write to one log
_MAX_LINE: Final = 16 * 2**20


class _Server(uvicorn.Server):
    """Leaves signals to `main` and `run_board`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m gateway.board …`: exit code 0 when the parent ended, 3 when it cannot listen."""
    args = _arguments(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=_LOG_FORMAT)
    try:
        listen = Listen.parse(args.listen)
        sock = listen.bind(beyond_this_machine=args.insecure)
    except CannotListen as exc:
        log.error("%s", exc)  # noqa: TRY400  # an answer for the user, not a trace
        return EXIT_CANNOT_LISTEN
    if not args.standalone:
        # Ctrl-C goes to the whole process group: the parent ends in order and takes this process along
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.info("at %s", listen.url(sock.getsockname()[1]))
    archive = StoredKpi(args.kpi)
    feed = partial(show_stored, archive=archive, site=args.title) if args.standalone else from_pipe
    with sock:
        asyncio.run(run_board(_board(args, archive), sock, listen.hosts, feed))
    return 0


async def run_board(board: Board, sock: socket.socket, hosts: Sequence[str], feed: Feed) -> None:
    """Serves until SIGTERM, or until the feed of its hub ends; standalone also until Ctrl-C."""
    config = uvicorn.Config(
        create_app(board, hosts),
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)

    def stop() -> None:
        server.should_exit = True
        board.hub.close()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    if board.standalone:
        loop.add_signal_handler(signal.SIGINT, stop)
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(feed(board.hub), name="board[feed]")
        feeding.add_done_callback(lambda _: stop())
        await server.serve(sockets=[sock])
        feeding.cancel()


async def from_pipe(hub: Hub) -> None:
    """Publishes each line on stdin, until the parent closes its end or dies."""
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    try:
        while line := await reader.readline():
            hub.publish(line)
    finally:
        transport.close()


def _board(args: argparse.Namespace, archive: StoredKpi) -> Board:
    return Board(
        title=args.title,
        timezone=args.timezone,
        hub=Hub(),
        kpi=archive,
        history=StoredHistory(args.history),
        version=version("lineside"),
        standalone=args.standalone,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise argparse.ArgumentTypeError(f"{name!r} is not a time zone, like Asia/Ho_Chi_Minh") from exc


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m gateway.board", description="The board: the gateway starts it.")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--history", type=Path, required=True, metavar="PATH")
    parser.add_argument("--kpi", type=Path, required=True, metavar="PATH")
    parser.add_argument("--title", default="Lineside", metavar="SITE")
    parser.add_argument("--timezone", type=_zone, default="UTC", metavar="TZ")
    parser.add_argument("--standalone", action="store_true", help="show stored data, without a gateway on stdin")
    parser.add_argument("--insecure", action="store_true", help="allow an address that other machines can reach")
    return parser.parse_args(argv)

"""The board's process: listens, takes snapshots from its parent's pipe, and ends when the pipe closes."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn

from gateway.board.application import create_app
from gateway.board.hub import Hub
from gateway.board.listen import CannotListen, Listen
from gateway.board.readers import Board

log = logging.getLogger("lineside.board")

EXIT_CANNOT_LISTEN: Final = 3
_MAX_LINE: Final = 16 * 2**20


class _Server(uvicorn.Server):
    """Leaves signals to `_serve`: a Ctrl-C in the terminal reaches the parent too, which closes the pipe."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m gateway.board …`: exit code 0 when the parent ended, 3 when it cannot listen."""
    args = _arguments(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s board: %(message)s")
    try:
        listen = Listen.parse(args.listen)
        sock = listen.bind(beyond_this_machine=args.insecure)
    except CannotListen as exc:
        log.error("%s", exc)  # noqa: TRY400  # an answer for the user, not a trace
        return EXIT_CANNOT_LISTEN
    log.info("at %s", listen.url(sock.getsockname()[1]))
    with sock:
        asyncio.run(run_board(_board(args), sock, listen.hosts, parent=not args.standalone))
    return 0


async def run_board(board: Board, sock: socket.socket, hosts: Sequence[str] = (), *, parent: bool) -> None:
    """Serves until SIGTERM; with a parent on stdin until its pipe closes, without one until Ctrl-C."""
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
    loop.add_signal_handler(signal.SIGINT, _leave_it_to_the_parent if parent else stop)
    async with asyncio.TaskGroup() as tasks:
        feed = tasks.create_task(_feed(board.hub, stop), name="board[feed]") if parent else None
        await server.serve(sockets=[sock])
        if feed:
            feed.cancel()


async def _feed(hub: Hub, stop: Callable[[], None]) -> None:
    """Publishes each line on stdin; its end is the parent's end, and this process's."""
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    try:
        while line := await reader.readline():
            hub.publish(line)
    finally:
        transport.close()
        stop()


def _leave_it_to_the_parent() -> None:
    """Ctrl-C goes to the whole process group; the parent ends in order and takes this process along."""


def _board(args: argparse.Namespace) -> Board:
    return Board(
        title=args.title,
        timezone=args.timezone,
        hub=Hub(),
        kpi=kpi_opener(args.kpi),
        history=history_opener(args.history),
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

"""How another program drives the simulators: commands as lines on stdin, answers as JSON lines on stdout."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

STOP = "stop"


async def commands() -> AsyncIterator[str]:
    """The lines of stdin until it ends or SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, queue.put_nowait, STOP)
    threading.Thread(target=_read_stdin, args=(loop, queue), name="stdin", daemon=True).start()
    while (command := await queue.get()) != STOP:
        yield command


def stopped() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def answer(**fields: object) -> None:
    """Print one JSON line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _read_stdin(loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[str]) -> None:
    """Feed the queue from a thread: the one way that works for pipes, terminals, files and /dev/null alike.

    It reads the descriptor itself, because a thread that waits inside sys.stdin would hold its lock at exit.
    """
    rest = b""
    with suppress(RuntimeError):  # the loop has been closed: nobody wants the line any more
        while chunk := os.read(sys.stdin.fileno(), 4096):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(queue.put_nowait, line.decode(errors="replace").strip())
        loop.call_soon_threadsafe(queue.put_nowait, STOP)

"""The board's process: started, fed with snapshots through a pipe, restarted with back-off when it ends."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence

import orjson

from gateway.flow import Backoff
from gateway.ports import Clock

_log = logging.getLogger("lineside.board")
_EVERY_S = 1.0
_END_S = 1.0
_CANNOT_LISTEN = 3  # the board's exit code when its address cannot be used; it has said why
_OCCUPIED_S = 30.0

Snapshot = Callable[[], Awaitable[dict[str, object]]]


async def run_board(arguments: Sequence[str], snapshot: Snapshot, clock: Clock) -> None:
    """Keeps `python -m gateway.board` running for ever; it ends when its pipe to this process closes."""
    backoff = Backoff(first_s=1.0)
    ended_with = None
    while True:
        started = clock.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.board", *arguments, stdin=asyncio.subprocess.PIPE
        )
        try:
            await _feed(process, snapshot, clock)
        finally:
            await end(process)
        backoff.held(clock.monotonic() - started)
        wait_s = _OCCUPIED_S if process.returncode == _CANNOT_LISTEN else backoff.next_s()
        if not process.returncode == ended_with == _CANNOT_LISTEN:
            _log.warning("the board ended with code %s: starting it again in %.1f s", process.returncode, wait_s)
        ended_with = process.returncode
        await clock.sleep(wait_s)


async def _feed(process: asyncio.subprocess.Process, snapshot: Snapshot, clock: Clock) -> None:
    """Writes a snapshot a second until the board is gone."""
    assert process.stdin
    while True:
        line = orjson.dumps(await snapshot()) + b"\n"
        if process.returncode is not None or process.stdin.is_closing():
            return
        try:
            process.stdin.write(line)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError, RuntimeError):  # uvloop says RuntimeError of a closed pipe
            return
        await clock.sleep(_EVERY_S)


async def end(process: asyncio.subprocess.Process) -> None:
    """Closes the pipe that a child lives by, and kills it where it does not end within a second."""
    if process.returncode is not None:
        return
    assert process.stdin
    process.stdin.close()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

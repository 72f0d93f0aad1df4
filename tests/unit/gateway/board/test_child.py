"""The board's process as the gateway keeps it running."""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from gateway.child import run_board

DEADLINE_S = 30


class Hurried:
    """A clock on which every wait is short; it notes how long they should have been."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.patient = asyncio.Semaphore(0)

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds == 30.0:
            self.patient.release()
        await asyncio.sleep(0.02)


async def snapshot() -> dict[str, object]:
    return {"time_ms": 1, "site": "plant"}


async def answered(url: str) -> None:
    """Asks until the answer is 200."""
    async with aiohttp.ClientSession() as client:
        for _ in range(20 * DEADLINE_S):
            with suppress(aiohttp.ClientConnectionError):
                async with client.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    pytest.fail(f"{url} does not answer")


async def test_an_occupied_port_is_tried_every_30_s_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "lineside.board")
    clock = Hurried()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        files = ["--kpi", str(tmp_path / "kpi.db"), "--history", str(tmp_path / "history.db")]
        board = asyncio.create_task(run_board(["--listen", f"127.0.0.1:{port}", *files], snapshot, clock))
        async with asyncio.timeout(DEADLINE_S):
            await clock.patient.acquire()
            await clock.patient.acquire()
    assert set(clock.waits) == {1.0, 30.0}
    await answered(f"http://127.0.0.1:{port}/api/v1/healthz")
    board.cancel()
    await asyncio.gather(board, return_exceptions=True)
    assert [record.getMessage() for record in caplog.records] == [
        "the board ended with code 3: starting it again in 30.0 s"
    ]

"""The command `lineside` as its user runs it."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def lineside(*arguments: str) -> AsyncIterator[Process]:
    """A `lineside` process that does not outlive the test."""
    command = [sys.executable, "-m", "gateway", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

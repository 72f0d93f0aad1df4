"""The demo's other processes: the broker and the simulated plant, spoken to in JSON lines."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from gateway.child import end
from gateway.ports import Unusable

_READY_TIMEOUT_S = 20.0


class DemoError(Unusable):
    """The demo cannot run; the text says why."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A `python -m simulators …` process that answers each command line with one JSON line."""

    process: asyncio.subprocess.Process
    log: Path
    ready: dict[str, Any]

    async def ask(self, command: str) -> dict[str, Any]:
        """Sends a command and returns its answer."""
        assert self.process.stdin
        self.process.stdin.write(command.encode() + b"\n")
        await self.process.stdin.drain()
        return await _answer(self.process, self.log, command)


@asynccontextmanager
async def simulator(log: Path, *arguments: str) -> AsyncIterator[Simulator]:
    """Starts `python -m simulators` and ends it; should this process die, it ends by itself. DemoError: not ready."""
    stderr = await asyncio.to_thread(log.open, "ab")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C in the terminal is for the gateway, which then ends this process
    )
    try:
        yield Simulator(process, log, await _answer(process, log, arguments[0]))
    finally:
        await end(process)
        stderr.close()


async def _answer(process: asyncio.subprocess.Process, log: Path, what: str) -> dict[str, Any]:
    assert process.stdout
    try:
        async with asyncio.timeout(_READY_TIMEOUT_S):
            line = await process.stdout.readline()
    except TimeoutError as exc:
        raise DemoError(f"the simulator did not answer {what!r} within {_READY_TIMEOUT_S:.0f} s") from exc
    if not line:
        said = (await asyncio.to_thread(log.read_text, errors="replace")).strip()
        raise DemoError(f"the simulator ended: {said.splitlines()[-1] if said else 'without a word'}")
    answer: dict[str, Any] = orjson.loads(line)
    return answer


def scenario_file(name: str) -> Path:
    """The file of a shipped scenario, or the one that is named. DemoError: there is none."""
    for path in (Path(name), Path(str(files("configs"))) / "scenarios" / f"{name}.yaml"):
        if path.is_file():
            return path
    raise DemoError(f"no scenario {name!r}: `lineside simulate` lists the shipped ones")


def addresses_in(file: Path) -> tuple[str, ...]:
    """The loopback addresses with a port that a file names."""
    return tuple(dict.fromkeys(re.findall(r"127\.0\.0\.1:\d+", file.read_text(encoding="utf-8"))))


def free_addresses(fixed: tuple[str, ...]) -> dict[str, str]:
    """For each fixed address itself, or one with a free port where it is in use."""
    return {address: address if _is_free(address) else f"127.0.0.1:{_free_port()}" for address in fixed}


def localized(file: Path, copy: Path, used: dict[str, str]) -> None:
    """Writes a copy of a file with other addresses in it."""
    text = file.read_text(encoding="utf-8")
    for address, instead in used.items():
        text = text.replace(address, instead)
    copy.write_text(text, encoding="utf-8")


def _is_free(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

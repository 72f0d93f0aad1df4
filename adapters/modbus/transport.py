"""Endpoints: one connection per address, shared by every source that names it."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from adapters.modbus.connection import Connection
from adapters.modbus.frames import Answer, Failure, Read
from gateway.model import Reason
from gateway.ports import Clock, NotConnected

_CLOSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class User:
    """A source as its endpoint sees it."""

    name: str
    unit: int
    pipeline: int
    timeout_s: float


class Endpoint:
    """A Modbus TCP server. The connection opens with the first user and closes with the last.

    Reads of all users go through in the order of their coming; the smallest `pipeline` of its users holds.
    """

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self.host, self.port = host, port
        self._clock = clock
        self._users: dict[str, User] = {}
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._connection is not None and self._connection.is_open

    @property
    def why(self) -> str:
        """Why the connection does not stand."""
        return self._connection.why if self._connection else "not connected"

    @property
    def strays(self) -> int:
        """Replies on the present connection that belonged to no open request, and were dropped."""
        return self._connection.strays if self._connection else 0

    async def join(self, user: User) -> None:
        """Registers a user and connects unless another has. NotConnected: says where and why."""
        async with self._opening:
            if not self.is_open:
                self._connection = await self._open(user.timeout_s)
            self._users[user.name] = user
            self._share()

    async def leave(self, user: User) -> None:
        """Takes a user off; the last one closes the connection. Safe for one that never joined."""
        self._users.pop(user.name, None)
        connection = self._connection
        if self._users:
            self._share()
        elif connection is not None:
            self._connection = None
            connection.close()
            await asyncio.wait([connection.lost], timeout=_CLOSE_S)

    async def read(self, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        """The answers to these reads, in their order; failures where there is no connection."""
        if self._connection is None:
            failure = Failure(Reason.NOT_CONNECTED, "not connected", self._clock.wall_ns())
            return [failure] * len(reads)
        return await self._connection.read(reads, timeout_s)

    async def _open(self, timeout_s: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._clock.wall_ns), self.host, self.port
                )
        except TimeoutError as exc:
            raise NotConnected(f"{self}: no connection within {timeout_s:g} s") from exc
        except OSError as exc:
            raise NotConnected(f"{self}: {_in_words(exc)}") from exc
        return connection

    def _share(self) -> None:
        if self._connection is not None:
            self._connection.depth = min(user.pipeline for user in self._users.values())
            self._connection.units = len({user.unit for user in self._users.values()})


def _in_words(error: OSError) -> str:
    """`Connection refused`, without the address that the text around it has already."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error)


_ENDPOINTS: Final[WeakValueDictionary[tuple[str, int], Endpoint]] = WeakValueDictionary()


def endpoint(host: str, port: int, clock: Clock) -> Endpoint:
    """The one `Endpoint` of this address; it lives as long as a source holds it."""
    found = _ENDPOINTS.get((host, port))
    if found is None:
        found = _ENDPOINTS[host, port] = Endpoint(host, port, clock)
    return found

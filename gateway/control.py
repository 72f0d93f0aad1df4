"""The control socket: takes requests from the command line and the board, and what they book into the journal.

One JSON object a line, one line back: `{"ok": true, …}` or `{"ok": false, "error": "…"}`. The socket file belongs to
the user that the gateway runs as, and to that user alone.
"""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.model import Batch
from gateway.ports import Delivery, NotConnected, Unusable

NAME: Final = "control"
_LINE_BYTES: Final = 8 * 2**20
_TALKS: Final = 8
_ADDRESS_BYTES: Final = 107  # what fits into a socket's address
Reply = dict[str, Any]
Answer = Callable[[Mapping[str, Any]], Awaitable[Reply]]


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """A request that cannot be done. problems: index of the entry that is wrong → what is wrong with it."""

    def __init__(self, text: str, problems: Mapping[int, str] | None = None) -> None:
        super().__init__(text)
        self.problems = dict(problems or {})


class NobodyThere(Exception):  # noqa: N818  # an answer, not a fault
    """No gateway listens on the socket."""


class Control:
    """`ports.Source`: its readings are the entries that people book.

    path  where it listens; None: nowhere, entries come from this process alone
    """

    name = NAME

    def __init__(self, path: Path | None, answer: Answer) -> None:
        self._path, self._answer = path, answer
        self._queue: asyncio.Queue[Delivery | BaseException] = asyncio.Queue()  # as long as there are talks
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._requests = self._refused = 0

    # the port -------------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """See `ports.Source`."""
        if self._path is None or self._server is not None:
            return
        try:
            listening = await asyncio.to_thread(_listen, self._path)
        except OSError as exc:
            raise NotConnected(f"cannot listen on {self._path}: {exc.strerror or exc}") from exc
        self._server = await asyncio.start_unix_server(self._begin, sock=listening, limit=_LINE_BYTES)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """See `ports.Source`. A bug in an answer ends the gateway as it would anywhere else."""
        while True:
            item = await self._queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    def counters(self) -> Mapping[str, float]:
        """See `ports.Source`."""
        return {"requests": self._requests, "refused": self._refused}

    async def close(self) -> None:
        """See `ports.Source`."""
        server, self._server = self._server, None
        if server is None or self._path is None:
            return
        server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.to_thread(self._path.unlink, missing_ok=True)

    # requests -------------------------------------------------------------------------------------------------------

    async def submit(self, batch: Batch) -> None:
        """Returns when the batch is durable in the journal."""
        done = asyncio.Event()
        await self._queue.put(Delivery(batch, ack=done.set, window_share=1.0))
        await done.wait()

    async def reply(self, line: bytes) -> Reply:
        """The answer to one line."""
        self._requests += 1
        try:
            return {"ok": True} | await self._answer(_request(line))
        except Refused as exc:
            self._refused += 1
            problems = [[index, text] for index, text in sorted(exc.problems.items())]
            return {"ok": False, "error": str(exc)} | ({"problems": problems} if problems else {})

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk
        self._talks.add(talk)
        try:
            if len(self._talks) > _TALKS:
                _write(writer, {"ok": False, "error": f"{_TALKS} others are talking: try again"})
            else:
                await self._talk(reader, writer)
        except ConnectionError:
            pass  # the other side went away; what it booked is booked
        except asyncio.CancelledError:
            pass  # the gateway ends; the task must end without noise
        except BaseException as exc:  # noqa: BLE001  # handed to the task that runs this source
            await self._queue.put(exc)
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                _write(writer, {"ok": False, "error": f"a line is at most {_LINE_BYTES} bytes long"})
                return
            if not line:
                return
            _write(writer, await self.reply(line))
            await writer.drain()


def _request(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refused("a request is one JSON object on one line")
    return found


def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(orjson.dumps(reply) + b"\n")


def _listen(path: Path) -> socket.socket:
    """A listening socket of this user alone. The journal's lock is ours, so what lies there is left from before."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(None, "a file that is no socket lies there: move it away")
        path.unlink()
    except FileNotFoundError:
        pass
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address_of(path) as address:
            listening.bind(address)
        path.chmod(0o600)  # nobody can connect before `listen`
        listening.listen(_TALKS)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """The socket's address; that of a path which is too long leads over a handle of its folder."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Caller:
    """A connection to the control socket of a gateway that runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def to(path: Path) -> "Caller":
        """NobodyThere: no gateway listens. Unusable: it may not be used by this user."""
        try:
            with address_of(path) as address:
                reader, writer = await asyncio.open_unix_connection(address, limit=_LINE_BYTES)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as exc:
            raise NobodyThere(str(path)) from exc
        except OSError as exc:
            raise Unusable(
                f"cannot use {path} ({exc.strerror}): run this as the user that the gateway runs as"
            ) from exc
        return Caller(reader, writer)

    async def ask(self, request: Mapping[str, Any]) -> Reply:
        """The answer. Refused: the gateway does not do it. Unusable: the gateway went away."""
        try:
            self._writer.write(orjson.dumps(request) + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise Unusable("the gateway ended before it answered: look with `lineside fact list` what it has taken")
        return judged(orjson.loads(line))

    async def close(self) -> None:
        """Ends the connection."""
        self._writer.close()


def judged(reply: Reply) -> Reply:
    """The reply. Refused: it is a refusal."""
    if not reply["ok"]:
        raise Refused(reply["error"], {int(index): text for index, text in reply.get("problems", [])})
    return reply

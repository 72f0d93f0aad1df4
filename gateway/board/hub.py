"""The newest snapshot, and everyone who waits for the next one."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable

from pydantic import ValidationError

from gateway.board.answers import Snapshot

log = logging.getLogger("lineside.board")

MAX_VIEWERS = 64
_SILENCE_S = 15.0


class Hub:
    """Keeps only the newest snapshot: a slow browser skips, it never holds up anyone."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.latest: Snapshot | None = None
        self.viewers = 0
        self._frame = b""
        self._version = 0
        self._changed = asyncio.Event()
        self._closed = False
        self._refusing = False
        self._monotonic = monotonic
        self._received_s = 0.0

    @property
    def age_s(self) -> float:
        """Seconds since the newest snapshot arrived; infinite before the first."""
        return self._monotonic() - self._received_s if self.latest else float("inf")

    def publish(self, line: bytes) -> None:
        """Takes one line from the gateway; one that is no snapshot is refused and the last one stays."""
        try:
            snapshot = Snapshot.model_validate_json(line)
        except ValidationError as exc:
            self._refuse(exc)
            return
        self._refusing = False
        self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Makes a snapshot the newest one."""
        self.latest = snapshot
        self._received_s = self._monotonic()
        self._version += 1
        text = snapshot.model_dump_json(by_alias=True).encode()
        self._frame = b"event: snapshot\nid: %d\ndata: %b\n\n" % (self._version, text)
        self._wake()

    def close(self) -> None:
        """Ends all streams."""
        self._closed = True
        self._wake()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events for one browser: the newest snapshot at once, then each newer one."""
        seen = 0
        self.viewers += 1
        try:
            yield b"retry: 1000\n\n"
            while not self._closed:
                if self._version != seen:
                    seen = self._version
                    yield self._frame
                elif not await self._changes():
                    yield b": waiting\n\n"
        finally:
            self.viewers -= 1

    async def _changes(self) -> bool:
        """Waits for a change, but not for ever: writing now and then shows that a browser went away."""
        try:
            async with asyncio.timeout(_SILENCE_S):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    def _refuse(self, exc: ValidationError) -> None:
        if not self._refusing:
            first = exc.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            log.warning("a snapshot from the gateway is not valid: %s: %s", where, first["msg"])
        self._refusing = True

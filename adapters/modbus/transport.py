"""Endpoints: one connection per address, shared by every source that names it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from adapters.modbus.dial import Link, Tls, dial
from adapters.modbus.doubts import Doubts
from adapters.modbus.frames import GATEWAY_EXCEPTIONS, Answer, Failure, Read
from adapters.modbus.locator import Locator
from adapters.modbus.manners import Breaker, Manners
from gateway.model import Reason
from gateway.ports import Clock, NotConnected

_CLOSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class User:
    """A source as its endpoint sees it."""

    name: str
    unit: int
    manners: Manners
    timeout_s: float


class Endpoint:
    """One address, whatever it speaks. Its connection opens with the first user and closes with the last.

    Reads of all users go through in the order of their coming, as gently as the most delicate of them needs. A unit
    that is silent is left alone for a while (`Breaker`), so that it takes no time from the others.
    """

    def __init__(self, locator: Locator, clock: Clock, tls: Tls | None = None) -> None:
        self.locator = locator
        self._clock = clock
        self._tls = tls or Tls()
        self._users: dict[str, User] = {}
        self._link: Link | None = None
        self._resting = False  # closed after a poll, to be opened for the next
        self._reading = 0
        self._opening = asyncio.Lock()
        self._breakers: dict[int, Breaker] = {}
        self._doubts = Doubts()

    def __str__(self) -> str:
        return str(self.locator)

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, or rests until the next poll."""
        return self._resting or (self._link is not None and self._link.is_open)

    @property
    def why(self) -> str:
        """Why the connection does not stand."""
        return self._link.why if self._link else "not connected"

    @property
    def strays(self) -> int:
        """Replies on the present connection that belonged to no open request, and were dropped."""
        return self._link.strays if self._link else 0

    async def join(self, user: User) -> None:
        """Registers a user and connects unless another has. NotConnected: says where and why."""
        async with self._opening:
            if not self.is_open:
                manners = Manners.gentlest([user.manners, *(other.manners for other in self._users.values())])
                await self._open(user.timeout_s, manners)
            self._users[user.name] = user
            self._share()

    async def leave(self, user: User) -> None:
        """Takes a user off; the last one closes the connection. Safe for one that never joined."""
        self._users.pop(user.name, None)
        if self._users:
            self._share()
        else:
            self._resting = False
            await self._hang_up()

    async def rest(self) -> None:
        """After a poll: closes the connection where a user asks for that, unless another is reading."""
        async with self._opening:
            if self._link is not None and self._link.manners.close_after_poll and not self._reading and self.is_open:
                self._resting = True
                await self._hang_up()

    async def read(self, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        """The answers to these reads, which are of one unit, in their order; failures where there is no connection.

        A unit that has been silent is not asked until its time has come, and then once, before the rest.
        """
        if not reads:
            return []
        breaker = self._breakers.setdefault(reads[0].unit, Breaker())
        if not breaker.is_open:
            return await self._ask(breaker, reads, timeout_s)
        if (wait_s := breaker.closed_in(self._clock.monotonic())) > 0:
            text = f"unit {reads[0].unit} is silent; it is asked again in {wait_s:.0f} s"
            return [Failure(Reason.NOT_CONNECTED, text, self._clock.wall_ns())] * len(reads)
        first = await self._ask(breaker, reads[:1], timeout_s)
        if breaker.is_open:
            return first * len(reads)
        return first + (await self._ask(breaker, reads[1:], timeout_s) if len(reads) > 1 else [])

    async def _ask(self, breaker: Breaker, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        self._reading += 1
        try:
            if self._resting:
                await self._wake(timeout_s)
            if self._link is None:
                return self._nobody(reads, "not connected")
            answers = await self._link.read(reads, timeout_s)
        except NotConnected as exc:
            return self._nobody(reads, str(exc).removeprefix(f"{self}: "))
        finally:
            self._reading -= 1
        self._judge(breaker, answers)
        return answers

    def _judge(self, breaker: Breaker, answers: Sequence[Answer]) -> None:
        """Tells the breaker what was heard of its unit; noise and a lost connection say nothing about a unit."""
        missed = [a for a in answers if isinstance(a, Failure) and _is_silence(a)]
        if any(not isinstance(a, Failure) or (a.exception and not _is_silence(a)) for a in answers):
            breaker.heard()
        elif missed:
            breaker.missed(len(missed), self._clock.monotonic())

    def _nobody(self, reads: Sequence[Read], why: str) -> list[Answer]:
        return [Failure(Reason.NOT_CONNECTED, why, self._clock.wall_ns())] * len(reads)

    async def _wake(self, timeout_s: float) -> None:
        async with self._opening:
            if self._resting:
                self._resting = False
                await self._open(timeout_s, Manners.gentlest(user.manners for user in self._users.values()))
                self._share()

    async def _open(self, timeout_s: float, manners: Manners) -> None:
        self._link = await dial(self.locator, self._tls, self._doubts, self._clock, timeout_s)
        if manners.connect_delay_s:
            await self._clock.sleep(manners.connect_delay_s)

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
            await asyncio.wait([link.lost], timeout=_CLOSE_S)

    def _share(self) -> None:
        if self._link is not None:
            self._link.manners = Manners.gentlest(user.manners for user in self._users.values())
            self._link.units = len({user.unit for user in self._users.values()})


def _is_silence(failure: Failure) -> bool:
    return failure.exception in GATEWAY_EXCEPTIONS or (not failure.exception and failure.reason is Reason.TIMEOUT)


_ENDPOINTS: Final[WeakValueDictionary[tuple[Locator, Tls | None], Endpoint]] = WeakValueDictionary()


def endpoint(locator: Locator, clock: Clock, tls: Tls | None = None) -> Endpoint:
    """The one `Endpoint` of this address; it lives as long as a source holds it."""
    found = _ENDPOINTS.get((locator, tls))
    if found is None:
        found = _ENDPOINTS[locator, tls] = Endpoint(locator, clock, tls)
    return found

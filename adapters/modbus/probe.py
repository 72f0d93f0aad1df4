"""Single reads of an endpoint that no config knows: for tools that look at devices. Never writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.modbus.frames import Answer, Read
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.transport import Endpoint, User, endpoint
from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class Probe:
    """An open endpoint, read gently: one request at a time, with a pause before each."""

    endpoint: Endpoint
    user: User
    clock: Clock

    async def read(self, read: Read) -> Answer:
        """One answer; connects again where a silence has closed the connection. NotConnected: says why not."""
        await self.clock.sleep(self.user.manners.pause_s)
        if not self.endpoint.is_open:
            await self.endpoint.join(self.user)
        return (await self.endpoint.read([read], self.user.timeout_s))[0]


@asynccontextmanager
async def probing(text: str, timeout_s: float, pause_s: float, clock: Clock) -> AsyncIterator[Probe]:
    """Opens an endpoint as a config would name it. ValueError: it is none; NotConnected: nobody is there."""
    user = User("probe", 0, Manners(pause_s=pause_s), timeout_s)
    probe = Probe(endpoint(parse_endpoint(text), clock), user, clock)
    try:
        await probe.endpoint.join(user)
        yield probe
    finally:
        await probe.endpoint.leave(user)

"""Opens what an endpoint's locator names, and says in words why it cannot."""

import asyncio
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from adapters.modbus.bus import Bus
from adapters.modbus.connection import Connection, DatagramConnection
from adapters.modbus.doubts import Doubts
from adapters.modbus.framers import AsciiFramer, Framer, RtuFramer
from adapters.modbus.frames import Answer, Read
from adapters.modbus.locator import Locator
from adapters.modbus.manners import Manners
from gateway.model import Reason
from gateway.ports import Clock, NotConnected

_HANDSHAKE_S: Final = 5.0  # a small controller takes seconds for its part of the mathematics


class Link(Protocol):
    """An open connection of any kind, as its endpoint uses it."""

    manners: Manners
    units: int
    strays: int
    why: str
    lost: "asyncio.Future[None]"

    @property
    def is_open(self) -> bool:
        """Whether reads can be sent."""
        ...

    async def read(self, reads: Sequence[Read], timeout_s: float) -> list[Answer]:
        """The answers to these reads, in their order; never raises for what the other side does."""
        ...

    def close(self, why: str = "closed", reason: Reason = Reason.NOT_CONNECTED) -> None:
        """Drops the connection; what waits for an answer fails at once."""
        ...


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a Modbus/TCP Security connection, in PEM form; "": the system's authorities, no certificate of ours.

    Source: MODBUS/TCP Security V36: TLS 1.2 or later, both sides show certificates.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext:
        """Checks chain and host name. OSError: a file is missing or not what it should be."""
        for file in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            Path(file).stat()  # raises with the name of the file, which ssl does not
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file or None)
        except ssl.SSLError as exc:
            raise OSError(f"ca_file, cert_file or key_file is not what it should be: {exc.reason}") from exc
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


async def dial(locator: Locator, tls: Tls, doubts: Doubts, clock: Clock, timeout_s: float) -> Link:
    """An open connection. NotConnected: says where and why not.

    doubts: what the line may still bring from connections before this one
    timeout_s: for the connection; TLS takes 5 s at least
    """
    if locator.is_serial:
        from adapters.modbus.serial_port import open_serial

        bus = _bus(locator, doubts, clock)
        await open_serial(locator, bus)
        return bus
    limit_s = max(timeout_s, _HANDSHAKE_S) if locator.scheme == "tls" else timeout_s
    try:
        async with asyncio.timeout(limit_s):
            return await _connect(locator, tls, doubts, clock)
    except TimeoutError as exc:
        raise NotConnected(f"{locator}: no connection within {limit_s:g} s") from exc
    except OSError as exc:
        raise NotConnected(f"{locator}: {in_words(exc)}") from exc


async def _connect(locator: Locator, tls: Tls, doubts: Doubts, clock: Clock) -> Link:
    loop = asyncio.get_running_loop()
    host, port = locator.host, locator.port
    if locator.scheme == "udp":
        _, datagrams = await loop.create_datagram_endpoint(
            lambda: DatagramConnection(clock.wall_ns), remote_addr=(host, port)
        )
        return datagrams
    if locator.is_bus:
        _, bus = await loop.create_connection(lambda: _bus(locator, doubts, clock), host, port)
        return bus
    context = await asyncio.to_thread(tls.context) if locator.scheme == "tls" else None
    _, connection = await loop.create_connection(lambda: Connection(clock.wall_ns), host, port, ssl=context)
    return connection


def _bus(locator: Locator, doubts: Doubts, clock: Clock) -> Bus:
    framer: Framer = RtuFramer() if locator.framing == "rtu" else AsciiFramer()
    return Bus(framer, locator, doubts, clock)


def in_words(error: OSError) -> str:
    """`Connection refused`, without the address that the text around it has already."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    number = error.errno or 0
    text = os.strerror(number) if number > 0 else str(error)
    return f"{error.filename}: {text}" if error.filename else text

"""Where a face listens: tcp://HOST:PORT, rtu:///dev/ttyUSB0?baud=19200, or a serial line of its own, pty:///tmp/line-1."""

import asyncio
import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Tcp:
    """A listening TCP socket; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial line that exists."""

    path: str
    baud: int = 19200
    parity: str = "N"
    stop_bits: int = 1


@dataclass(frozen=True, slots=True)
class Pty:
    """A serial line made of pseudo-terminals; clients open `link`."""

    link: Path


def parse_listen(text: str) -> Tcp | Serial | Pty:
    """What `listen:` says. ValueError: says how it is written."""
    url = urlsplit(text)
    if url.scheme == "tcp" and url.hostname:
        return Tcp(url.hostname, 502 if url.port is None else url.port)
    options = dict(parse_qsl(url.query))
    if url.scheme == "rtu" and url.path and not options.keys() - {"baud", "parity", "stop"}:
        line = Serial(
            url.path, int(options.get("baud", 19200)), options.get("parity", "N"), int(options.get("stop", 1))
        )
        if line.parity in ("N", "E", "O") and line.stop_bits in (1, 2):
            return line
    if url.scheme == "pty" and url.path and not options:
        return Pty(Path(url.path))
    raise ValueError(
        f"{text!r} is no place to listen: write tcp://127.0.0.1:502, rtu:///dev/ttyUSB0?baud=19200&parity=E"
        " or pty:///tmp/line-1"
    )


def parse_broker(text: str) -> Tcp:
    """The host and port of mqtt://HOST:PORT. ValueError: says how it is written."""
    url = urlsplit(text)
    if url.scheme != "mqtt" or not url.hostname:
        raise ValueError(f"{text!r} is no MQTT broker: write mqtt://HOST:PORT")
    return Tcp(url.hostname, url.port or 1883)


def parse_host_port(text: str) -> Tcp:
    """HOST:PORT. ValueError: says how it is written."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8090")
    return Tcp(host, int(port))


@contextmanager
def pty_line(pty: Pty) -> Iterator[Serial]:
    """A serial line in memory while the context is open: the face gets one end, `pty.link` is the other.

    Raises:
        OSError: the link cannot be made.
    """
    ends = [os.openpty(), os.openpty()]
    loop = asyncio.get_running_loop()
    try:
        for master, slave in ends:
            tty.setraw(slave)
            os.set_blocking(master, False)
        (one, near), (other, far) = ends
        _link(pty.link, os.ttyname(far))
        loop.add_reader(one, _carry, one, other)
        loop.add_reader(other, _carry, other, one)
        yield Serial(os.ttyname(near))
    finally:
        for master, slave in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
        pty.link.unlink(missing_ok=True)


def _link(link: Path, end: str) -> None:
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(end)
    except OSError as exc:
        raise OSError(f"cannot make the serial line {link}: {f'{exc.strerror}'.lower()}") from exc


def _carry(source: int, target: int) -> None:
    """Hand on what has come; a full buffer loses it, as a line that nobody reads does."""
    with suppress(BlockingIOError):
        os.write(target, os.read(source, 4096))

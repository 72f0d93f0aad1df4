"""A serial port on the event loop: opened exclusively by pyserial, read when the system has something."""

import asyncio
import fcntl
import os
import termios
from contextlib import suppress
from typing import Final

import serial

from adapters.modbus.bus import Bus
from adapters.modbus.locator import Locator
from gateway.ports import NotConnected

_CHUNK: Final = 4096


class SerialPort:
    """Feeds a bus with what arrives, and sends what it writes."""

    def __init__(self, port: serial.Serial, bus: Bus) -> None:
        self._port = port
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._fd: int = port.fileno()
        self._loop.add_reader(self._fd, self._readable)
        bus.attach(self)

    def write(self, data: bytes) -> None:
        """Sends a request; it is much smaller than the system's buffer."""
        try:
            sent = os.write(self._fd, data)
        except OSError as exc:
            self._lost(exc)
            return
        if sent < len(data):
            self._lost(OSError("the serial port takes no data"))

    def abort(self) -> None:
        """Closes at once."""
        self._lost(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as exc:
            self._lost(exc)
            return
        if data:
            self._bus.data_received(data)
        else:  # how a port says that its adapter was unplugged
            self._lost(OSError("the serial port is gone"))

    def _lost(self, error: OSError | None) -> None:
        if not self._port.is_open:
            return
        self._loop.remove_reader(self._fd)
        # else the system would wait up to 30 s until a stuck line has taken what was written
        with suppress(termios.error):  # unplugged: nothing is left to drop
            termios.tcflush(self._fd, termios.TCIOFLUSH)
        self._port.close()
        why = OSError(os.strerror(error.errno)) if error and error.errno else error
        self._loop.call_soon(self._bus.connection_lost, why)


async def open_serial(locator: Locator, bus: Bus) -> None:
    """Opens the port of a locator for a bus. NotConnected: says why not."""
    try:
        port = await asyncio.to_thread(_open, locator)
    except (OSError, ValueError, termios.error) as exc:  # pyserial's own error is an OSError
        raise NotConnected(f"{locator}: {_in_words(exc, locator)}") from exc
    SerialPort(port, bus)


def _open(locator: Locator) -> serial.Serial:
    line = locator.line
    port = serial.Serial(
        locator.device,
        baudrate=line.baud,
        bytesize=line.databits,
        parity=line.parity,
        stopbits=line.stopbits,
        timeout=0,
        exclusive=True,
    )
    fcntl.ioctl(port.fileno(), termios.TIOCEXCL)  # also against programs that know nothing of locks
    return port


def _in_words(error: Exception, locator: Locator) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if "exclusively lock" in str(error):
        return "another program uses this port"
    if number:
        return os.strerror(number)
    return f"cannot be set to {locator.line.baud} baud, parity {locator.line.parity}: {error}"

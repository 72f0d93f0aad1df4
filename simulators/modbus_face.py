"""Modbus faces of a plant: controllers and meters as the units of a TCP server or of a serial line, by pymodbus."""

import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.device import Correction, Device, Refused
from simulators.endpoints import Serial, Tcp
from simulators.profiles import Table

_TABLE_READ_BY: Final[Mapping[int, Table]] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
_UNUSED: Final = SimDevice(0, SimData(0, values=[0], datatype=DataType.REGISTERS))
"""pymodbus wants a datastore of its own kind to begin with; ours takes its place at once."""


class Watch(Protocol):
    """The running plant, as a device sees it; `clock` goes on when the plant is frozen."""

    clock: Callable[[], int]

    def look(self) -> int:
        """Let the plant catch up with its clock; returns its time in epoch ms."""

    def measure(self, target: str) -> None:
        """Bring the electricity of `machine/<name>` or `meter/<name>` up to the plant's time."""


@dataclass(slots=True)
class Unit:
    """A device behind a unit id; `correct` makes what a counter shows of what is true, at the time it is given."""

    target: str
    device: Device
    correct: Callable[[int], Correction] | None = None


@dataclass(slots=True)
class Units:
    """The units of one server, as pymodbus's server asks for them.

    Values change only when a controller's scan has passed: all reads between two scans see the same moment.

    scan_ms        between two scans
    answers_for_nobody  whether the server says that a unit does not exist, as gateways do; on a line nobody answers
    """

    watch: Watch
    units: Mapping[int, Unit]
    scan_ms: int
    answers_for_nobody: bool
    requests: int = 0
    _scanned: dict[int, int] = field(default_factory=dict)

    async def async_getValues(  # noqa: N802  # pymodbus calls it so
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """What a read gets."""
        self.requests += 1
        unit = self.units.get(device_id)
        if unit is None:
            return self._nobody()
        table = _TABLE_READ_BY.get(func_code)
        if table is None:
            return ExcCodes.ILLEGAL_FUNCTION
        self._scan(device_id, unit)
        found = unit.device.read(table, address, count)
        return ExcCodes(found.code) if isinstance(found, Refused) else found

    async def async_setValues(  # noqa: N802
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes:
        """Writes are refused: nobody drives this plant over Modbus."""
        return ExcCodes.ILLEGAL_FUNCTION if device_id in self.units else self._nobody()

    def device_ids(self) -> list[int]:
        """The unit ids."""
        return list(self.units)

    def _scan(self, device_id: int, unit: Unit) -> None:
        now_ms = self.watch.look()
        scan = self.watch.clock() // self.scan_ms
        if self._scanned.get(device_id) != scan:
            self._scanned[device_id] = scan
            self.watch.measure(unit.target)
            unit.device.refresh(unit.correct(now_ms) if unit.correct else None)

    def _nobody(self) -> ExcCodes:
        if self.answers_for_nobody:
            return ExcCodes.GATEWAY_NO_RESPONSE
        raise NoSuchIdException("no such unit on this line")


def _why_not(listen: Tcp) -> str:
    """Why nobody can listen there; the server only says that it does not."""
    try:
        with socket.create_server((listen.host, listen.port)):
            return "is the port in use?"
    except OSError as exc:
        return "is the port in use?" if exc.errno == errno.EADDRINUSE else f"{exc.strerror}".lower()


@asynccontextmanager
async def tcp_face(units: Units, listen: Tcp) -> AsyncIterator[int]:
    """Serve the units over Modbus TCP while the context is open; yields the port. OSError: it cannot be listened on."""
    server = ModbusTcpServer(_UNUSED, address=(listen.host, listen.port))
    server.context = units  # type: ignore[assignment]
    try:
        await server.serve_forever(background=True)
    except RuntimeError as exc:
        raise OSError(f"cannot listen on {listen.host}:{listen.port} for Modbus: {_why_not(listen)}") from exc
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await _end(server)


@asynccontextmanager
async def serial_face(units: Units, line: Serial) -> AsyncIterator[None]:
    """Serve the units on a serial line while the context is open. OSError: the line cannot be opened."""
    server = ModbusSerialServer(
        _UNUSED,
        port=line.path,
        baudrate=line.baud,
        parity=line.parity,
        stopbits=line.stop_bits,
        ignore_missing_devices=True,
    )
    server.context = units  # type: ignore[assignment]
    try:
        await server.serve_forever(background=True)
    except RuntimeError as exc:
        raise OSError(f"cannot open the serial line {line.path}") from exc
    try:
        yield
    finally:
        await _end(server)


async def _end(server: Any) -> None:
    await server.shutdown()

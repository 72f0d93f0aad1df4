"""A press's Modbus TCP face: its controller is unit 1, its energy meter unit 2, behind one address."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.live import Live, Panel
from simulators.registers import PLC, RegisterMap

PLC_UNIT, METER_UNIT, ANY_OTHER_UNIT = 1, 2, 0
ALL_ADDRESSES = 65536


@asynccontextmanager
async def press_face(live: Live, machine: str, meter: RegisterMap, host: str, port: int) -> AsyncIterator[int]:
    """Serve a machine's registers while the context is open.

    Args:
        live: the running plant; it catches up at every read, so values are of the moment of the read.
        machine: whose registers.
        meter: the register map of the energy meter at unit 2.
        host, port: where to listen; port 0 takes a free one.

    Yields:
        The port.

    Raises:
        OSError: the address cannot be listened on.
    """

    def panel() -> Panel:
        live.catch_up()
        return live.panels[machine]

    devices = [_device(PLC_UNIT, PLC, panel), _device(METER_UNIT, meter, panel), _nobody()]
    server = ModbusTcpServer(devices, address=(host, port))
    try:
        await server.serve_forever(background=True)
    except RuntimeError as exc:
        raise OSError(f"cannot listen on {host}:{port} for {machine}: is the port in use?") from exc
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def _device(unit_id: int, layout: RegisterMap, panel: Callable[[], Panel]) -> SimDevice:
    async def refresh(
        function: int, start: int, address: int, count: int, words: list[int], written: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        """Bring the words that are about to be read up to date (pymodbus calls it before it replies)."""
        if function != layout.function:
            return ExcCodes.ILLEGAL_FUNCTION
        shown = panel()
        for register in layout.registers:
            if register.address < address + count and register.end > address:
                words[register.address - start : register.end - start] = register.encode(shown)
        return None

    return SimDevice(unit_id, _blocks(layout), action=refresh)


def _blocks(layout: RegisterMap) -> list[SimData]:
    """One block per run of adjacent registers; what is between the runs answers with exception 2."""
    runs = [[layout.registers[0].address, layout.registers[0].end]]
    for before, register in pairwise(layout.registers):
        if register.address != before.end:
            runs.append([register.address, register.end])
        runs[-1][1] = register.end
    return [SimData(begin, values=[0] * (end - begin), datatype=DataType.REGISTERS) for begin, end in runs]


def _nobody() -> SimDevice:
    """All other units: the answer of a gateway whose target device does not respond."""

    async def refuse(*request: object) -> ExcCodes:
        return ExcCodes.GATEWAY_NO_RESPONSE

    return SimDevice(ANY_OTHER_UNIT, SimData(0, values=[0] * ALL_ADDRESSES, datatype=DataType.REGISTERS), action=refuse)

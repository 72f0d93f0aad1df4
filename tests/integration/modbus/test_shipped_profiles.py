"""Every shipped profile against pymodbus's server, which holds the registers of its examples and no others."""

from pathlib import Path

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from adapters.modbus.config import ModbusConfig
from adapters.modbus.point import Table
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.source import build
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import TagTable

HOST = "127.0.0.1"
SHIPPED = Library.beside(Path("nowhere.yaml"))


def runs(profile: Profile, table: Table) -> list[SimData]:
    """The registers of the examples, one entry for each stretch without a hole; what the first one says counts."""
    words: dict[int, int] = {}
    for example in reversed(profile.examples):
        for first, run in example.image.get(table, {}).items():
            words |= dict(enumerate(run if isinstance(run, list) else [run], first))
    starts = [address for address in words if address - 1 not in words]
    ends = [address + 1 for address in words if address + 1 not in words]
    pairs = zip(sorted(starts), sorted(ends), strict=True)
    return [SimData(a, values=[words[i] for i in range(a, b)], datatype=DataType.REGISTERS) for a, b in pairs] or [
        SimData(0, values=0, datatype=DataType.REGISTERS)
    ]


@pytest.mark.parametrize("name", SHIPPED.names("profiles"))
async def test_a_device_that_has_just_these_registers_is_read_whole(name: str) -> None:
    profile = load_profile(name, SHIPPED)
    bits = SimData(0, values=[False] * 16, datatype=DataType.BITS)
    tables = ([bits], [bits], runs(profile, Table.HOLDING), runs(profile, Table.INPUT))
    server = ModbusTcpServer(SimDevice(1, simdata=tables), address=(HOST, 0))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    config = ModbusConfig(endpoint=f"tcp://{HOST}:{port}", profile=name, asset="a")
    tags = TagTable(enumerate(config.tags("s", SHIPPED)))
    source = build("s", config, tags, SHIPPED, SystemClock())
    await source.connect()
    found = {row.tag.name.removeprefix("a/"): row.value for row in await source.poll()}
    await source.close()
    await server.shutdown()  # type: ignore[no-untyped-call]
    expected = {point: value for example in reversed(profile.examples) for point, value in example.values.items()}
    assert found == {point: pytest.approx(value) for point, value in expected.items()}

"""Every transport against pymodbus's own servers: TLS with an own CA, UDP, RTU and ASCII over TCP and serial lines."""

import asyncio
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer, ModbusUdpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from adapters.modbus.config import ModbusConfig
from adapters.modbus.frames import Read, Reply
from adapters.modbus.locator import parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.point import Table
from adapters.modbus.source import ModbusSource
from adapters.modbus.transport import Endpoint, User
from gateway.clock import SystemClock
from gateway.library import Library
from gateway.model import TagTable
from gateway.ports import NotConnected
from tests.integration.modbus.fault_server import Request, truth
from tests.integration.modbus.servers import free_port, serial_pair

HOST = "127.0.0.1"
NOBODY = Library(())
CLOCK = SystemClock()


def word(unit: int, address: int) -> int:
    """What the servers hold."""
    return unit * 1000 + address * 7


def devices(*units: int) -> list[SimDevice]:
    registers = {unit: [word(unit, address) for address in range(200)] for unit in units}
    return [SimDevice(u, SimData(0, values=words, datatype=DataType.REGISTERS)) for u, words in registers.items()]


def source_of(endpoint: str, unit: int = 1, /, **said: object) -> ModbusSource:
    points = {f"r{a}": {"table": "holding", "address": a, "type": "uint16", "group": "fast"} for a in (0, 5, 130)}
    given = {"endpoint": endpoint, "unit_id": unit, "asset": "press", "points": points, "timeout": "1s"}
    config = ModbusConfig.model_validate(given | said)
    tags = TagTable(enumerate(config.tags(f"u{unit}", NOBODY)))
    resolved = config.resolve(NOBODY)
    return ModbusSource(f"u{unit}", config, resolved, config.handling(NOBODY), tags, CLOCK)


async def values(source: ModbusSource) -> list[object]:
    return [row.value for row in await source.poll()]


def expected(unit: int) -> list[float]:
    return [word(unit, a) for a in (0, 5, 130)]


Server = ModbusTcpServer | ModbusTlsServer | ModbusUdpServer | ModbusSerialServer


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[int]:
    await server.serve_forever(background=True)
    transport = server.transport
    sockets = getattr(transport, "sockets", None)
    name = sockets[0].getsockname() if sockets else transport.get_extra_info("sockname")  # type: ignore[union-attr]
    try:
        yield name[1] if name else 0
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def both_units(endpoint: str, **said: object) -> None:
    """Two units of one endpoint, read side by side, never mix."""
    sources = [source_of(endpoint, unit, **said) for unit in (1, 2)]
    for source in sources:
        await source.connect()
    for _ in range(3):
        found = await asyncio.gather(*(values(source) for source in sources))
        assert found == [expected(1), expected(2)]
    for source in sources:
        await source.close()


async def test_udp() -> None:
    async with serving(ModbusUdpServer(devices(1, 2), address=(HOST, 0))) as port:
        await both_units(f"udp://{HOST}:{port}")


class Liar(asyncio.DatagramProtocol):
    """Answers a datagram with whatever is no answer, and then with the truth."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = Request(*struct.unpack(">H4xBBHH", data))
        honest = request.frame()
        for lie in (b"garbage", honest[:-1], honest + b"\0", honest * 2, request.frame(transaction=0), honest):
            self._transport.sendto(lie, addr)


async def test_a_datagram_that_is_not_one_whole_frame_is_never_a_value() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Liar, local_addr=(HOST, 0))
    port = transport.get_extra_info("sockname")[1]
    link, user = Endpoint(parse_endpoint(f"udp://{HOST}:{port}"), CLOCK), User("u", 1, Manners(), 1.0)
    await link.join(user)
    reads = [Read(1, Table.HOLDING, 10 * i, 1 + i) for i in range(5)]
    for read, answer in zip(reads, await link.read(reads, 1.0), strict=True):
        assert isinstance(answer, Reply)
        assert answer.data == truth(1, 3, read.address, read.count)
    assert link.strays == 5 * 5
    await link.leave(user)
    transport.close()


async def test_a_port_that_nobody_listens_on_says_so_over_udp_too() -> None:
    source = source_of(f"udp://{HOST}:{free_port()}")
    with pytest.raises(NotConnected, match="Connection refused"):
        await source.connect()
    await source.close()


@pytest.mark.parametrize(("scheme", "framer"), [("rtu+tcp", FramerType.RTU), ("ascii+tcp", FramerType.ASCII)])
async def test_serial_frames_over_tcp(scheme: str, framer: FramerType) -> None:
    async with serving(ModbusTcpServer(devices(1, 2), framer=framer, address=(HOST, 0))) as port:
        await both_units(f"{scheme}://{HOST}:{port}")


@pytest.mark.parametrize(("scheme", "framer"), [("rtu", FramerType.RTU), ("ascii", FramerType.ASCII)])
async def test_a_serial_line(scheme: str, framer: FramerType, tmp_path: Path) -> None:
    with serial_pair(tmp_path) as (ours, its):
        server = ModbusSerialServer(devices(1, 2), framer=framer, port=str(its), baudrate=38400)
        async with serving(server):
            await both_units(f"{scheme}://{ours}?baud=38400&parity=N&databits=8")


async def test_a_serial_port_is_ours_alone_and_given_back(tmp_path: Path) -> None:
    with serial_pair(tmp_path) as (ours, its):
        endpoint = f"rtu://{ours}?parity=N"
        async with serving(ModbusSerialServer(devices(1), port=str(its))):
            first = source_of(endpoint)
            await first.connect()
            second = source_of(f"rtu://{ours}?parity=N&baud=9600")
            with pytest.raises(NotConnected, match=r"another program uses this port|resource busy"):
                await second.connect()
            await second.close()
            await first.close()
            assert await values(second) == expected(1)
            await second.close()


async def test_an_adapter_that_is_unplugged_and_plugged_in_again(tmp_path: Path) -> None:
    by_id = tmp_path / "usb-FTDI_A1-if00-port0"
    source = source_of(f"rtu://{by_id}?parity=N")
    with pytest.raises(NotConnected, match=f"{by_id}: No such file or directory"):
        await source.connect()
    for attempt in ("first", "again"):
        folder = tmp_path / attempt
        folder.mkdir()
        with serial_pair(folder) as (ours, its):
            by_id.unlink(missing_ok=True)
            by_id.symlink_to(ours.readlink())
            async with serving(ModbusSerialServer(devices(1), port=str(its))):
                assert await values(source) == expected(1)
        link = source._endpoint._link
        assert link is not None
        async with asyncio.timeout(10):
            await asyncio.shield(link.lost)
        assert "the serial port is gone" in link.why or "Input/output error" in link.why
        with pytest.raises(NotConnected):
            await source.poll()
        await source.close()


async def test_a_connection_that_is_closed_after_each_poll_is_opened_for_the_next(tmp_path: Path) -> None:
    async with serving(ModbusTcpServer(devices(1), address=(HOST, 0))) as port:
        source = source_of(f"tcp://{HOST}:{port}", close_after_poll=True, connect_delay="10ms")
        for _ in range(3):
            assert await values(source) == expected(1)
            assert source._endpoint._link is None
            assert source._endpoint.is_open
        await source.close()
        assert not source._endpoint.is_open


@contextmanager
def authority(folder: Path) -> Iterator[Path]:
    """An own CA, and certificates of a device (for 127.0.0.1), another (for 10.9.9.9) and the gateway."""
    run(folder, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=plant-ca -keyout ca.key -out ca.pem")
    for name, alternative in (("device", "IP:127.0.0.1"), ("other", "IP:10.9.9.9"), ("gateway", "DNS:gateway")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        run(folder, f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr")
        signed = f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext"
        run(folder, f"{signed} -out {name}.pem")
    yield folder


def run(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with authority(tmp_path_factory.mktemp("ca")) as folder:
        yield folder


@asynccontextmanager
async def secure(certificates: Path, name: str = "device") -> AsyncIterator[int]:
    """A Modbus/TCP Security server that wants a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ModbusTlsServer(devices(1, 2), framer=FramerType.SOCKET, address=(HOST, 0), sslctx=context)
    async with serving(server) as port:
        yield port


async def test_tls_with_an_own_authority_and_certificates_on_both_sides(certificates: Path) -> None:
    files = {
        "ca_file": str(certificates / "ca.pem"),
        "cert_file": str(certificates / "gateway.pem"),
        "key_file": str(certificates / "gateway.key"),
    }
    async with secure(certificates) as port:
        await both_units(f"tls://{HOST}:{port}", **files)
        stranger = source_of(f"tls://{HOST}:{port}", ca_file=files["ca_file"])
        with pytest.raises(NotConnected, match=r"certificate required|closed the connection|no answer"):
            await stranger.connect()
        await stranger.close()
        unknown = source_of(f"tls://{HOST}:{port}")
        with pytest.raises(
            NotConnected, match="its certificate is not trusted: self-signed certificate in certificate chain"
        ):
            await unknown.connect()
    async with secure(certificates, "other") as port:
        wrong = source_of(f"tls://{HOST}:{port}", **files)
        with pytest.raises(NotConnected, match=r"not trusted: IP address mismatch.*127\.0\.0\.1"):
            await wrong.connect()


async def test_a_certificate_file_that_is_missing_is_named() -> None:
    async with serving(ModbusTcpServer(devices(1), address=(HOST, 0))) as port:
        source = source_of(f"tls://{HOST}:{port}", ca_file="/nowhere/ca.pem")
        with pytest.raises(NotConnected, match=r"/nowhere/ca\.pem: No such file"):
            await source.connect()

"""A simulated plant whose time a test moves, with faces on free ports."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from simulators.device import Device
from simulators.endpoints import Tcp
from simulators.live import Live
from simulators.modbus_face import Unit, Units, tcp_face
from simulators.plant import Plant
from simulators.profiles import load_profile, profile_folders
from simulators.scenario import load_scenario

HOST = "127.0.0.1"
START_MS = 1_780_000_000_000


class Hand:
    """A clock that the test moves."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def demo_scenario(folder: Path, mqtt_port: int) -> Path:
    """The demo's scenario on free ports."""
    text = (Path(str(files("configs"))) / "scenarios/demo.yaml").read_text()
    for fixed in (15021, 15022):
        text = text.replace(f"127.0.0.1:{fixed}", f"{HOST}:0")
    path = folder / "plant.yaml"
    path.write_text(text.replace("127.0.0.1:11883", f"{HOST}:{mqtt_port}"))
    return path


def demo_plant(seed: int, start_ms: int) -> Plant:
    """The demo's plant with a seed of its own."""
    return Plant(load_scenario("demo").model_copy(update={"seed": seed}), start_ms)


def demo_live(hand: Hand, hidden_share: float = 0.0) -> Live:
    """The demo's plant; it stands idle until `start`."""
    return Live(demo_plant(7, hand()), hand, hidden_share)


def units_of(
    live: Live, units: Mapping[int, tuple[str, str]], scan_ms: int = 1, *, answers_for_nobody: bool = True
) -> Units:
    """Modbus units: unit id → target (`machine/press-01`), profile."""
    made = {
        unit_id: Unit(target, Device(load_profile(profile, profile_folders()), live.sight(target)))
        for unit_id, (target, profile) in units.items()
    }
    return Units(live, made, scan_ms, answers_for_nobody=answers_for_nobody)


@asynccontextmanager
async def modbus_plant(live: Live, units: Mapping[int, tuple[str, str]], scan_ms: int = 1) -> AsyncIterator[int]:
    """A Modbus TCP server with these units; yields its port."""
    async with tcp_face(units_of(live, units, scan_ms), Tcp(HOST, 0)) as port:
        yield port


@asynccontextmanager
async def modbus_client(address: str) -> AsyncIterator[AsyncModbusTcpClient]:
    """pymodbus's client, connected to `tcp://HOST:PORT`."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    client = AsyncModbusTcpClient(host, port=int(port), reconnect_delay=0, timeout=2)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def packed(words: list[int]) -> bytes:
    """Registers as the bytes that they came in."""
    return struct.pack(f">{len(words)}H", *words)

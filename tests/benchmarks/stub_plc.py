"""A Modbus TCP device that costs almost nothing, so that a benchmark measures its client.

    python -m tests.benchmarks.stub_plc --devices 10 --registers 1000 [--port 5020] [--profile FILE] [--dead-unit 9]

Prints one JSON line {"ports": [...]}: one port per device. Every unit of a device answers function code 3 with the same
registers, float32 throughout; all other requests get exception 1. One unit may be dead: it answers nothing; and all may
take their time, as on a serial line. Ends on SIGTERM and with the process that started it.

The first twelve registers are the roles of a machine: 0 state (0 idle, 1 execute), 2 total, 4 good, 6 scrap,
8 energy in kWh, 10 power in kW; the others are a pattern that changes with time. All change every 50 ms.
"""

import argparse
import asyncio
import json
import os
import signal
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import uvloop

REFRESH_S: Final = 0.05
ROLES: Final = ("state", "total_count", "good_count", "scrap_count", "import_energy", "active_power")
_HEADER: Final = struct.Struct(">HHHBBHH")


class Machine:
    """One device's registers as the bytes that go on the wire."""

    def __init__(self, number: int, registers: int, dead_unit: int = 0, delay_s: float = 0.0) -> None:
        self.dead_unit, self.delay_s = dead_unit, delay_s
        self._number = number
        self._pattern = np.arange(registers // 2, dtype=np.float64)
        self.image = b""
        self.refresh(0.0)

    def refresh(self, seconds: float) -> None:
        """Registers at a time since the start: a minute's rhythm of 50 s producing and 10 s standing."""
        minutes, within = divmod(seconds + 6 * self._number, 60)
        producing_s = 50 * minutes + min(within, 50)
        producing = within < 50
        total = producing_s // 1
        scrap = total // 25
        energy_kwh = (20 * producing_s + 3 * (seconds - producing_s)) / 3600 + 100
        values = self._pattern + np.sin(seconds + self._pattern / 10)
        values[:6] = (producing, total, total - scrap, scrap, energy_kwh, 20.0 if producing else 3.0)
        self.image = values.astype(">f4").tobytes()


class Session(asyncio.Protocol):
    """One client; answers every whole request in a segment with one write."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._stream = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        stream = self._stream + data
        whole = len(stream) - len(stream) % _HEADER.size
        self._stream = stream[whole:]
        self._send(b"".join([self._answer(*fields) for fields in _HEADER.iter_unpack(stream[:whole])]))

    def _send(self, replies: bytes) -> None:
        if self._machine.delay_s:
            asyncio.get_running_loop().call_later(self._machine.delay_s, self._write, replies)
        else:
            self._write(replies)

    def _write(self, replies: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(replies)

    def _answer(
        self, tid: int, protocol: int, length: int, unit: int, function: int, address: int, count: int
    ) -> bytes:
        if unit == self._machine.dead_unit:
            return b""
        data = self._machine.image[2 * address : 2 * (address + count)]
        if function != 3 or protocol or length != 6:
            return struct.pack(">HHHBBB", tid, 0, 3, unit, function | 0x80, 1)
        if not count or len(data) != 2 * count:
            return struct.pack(">HHHBBB", tid, 0, 3, unit, function | 0x80, 2)
        return struct.pack(">HHHBBB", tid, 0, 3 + len(data), unit, function, len(data)) + data


def profile(registers: int) -> str:
    """A profile of this device, as YAML: six roles and plain values, all in the group `fast`."""
    lines = [
        "name: Stub",
        "vendor: Lineside",
        "document: tests/benchmarks/stub_plc.py",
        "defaults: { table: holding, type: float32, group: fast }",
        "points:",
        "  state: { address: 0, enum: { 0: IDLE, 1: EXECUTE } }",
        *(f"  {name}: {{ address: {2 * (i + 1)}, counter: true }}" for i, name in enumerate(ROLES[1:4])),
        "  import_energy: { address: 8, unit: kWh, counter: true }",
        "  active_power: { address: 10, unit: kW }",
        *(f"  value_{address}: {{ address: {address} }}" for address in range(12, registers - 1, 2)),
    ]
    return "\n".join(lines) + "\n"


async def serve(machines: Sequence[Machine], port: int) -> None:
    """Listens on a port for each machine until SIGTERM, or until nobody is left who wants it."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda machine=machine: Session(machine), "127.0.0.1", port + i if port else 0)  # type: ignore[misc]
        for i, machine in enumerate(machines)
    ]
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1] for server in servers]}), flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    parent, start = os.getppid(), time.monotonic()
    while not stop.is_set() and os.getppid() == parent:
        for machine in machines:
            machine.refresh(time.monotonic() - start)
        try:
            async with asyncio.timeout(REFRESH_S):
                await stop.wait()
        except TimeoutError:
            continue


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--registers", type=int, default=1000, help="per device, two for each value")
    parser.add_argument("--port", type=int, default=0, help="of the first device; 0: free ports")
    parser.add_argument("--profile", type=Path, help="write the profile of such a device to this file")
    parser.add_argument("--dead-unit", type=int, default=0, help="the unit that answers nothing; 0: none")
    parser.add_argument("--delay-ms", type=float, default=0, help="how long a reply takes")
    said = parser.parse_args()
    if said.profile:
        said.profile.write_text(profile(said.registers), "utf-8")
    machines = [Machine(i, said.registers, said.dead_unit, said.delay_ms / 1000) for i in range(said.devices)]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(machines, said.port))


if __name__ == "__main__":
    main()

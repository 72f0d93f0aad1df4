"""Modbus servers that Lineside did not write: a PLC on libmodbus, and a pair of serial ports that socat makes."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.servers import free_port

_SOURCE: Final = Path(__file__).with_name("plc.c")
_HEADER: Final = Path("/usr/include/modbus/modbus.h")
_LIMIT_S: Final = 20.0
_WRITE_SEEN: Final = 3


def compiled(folder: Path) -> Path:
    """The PLC, compiled into a folder; skips the test where Debian's libmodbus-dev or a C compiler is missing."""
    if shutil.which("cc") is None or not _HEADER.exists():
        pytest.skip("needs Debian's packages libmodbus-dev and gcc")
    program = folder / "plc"
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-O1", str(_SOURCE), "-o", str(program), "-lmodbus"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return program


@contextmanager
def tcp_plc(program: Path) -> Iterator[int]:
    """A PLC on a loopback port; the test fails where a function code but 1 to 4 reached it."""
    port = free_port()
    with _plc([str(program), "tcp", str(port)]):
        yield port


@contextmanager
def rtu_plc(program: Path, folder: Path, baud: int = 19200) -> Iterator[Path]:
    """A PLC on a serial line; yields the line's other end. As `tcp_plc`."""
    with serial_pair(folder) as (ours, its), _plc([str(program), "rtu", str(its), str(baud)]):
        yield ours


@contextmanager
def serial_pair(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two serial ports with a line between them; skips the test where socat is missing."""
    if shutil.which("socat") is None:
        pytest.skip("needs Debian's package socat")
    ends = folder / "line-a", folder / "line-b"
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with subprocess.Popen([*leash, "socat", *(f"pty,raw,echo=0,link={end}" for end in ends)]) as process:
        try:
            deadline = time.monotonic() + _LIMIT_S
            while not all(end.exists() for end in ends):
                assert process.poll() is None, "socat did not start"
                assert time.monotonic() < deadline, "socat made no line"
                time.sleep(0.01)
            yield ends
        finally:
            process.terminate()


@contextmanager
def _plc(command: Sequence[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n", "the PLC did not start"
            yield
        finally:
            process.terminate()
            _, said = process.communicate(timeout=_LIMIT_S)
    assert process.returncode != _WRITE_SEEN, f"the PLC got {said.decode().strip()}"

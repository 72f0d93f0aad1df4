"""A serial port that cannot be had is a lost connection with a reason, never the end of the gateway."""

import termios
from unittest.mock import Mock

import pytest

from adapters.modbus.locator import parse_endpoint
from adapters.modbus.serial_port import open_serial
from gateway.ports import NotConnected


async def test_a_port_that_refuses_its_settings_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise termios.error(22, "Invalid argument")  # what pyserial lets through; it is no OSError

    monkeypatch.setattr("adapters.modbus.serial_port.serial.Serial", refuse)
    with pytest.raises(NotConnected, match=r"cannot be set to 19200 baud, parity E"):
        await open_serial(parse_endpoint("rtu:///dev/ttyUSB0?baud=19200&parity=E"), Mock())


async def test_a_port_that_is_not_there_is_not_connected() -> None:
    with pytest.raises(NotConnected, match="No such file or directory"):
        await open_serial(parse_endpoint("rtu:///dev/no-such-port"), Mock())

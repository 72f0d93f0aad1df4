"""Endpoints: what a user writes, taken apart."""

import pytest

from adapters.modbus.locator import SerialLine, parse_endpoint


@pytest.mark.parametrize(
    ("text", "place", "framing"),
    [
        ("tcp://10.0.7.11", ("10.0.7.11", 502), "mbap"),
        ("tcp://plc-7.plant:1502", ("plc-7.plant", 1502), "mbap"),
        ("tcp://[fe80::1]:503", ("fe80::1", 503), "mbap"),
        ("tls://plc-7.plant", ("plc-7.plant", 802), "mbap"),
        ("udp://10.0.7.11", ("10.0.7.11", 502), "mbap"),
        ("rtu+tcp://moxa:4001", ("moxa", 4001), "rtu"),
        ("ascii+tcp://moxa:4002", ("moxa", 4002), "ascii"),
    ],
)
def test_a_network_endpoint_is_host_and_port(text: str, place: tuple[str, int], framing: str) -> None:
    locator = parse_endpoint(text)
    assert (locator.host, locator.port) == place
    assert locator.framing == framing
    assert not locator.is_serial
    assert parse_endpoint(str(locator)) == locator


@pytest.mark.parametrize(
    ("text", "device", "line"),
    [
        ("rtu:///dev/ttyUSB0", "/dev/ttyUSB0", SerialLine(19_200, "E", 1, 8)),
        ("rtu:///dev/ttyS1?baud=9600&parity=n&stopbits=2", "/dev/ttyS1", SerialLine(9600, "N", 2, 8)),
        ("rtu:///dev/serial/by-id/usb-FTDI_A1-if00-port0", "/dev/serial/by-id/usb-FTDI_A1-if00-port0", SerialLine()),
        ("ascii:///dev/ttyUSB0?baud=1200", "/dev/ttyUSB0", SerialLine(1200, "E", 1, 7)),
        ("ascii:///dev/ttyUSB0?databits=8", "/dev/ttyUSB0", SerialLine(19_200, "E", 1, 8)),
    ],
)
def test_a_serial_endpoint_is_a_device_and_its_settings(text: str, device: str, line: SerialLine) -> None:
    locator = parse_endpoint(text)
    assert (locator.device, locator.line) == (device, line)
    assert locator.is_serial
    assert locator.is_bus


@pytest.mark.parametrize(
    "text",
    ["10.0.7.11:502", "http://h", "tcp://", "tcp://h:0", "tcp://h:99999", "tcp://h/1", "tcp://u@h", "", "tcp://h?x=1",
     "rtu+tcp://h", "rtu://host:4001", "rtu://", "rtu:///", "ascii:/", "tcp://h#1"],
)  # fmt: skip
def test_what_is_no_endpoint_is_met_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="write tcp://host or tcp://host:port"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("baud=fast", "baud is a number such as 9600 or 19200"),
        ("baud=", "baud is a number"),
        ("parity=X", "parity is N, E or O"),
        ("stopbits=3", "stopbits is 1 or 2"),
        ("databits=7", "rtu needs 8 data bits"),
        ("bauds=9600", "'bauds' is no setting of a serial line; there are baud, parity, stopbits, databits"),
    ],
)
def test_a_wrong_setting_of_a_serial_line_is_named(query: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_endpoint(f"rtu:///dev/ttyUSB0?{query}")


def test_the_gap_between_frames_is_three_and_a_half_characters_but_never_less_than_1_75_ms() -> None:
    assert parse_endpoint("rtu:///dev/x?baud=9600").gap_s == pytest.approx(3.5 * 11 / 9600)
    assert parse_endpoint("rtu:///dev/x?baud=9600&parity=N").char_s == pytest.approx(10 / 9600)
    assert parse_endpoint("rtu:///dev/x?baud=115200").gap_s == 0.00175
    assert parse_endpoint("rtu+tcp://h:1").gap_s == 0.0

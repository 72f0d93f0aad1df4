"""Endpoints as written: `tcp://…`, `tls://…`, `udp://…`, `rtu:///dev/…`, `ascii:///dev/…`, `rtu+tcp://…`. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

FORM: Final = (
    "write tcp://host or tcp://host:port (or tls://…, udp://…), rtu+tcp://host:port, ascii+tcp://host:port, "
    "rtu:///dev/ttyUSB0?baud=19200&parity=E&stopbits=1 or ascii:///dev/…"
)
_NETWORK: Final[Mapping[str, int | None]] = {"tcp": 502, "tls": 802, "udp": 502, "rtu+tcp": None, "ascii+tcp": None}
_SERIAL: Final = frozenset({"rtu", "ascii"})
_FAST_BAUD: Final = 19_200  # above, the gap between two frames is a fixed time
_FAST_GAP_S: Final = 0.00175
_GAP_CHARS: Final = 3.5


@dataclass(frozen=True, slots=True)
class SerialLine:
    """How a serial line is set. Modbus prescribes even parity; `lineside` changes nothing but what is written."""

    baud: int = 19_200
    parity: Literal["N", "E", "O"] = "E"
    stopbits: Literal[1, 2] = 1
    databits: Literal[7, 8] = 8

    @property
    def char_s(self) -> float:
        """Seconds that one character takes."""
        return (1 + self.databits + (self.parity != "N") + self.stopbits) / self.baud

    @property
    def gap_s(self) -> float:
        """Seconds of silence between two frames. Source: Modbus over Serial Line V1.02 §2.5.1.1."""
        return _FAST_GAP_S if self.baud > _FAST_BAUD else _GAP_CHARS * self.char_s


@dataclass(frozen=True, slots=True)
class Locator:
    """Where an endpoint is and what it speaks: a host and port, or a device with the settings of its serial line."""

    scheme: str
    host: str = ""
    port: int = 0
    device: str = ""
    line: SerialLine = SerialLine()

    @property
    def is_serial(self) -> bool:
        """Whether it is a serial port of this machine."""
        return self.scheme in _SERIAL

    @property
    def framing(self) -> Literal["mbap", "rtu", "ascii"]:
        """How its frames look. Only mbap names the request that a reply belongs to."""
        return "rtu" if self.scheme.startswith("rtu") else "ascii" if self.scheme.startswith("ascii") else "mbap"

    @property
    def is_bus(self) -> bool:
        """Whether it takes one request at a time, whose reply is known by its place only."""
        return self.framing != "mbap"

    @property
    def char_s(self) -> float:
        """Seconds that one character takes on a serial line; 0 on a network."""
        return self.line.char_s if self.is_serial else 0.0

    @property
    def gap_s(self) -> float:
        """Seconds of silence between two frames; 0 on a network, where a converter sees to it."""
        return self.line.gap_s if self.is_serial else 0.0

    def __str__(self) -> str:
        if self.is_serial:
            return f"{self.scheme}://{self.device}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_endpoint(text: str) -> Locator:
    """What an endpoint says. ValueError: says what an endpoint looks like."""
    parts = urlsplit(text)
    if parts.fragment or parts.username or parts.scheme not in _NETWORK.keys() | _SERIAL:
        raise ValueError(f"{text!r} is not an endpoint that can be read: {FORM}")
    if parts.scheme in _SERIAL:
        if parts.netloc or not parts.path.startswith("/") or len(parts.path) == 1:
            raise ValueError(f"{text!r} names no device: {FORM}")
        return Locator(parts.scheme, device=parts.path, line=_line(text, parts.scheme, parts.query))
    if not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError(f"{text!r} is not an address: {FORM}")
    try:
        port = parts.port if parts.port is not None else _NETWORK[parts.scheme]
    except ValueError as exc:
        raise ValueError(f"{text!r} has no valid port: {FORM}, with a port from 1 to 65535") from exc
    if not port:
        raise ValueError(f"{text!r} has no valid port: {FORM}, with a port from 1 to 65535")
    return Locator(parts.scheme, parts.hostname, port)


_SETTINGS: Final[Mapping[str, tuple[Callable[[str], object], Callable[[object], bool], str]]] = {
    "baud": (int, lambda baud: isinstance(baud, int) and 50 <= baud <= 4_000_000, "a number such as 9600 or 19200"),
    "parity": (str.upper, lambda parity: parity in {"N", "E", "O"}, "N, E or O"),
    "stopbits": (int, lambda bits: bits in {1, 2}, "1 or 2"),
    "databits": (int, lambda bits: bits in {7, 8}, "7 or 8"),
}


def _line(text: str, scheme: str, query: str) -> SerialLine:
    said: dict[str, object] = {"databits": 7} if scheme == "ascii" else {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _SETTINGS:
            known = ", ".join(field.name for field in fields(SerialLine))
            raise ValueError(f"{text!r}: {key!r} is no setting of a serial line; there are {known}")
        read, fits, form = _SETTINGS[key]
        try:
            said[key] = read(value)
        except ValueError:
            said[key] = None
        if not fits(said[key]):
            raise ValueError(f"{text!r}: {key} is {form}")
    if scheme == "rtu" and said.get("databits") == 7:
        raise ValueError(f"{text!r}: rtu needs 8 data bits; 7 are for ascii")
    return SerialLine(**said)  # type: ignore[arg-type]  # checked above

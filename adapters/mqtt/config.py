"""What a user writes for a source of kind `mqtt`."""

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from adapters.mqtt.payload import Point, SourceTime, parse_path
from adapters.mqtt.topics import check_filter
from gateway.fields import ByteSize, Duration, Secret, Section
from gateway.library import Library
from gateway.model import Tag, TagType

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_EXACT: Final = 2**53  # the largest whole number that a reading holds exactly
_FLOAT32_MAX: Final = float.fromhex("0x1.fffffep+127")
_FLOAT64_MAX: Final = float.fromhex("0x1.fffffffffffffp+1023")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

ValueType = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "string"
]
TimeUnit = Literal["s", "ms", "us", "ns"]


Protocol = Literal["auto", "5", "3.1.1"]


def _path(text: str) -> str:
    parse_path(text)
    return text


def _broker(url: str) -> str:
    _split(url)
    return url


PayloadPath = Annotated[str, AfterValidator(_path), Field(examples=["$.state"])]
"""Where a value stands in a JSON payload: `$`, `$.state`, `$.phases[0]`, `$["any name"].x`."""


class TagPath(Section):
    """Where a tag's value comes from: a topic, and a path in its JSON payload.

    topic      exact, or with `+` for a whole level
    path       `$` is the whole payload; with `type: string` it may be plain text
    type       what the value must be; a wrong one makes a bad reading
    unit       as printed
    scale      value = payload · scale + offset
    counter    it only grows; an unsigned one rolls over at its width unless `modulus` says otherwise (0: never)
    time       path of the payload's own time; default: the source's `time`, else the time of arrival
    """

    topic: Annotated[str, AfterValidator(check_filter)]
    path: PayloadPath = "$"
    type: ValueType = "float64"
    unit: str = ""
    scale: float = Field(1.0, allow_inf_nan=False)
    offset: float = Field(0.0, allow_inf_nan=False)
    counter: bool = False
    modulus: int | None = Field(None, ge=0)
    time: PayloadPath | None = None
    time_unit: TimeUnit | None = None

    @model_validator(mode="after")
    def _fits(self) -> "TagPath":
        if self.type in {"bool", "string"} and (self.counter or self.scale != 1 or self.offset):
            raise ValueError(f"a {self.type} has no scale, offset or counter: remove them, or choose a numeric type")
        if self.modulus is not None and not self.counter:
            raise ValueError("modulus is where a counter rolls over: add `counter: true`, or remove it")
        if not self.scale:
            raise ValueError("scale 0 makes every value the same: remove it, or write the factor")
        return self

    def tag(self, name: str, source: str, default: SourceTime | None) -> Tag:
        """The tag that this path feeds; `default` is the source's own time path."""
        return Tag(
            name,
            self._tag_type(),
            self.unit,
            counter=self.counter,
            modulus=self._rolls_over_at(),
            source=source,
            source_time=(self.time or default) is not None,
        )

    def point(self, tag: int, default: SourceTime | None) -> Point:
        """What the decoder needs to know; `default` is the source's own time path."""
        low, high = _value_range(self.type)
        wire = {"b": TagType.BOOL, "i": TagType.INT, "u": TagType.INT, "s": TagType.TEXT}.get(self.type[0])
        time = default
        if self.time is not None:
            time = SourceTime(parse_path(self.time), self.time_unit or (default.unit if default else "ms"))
        path = parse_path(self.path)
        return Point(tag, path, wire or TagType.FLOAT, low, high, self.scale, self.offset, time)

    def _tag_type(self) -> TagType:
        if self.type in {"bool", "string"}:
            return TagType.BOOL if self.type == "bool" else TagType.TEXT
        whole = "int" in self.type and self.scale.is_integer() and self.offset.is_integer()
        return TagType.INT if whole else TagType.FLOAT

    def _rolls_over_at(self) -> int:
        if not self.counter or not self.type.startswith("uint"):
            return self.modulus or 0
        raw = self.modulus if self.modulus is not None else 2 ** int(self.type[4:])
        scaled = raw * abs(self.scale)
        return int(scaled) if scaled.is_integer() else 0


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach a broker and who we are there."""

    host: str
    port: int
    client_id: str
    tls: bool = False
    username: str | None = None
    password: Secret | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: Protocol = "auto"
    session_expiry_s: int = 7 * 86_400
    receive_maximum: int = 1000
    keepalive_s: int = 30

    @property
    def url(self) -> str:
        """The broker, as printed in messages."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class MqttConfig(Section):
    """A source of kind `mqtt`: one connection to a broker, for the tags of any number of assets.

    broker           `mqtt://host:1883`, or `mqtts://host:8883` with TLS
    client_id        the broker keeps our session under it: one per gateway. Default: from the source's name and broker
    protocol         auto: MQTT 5, or 3.1.1 where the broker speaks no 5
    session_expiry   how long the broker keeps messages for us while we are away (MQTT 5)
    receive_maximum  messages that the broker may send before the first is acknowledged, after its commit (MQTT 5);
                     where the broker's own limit is lower, write that
    max_payload      a larger payload becomes a dead letter
    time             path of the payloads' own time, for tags without one of their own; default: the time of arrival
    time_unit        what a number there counts since 1970; a text is read as ISO 8601
    max_ahead        a source time further in the future is not believed
    tags             `<asset>/<point>` → topic and path
    """

    kind: Literal["mqtt"]
    broker: Annotated[str, AfterValidator(_broker), Field(examples=["mqtts://broker.plant:8883"])]
    username: str | None = None
    password: Secret | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    client_id: str | None = Field(None, min_length=1, max_length=128)
    protocol: Annotated[Protocol, BeforeValidator(str)] = "auto"  # YAML reads 5 as a number
    session_expiry: Duration = 7 * 86_400.0
    receive_maximum: int = Field(1000, ge=1, le=65_535)
    keepalive: Duration = 30.0
    max_payload: ByteSize = 2**20
    time: PayloadPath | None = None
    time_unit: TimeUnit = "ms"
    max_ahead: Duration = 300.0
    tags_: dict[str, TagPath] = Field(alias="tags", min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> "MqttConfig":
        tls = _split(self.broker)[0]
        if not tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("certificates are used with TLS only: write broker: mqtts://…, or remove them")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both, or neither")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file exclude each other: keep one")
        if (self.password is not None or self.password_file is not None) and self.username is None:
            raise ValueError("a password needs a username: add `username:`")
        for name in self.tags_:
            if not _NAME.fullmatch(name):
                raise ValueError(f"tags: {name!r} is not `<asset>/<point>`, like press-07/state")
        return self

    def tags(self, name: str, library: Library) -> list[Tag]:
        """The tags that this source delivers. name: the source's own name."""
        return [path.tag(tag, name, self.default_time) for tag, path in self.tags_.items()]

    def check(self, library: Library) -> list[str]:
        """Nothing beyond the config itself."""
        return []

    def login(self, name: str) -> Login:
        """How to reach the broker as the source `name`."""
        tls, host, port = _split(self.broker)
        return Login(
            host=host,
            port=port,
            client_id=self.client_id or self._default_client_id(name),
            tls=tls,
            username=self.username,
            password=self.password,
            password_file=self.password_file,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            protocol=self.protocol,
            session_expiry_s=math.ceil(self.session_expiry),
            receive_maximum=self.receive_maximum,
            keepalive_s=max(1, math.ceil(self.keepalive)),
        )

    @property
    def default_time(self) -> SourceTime | None:
        """Where payloads keep their own time unless a tag says otherwise."""
        return None if self.time is None else SourceTime(parse_path(self.time), self.time_unit)

    def _default_client_id(self, name: str) -> str:
        # Only from the config: it must outlive restarts, moves and containers, or the broker's queue for us is lost.
        seed = f"{self.broker}\n{self.username}\n{name}"
        return f"lineside-{name}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"


def _split(broker: str) -> tuple[bool, str, int]:
    """TLS, host and port of a broker's URL. ValueError: says what a URL looks like."""
    wrong = f"{broker!r} is not a broker: write mqtt://host:1883, or mqtts://host:8883 with TLS"
    try:
        parts = urlsplit(broker)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as exc:
        raise ValueError(wrong) from exc
    if parts.username is not None or parts.password is not None:
        raise ValueError("the broker's URL must not hold a login: write `username:` and `password: ${VAR}` beside it")
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or port == 0:
        raise ValueError(wrong)
    return parts.scheme == "mqtts", parts.hostname, port or _PORTS[parts.scheme]


def _value_range(kind: str) -> tuple[float, float]:
    """What a type holds, at most what a reading holds exactly."""
    if kind in {"float32", "float64"}:
        limit = _FLOAT32_MAX if kind == "float32" else _FLOAT64_MAX
        return -limit, limit
    if kind.startswith("uint"):
        return 0, min(2 ** int(kind[4:]) - 1, _EXACT)
    if kind.startswith("int"):
        return max(-(2 ** (int(kind[3:]) - 1)), -_EXACT), min(2 ** (int(kind[3:]) - 1) - 1, _EXACT)
    return -math.inf, math.inf

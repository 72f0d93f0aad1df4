"""What a user writes for a Modbus source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from adapters.modbus.dial import Tls
from adapters.modbus.examples import check_examples
from adapters.modbus.locator import Locator, parse_endpoint
from adapters.modbus.manners import Manners
from adapters.modbus.options import Options
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import Point
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.profile import Profile, load_profile
from adapters.modbus.ranges import Ranges, forbidden
from adapters.modbus.resolve import resolve_all
from gateway.fields import Duration, Name
from gateway.library import Library
from gateway.model import Tag

DEFAULT_PERIODS: Final[Mapping[str, float]] = {"fast": 1.0, "slow": 30.0}
DEFAULT_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Handling:
    """How a device is read: what the user wrote, else what its profile says, else the defaults."""

    timeout_s: float
    manners: Manners
    limits: Limits


class ModbusConfig(Options):
    """A device that is read over Modbus: TCP, TLS, UDP, or a serial line, directly or behind a converter."""

    kind: Literal["modbus"] = "modbus"
    endpoint: str = Field(description="tcp://host, tls://host, udp://host, rtu:///dev/…, ascii:///dev/… or rtu+tcp://…")
    unit_id: int = Field(1, ge=0, le=255, description="the device's number behind this address")
    profile: str | None = Field(None, description="the device type, such as eastron/sdm630")
    points: dict[Name, PointConfig] = Field(
        default_factory=dict, description="points beside those of the profile, or instead of them, in the same form"
    )
    asset: Name = Field(description="the asset that its points belong to: <asset>/<point>")
    poll: dict[Name, Duration] = Field(
        default_factory=dict, description="time between two reads, per poll group; fast: 1s and slow: 30s unless given"
    )
    forbidden: Ranges = Field(default_factory=dict, description="table → addresses that must not be read")
    ca_file: str = Field(
        "", description="tls: who signs the device's certificate; the system's authorities unless given"
    )
    cert_file: str = Field("", description="tls: the gateway's own certificate")
    key_file: str = Field("", description="tls: its key, where it is not in the same file")

    @field_validator("endpoint")
    @classmethod
    def _endpoint_can_be_reached(cls, text: str) -> str:
        parse_endpoint(text)
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> "ModbusConfig":
        if self.profile is None and not self.points:
            raise ValueError("names neither a profile nor points: add profile: <vendor>/<model> or points: {…}")
        if (self.ca_file or self.cert_file or self.key_file) and self.locator.scheme != "tls":
            raise ValueError(f"ca_file, cert_file and key_file belong to tls://…, not to {self.endpoint}")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs a cert_file that it belongs to")
        if self.locator.is_bus and self.pipeline not in {None, 1}:
            raise ValueError("pipeline: a line takes one request at a time; leave it out")
        return self

    @property
    def locator(self) -> Locator:
        """Its endpoint, taken apart."""
        return parse_endpoint(self.endpoint)

    @property
    def tls(self) -> Tls | None:
        """The files of a TLS endpoint; None for others."""
        return Tls(self.ca_file, self.cert_file, self.key_file) if self.locator.scheme == "tls" else None

    def handling(self, library: Library) -> Handling:
        """How the device is read. UnknownName, ValueError: say what is wrong with its profile."""
        profile = self._load(library)
        inherited = profile.options if profile else Options()
        said = {name: getattr(self, name) for name in Options.model_fields if getattr(self, name) is not None}
        options = inherited.model_copy(update=said)
        return Handling(
            options.timeout or DEFAULT_TIMEOUT_S,
            Manners(
                depth=options.pipeline or 1,
                pause_s=options.pause or 0.0,
                turnaround_s=options.turnaround or 0.0,
                connect_delay_s=options.connect_delay or 0.0,
                close_after_poll=bool(options.close_after_poll),
            ),
            Limits(
                max_registers=options.max_registers or 125,
                max_bits=options.max_bits or 2000,
                max_gap=16 if options.max_gap is None else options.max_gap,
                forbidden=(*(profile.forbidden_ranges if profile else ()), *forbidden(self.forbidden)),
                one_request_per_point=bool(options.one_request_per_point),
            ),
        )

    def _load(self, library: Library) -> Profile | None:
        return None if self.profile is None else load_profile(self.profile, library)

    def resolve(self, library: Library) -> tuple[Point, ...]:
        """All points: the profile's, and its own, which win. UnknownName, ValueError: say what is wrong."""
        profile = self._load(library)
        inherited, defaults = (profile.resolved, profile.defaults) if profile else ({}, PointDefaults())
        points, problems = resolve_all(self.points, defaults, inherited)
        for name, problem in problems.items():
            raise ValueError(f"points.{name}: {problem}")
        return tuple(points.values())

    def periods(self, points: tuple[Point, ...]) -> dict[str, float]:
        """Seconds between two reads of each group that has points. ValueError: a group without a period, or unknown."""
        groups = sorted({point.group for point in points})
        known = {*groups, *DEFAULT_PERIODS}
        for group in self.poll:
            if group not in known:
                raise ValueError(f"poll.{group}: no point is in this group; the groups are {', '.join(groups)}")
        periods = {**DEFAULT_PERIODS, **self.poll}
        for group in groups:
            if group not in periods:
                raise ValueError(f"poll: the group {group!r} has no period: add {group}: 10s")
        return {group: periods[group] for group in groups}

    def tags(self, name: str, library: Library) -> list[Tag]:
        """The tags of this source, `<asset>/<point>`. UnknownName, ValueError: say what is wrong and what to do.

        name: the source's name in the config
        """
        points = self.resolve(library)
        periods = self.periods(points)
        plan(points, self.handling(library).limits)  # says so where a point is larger than a read may be
        return [self._tag(point, name, periods[point.group]) for point in points]

    def check(self, library: Library) -> list[str]:
        """What the examples of its profile say against it, one line each; for `lineside check`."""
        if self.profile is None:
            return []
        file = library.find("profiles", self.profile)
        return [f"{file}: {text}" for text in check_examples(load_profile(self.profile, library))]

    def _tag(self, point: Point, source: str, period_s: float) -> Tag:
        return Tag(
            name=f"{self.asset}/{point.name}",
            type=point.tag_type,
            unit=point.unit,
            counter=point.counter,
            modulus=point.modulus,
            period_ms=round(1000 * period_s),
            source=source,
        )

"""What a user writes for a Modbus source."""

from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from adapters.modbus.examples import check_examples
from adapters.modbus.plan import Limits, plan
from adapters.modbus.point import Point
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.profile import load_profile
from adapters.modbus.resolve import resolve_all
from gateway.fields import Duration, Name, Section
from gateway.library import Library
from gateway.model import Tag

DEFAULT_PORT: Final = 502
DEFAULT_PERIODS: Final[Mapping[str, float]] = {"fast": 1.0, "slow": 30.0}


class ModbusConfig(Section):
    """A device that is read over Modbus TCP."""

    kind: Literal["modbus"] = "modbus"
    endpoint: str = Field(description="tcp://host or tcp://host:port; the port is 502 unless given")
    unit_id: int = Field(1, ge=0, le=255, description="the device's number behind this address")
    profile: str | None = Field(None, description="the device type, such as eastron/sdm630")
    points: dict[Name, PointConfig] = Field(
        default_factory=dict, description="points beside those of the profile, or instead of them, in the same form"
    )
    asset: Name = Field(description="the asset that its points belong to: <asset>/<point>")
    poll: dict[Name, Duration] = Field(
        default_factory=dict, description="time between two reads, per poll group; fast: 1s and slow: 30s unless given"
    )
    timeout: Duration = Field(1.0, description="how long the device may take to answer one read")
    pipeline: int = Field(
        1,
        ge=1,
        le=16,
        description="reads on their way at once; above 1 only for devices that frame every reply well",
    )
    max_registers: int = Field(125, ge=1, le=125, description="registers that the device gives in one read")
    max_gap: int = Field(16, ge=0, le=124, description="unused registers that are read along to save a request")

    @field_validator("endpoint")
    @classmethod
    def _endpoint_can_be_reached(cls, text: str) -> str:
        split_endpoint(text)
        return text

    @model_validator(mode="after")
    def _has_points(self) -> "ModbusConfig":
        if self.profile is None and not self.points:
            raise ValueError("names neither a profile nor points: add profile: <vendor>/<model> or points: {…}")
        return self

    @property
    def limits(self) -> Limits:
        """What one read may ask for."""
        return Limits(max_registers=self.max_registers, max_gap=self.max_gap)

    def resolve(self, library: Library) -> tuple[Point, ...]:
        """All points: the profile's, and its own, which win. UnknownName, ValueError: say what is wrong."""
        profile = None if self.profile is None else load_profile(self.profile, library)
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
        plan(points, self.limits)  # says so where a point is larger than a read may be
        return [self._tag(point, name, periods[point.group]) for point in points]

    def check(self, library: Library) -> list[str]:
        """What the examples of its profile say against it, one line each; for `lineside check`."""
        return [] if self.profile is None else check_examples(load_profile(self.profile, library))

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


def split_endpoint(text: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port`. ValueError: says what an endpoint looks like."""
    form = "write tcp://host or tcp://host:port"
    parts = urlsplit(text)
    if parts.scheme != "tcp":
        raise ValueError(f"{text!r} is not an endpoint that can be read: {form}")
    if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{text!r} is not an address: {form}")
    try:
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"{text!r} has no valid port: {form}, with a port from 1 to 65535") from exc
    if port == 0:
        raise ValueError(f"{text!r} has no valid port: {form}, with a port from 1 to 65535")
    return parts.hostname, port or DEFAULT_PORT

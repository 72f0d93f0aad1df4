"""The `faces:` of a scenario: how its machines and meters are seen from outside."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from simulators.endpoints import Tcp, parse_broker, parse_listen
from simulators.fields import Duration, Section


class UnitSpec(Section):
    """One Modbus unit: a machine's controller or a meter, with the profile that lays out its registers."""

    profile: str
    machine: str | None = None
    meter: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "UnitSpec":
        if (self.machine is None) == (self.meter is None):
            raise ValueError("a unit shows either a machine or a meter: write `machine:` or `meter:`")
        return self


class ModbusFace(Section):
    """A Modbus server.

    listen  tcp://HOST:PORT, rtu:///dev/NAME?baud=19200&parity=E, or pty:///tmp/NAME (a serial line of its own)
    scan    how often a controller takes its inputs over: values change no more often
    """

    kind: Literal["modbus"]
    name: str = ""
    listen: str
    scan: Annotated[Duration, Field(ge=0.001)] = 0.1
    units: Annotated[dict[Annotated[int, Field(ge=0, le=255)], UnitSpec], Field(min_length=1)]

    @field_validator("listen")
    @classmethod
    def _can_listen(cls, listen: str) -> str:
        parse_listen(listen)
        return listen

    @model_validator(mode="after")
    def _nobody_is_everybody(self) -> "ModbusFace":
        if 0 in self.units and not isinstance(parse_listen(self.listen), Tcp):
            raise ValueError("unit 0 speaks to all devices of a serial line: number units from 1")
        return self


class MqttFace(Section):
    """A publisher of machines and meters under `<prefix>/<name>/…`.

    style  json: one message for what belongs together, with its time; plain: one value per topic; line: line protocol
    every  how often meters report, in whole seconds
    """

    kind: Literal["mqtt"]
    name: str = ""
    broker: str
    style: Literal["json", "plain", "line"] = "json"
    prefix: str = "plant"
    every: Annotated[Duration, Field(ge=1)] = 1.0
    machines: list[str] = []
    meters: list[str] = []

    @field_validator("broker")
    @classmethod
    def _is_broker(cls, broker: str) -> str:
        parse_broker(broker)
        return broker

    @model_validator(mode="after")
    def _says_something(self) -> "MqttFace":
        if not self.machines and not self.meters:
            raise ValueError("nothing to publish: write `machines:` or `meters:`")
        return self


FaceSpec = Annotated[ModbusFace | MqttFace, Field(discriminator="kind")]

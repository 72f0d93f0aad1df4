"""The `faces:` of a scenario: how its machines and meters are seen from outside."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

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
    """A Modbus server; `listen` is tcp://HOST:PORT or rtu:///dev/NAME?baud=19200."""

    kind: Literal["modbus"]
    name: str = ""
    listen: str
    scan: Duration | None = None
    units: dict[int, UnitSpec]


class MqttFace(Section):
    """A publisher of machines and meters under `<prefix>/<name>/…`."""

    kind: Literal["mqtt"]
    name: str = ""
    broker: str
    style: Literal["json", "plain", "line"] = "json"
    prefix: str = "plant"
    machines: list[str] = []
    meters: list[str] = []


FaceSpec = Annotated[ModbusFace | MqttFace, Field(discriminator="kind")]

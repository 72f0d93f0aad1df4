"""The protocols that Lineside speaks. Adding one is one line in `SOURCES` or `SINKS`, and a folder.

Each entry names `config` (a pydantic `Section` with `kind`) and `build` (a function that makes the Source or Sink),
as `module:attribute`, so that a protocol's library is imported only where a config uses it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """Where the parts of one adapter are."""

    config: str
    build: str


SOURCES: Final[dict[str, Kind]] = {
    "modbus": Kind("adapters.modbus.config:ModbusConfig", "adapters.modbus.source:build"),
    "mqtt": Kind("adapters.mqtt.config:MqttConfig", "adapters.mqtt.source:build"),
    "replay": Kind("adapters.replay.config:ReplayConfig", "adapters.replay.source:build"),
}

SINKS: Final[dict[str, Kind]] = {
    "influxdb": Kind("adapters.influx.config:InfluxConfig", "adapters.influx.sink:build"),
    "victoriametrics": Kind("adapters.influx.config:VictoriaConfig", "adapters.influx.sink:build"),
}

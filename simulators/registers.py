"""Register maps of the simulated equipment (zero-based addresses), encoded by pymodbus's own converters.

The meters' maps follow the Eastron SDM630 protocol and Schneider's register list for the iEM3000 series (DOCA0005).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from pymodbus.client.mixin import ModbusClientMixin

from simulators.live import Panel

Type = ModbusClientMixin.DATATYPE
Value = Callable[[Panel], float]

# the counters were running before the simulation began: the 16-bit ones roll over soon
TOTAL_START, GOOD_START = 65500, 65470
ENERGY_START_WH = 12_000.0
VOLTS = (230.4, 229.7, 230.9)
LOAD_SHARE = (0.34, 0.33, 0.33)
POWER_FACTOR = 0.92
REACTIVE = sqrt(1 - POWER_FACTOR**2) / POWER_FACTOR
FREQUENCY_HZ = 50.0


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a device: where it is, how it is encoded, how to get it from a machine's panel."""

    address: int
    type: Type
    value: Value

    @property
    def end(self) -> int:
        """The first address behind the value."""
        return self.address + self.type.value[1]

    def encode(self, panel: Panel) -> list[int]:
        """The value as 16-bit words, high word first; integers are cut off, not rounded, as counters are."""
        value = self.value(panel)
        return ModbusClientMixin.convert_to_registers(value if self.type is Type.FLOAT32 else int(value), self.type)


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """All registers of a device, in the one table that its function code reads."""

    function: Literal[3, 4]
    registers: tuple[Register, ...]


def _floats(address: int, *values: Value) -> tuple[Register, ...]:
    return tuple(Register(address + 2 * index, Type.FLOAT32, value) for index, value in enumerate(values))


def _counters(address: int, *values: Value) -> tuple[Register, ...]:
    return tuple(Register(address + 4 * index, Type.INT64, value) for index, value in enumerate(values))


def _constant(value: float) -> Value:
    return lambda panel: value


def _power(factor: float) -> tuple[Value, Value, Value]:
    """The three phases' shares of the active power times `factor`."""
    one, two, three = (share * factor for share in LOAD_SHARE)
    return lambda p: p.watts * one, lambda p: p.watts * two, lambda p: p.watts * three


def _amperes() -> tuple[Value, Value, Value]:
    one, two, three = (share / volts / POWER_FACTOR for share, volts in zip(LOAD_SHARE, VOLTS, strict=True))
    return lambda p: p.watts * one, lambda p: p.watts * two, lambda p: p.watts * three


def _energy(factor: float) -> tuple[Value, Value, Value, Value]:
    """The energy register times `factor`, and its three phases' shares."""
    one, two, three = (share * factor for share in LOAD_SHARE)
    return (
        lambda p: (ENERGY_START_WH + p.energy_wh) * factor,
        lambda p: (ENERGY_START_WH + p.energy_wh) * one,
        lambda p: (ENERGY_START_WH + p.energy_wh) * two,
        lambda p: (ENERGY_START_WH + p.energy_wh) * three,
    )


NONE = _constant(0.0)
VOLTAGES = tuple(_constant(volts) for volts in VOLTS)
KWH, *KWH_PHASES = _energy(0.001)
KVARH, *KVARH_PHASES = _energy(0.001 * REACTIVE)
WH, *WH_PHASES = _energy(1.0)

PLC = RegisterMap(
    function=3,
    registers=(
        Register(0, Type.UINT16, lambda p: p.state),
        Register(1, Type.UINT16, lambda p: (TOTAL_START + p.total) % 65536),
        Register(2, Type.UINT32, lambda p: TOTAL_START + p.total),
        Register(4, Type.UINT32, lambda p: GOOD_START + p.good),
        Register(6, Type.UINT32, lambda p: TOTAL_START - GOOD_START + p.scrap),
        Register(8, Type.UINT16, lambda p: (GOOD_START + p.good) % 65536),
        Register(9, Type.UINT16, lambda p: (TOTAL_START - GOOD_START + p.scrap) % 65536),
        Register(10, Type.FLOAT32, lambda p: p.cycle_s),
        *(Register(spare, Type.UINT16, NONE) for spare in range(12, 20)),
    ),
)

SDM630 = RegisterMap(
    function=4,
    registers=(
        *_floats(0, *VOLTAGES, *_amperes(), *_power(1.0), *_power(1 / POWER_FACTOR), *_power(REACTIVE)),
        *_floats(30, *(_constant(POWER_FACTOR),) * 3),
        *_floats(52, lambda p: p.watts),
        *_floats(56, lambda p: p.watts / POWER_FACTOR),
        *_floats(60, lambda p: p.watts * REACTIVE, _constant(POWER_FACTOR)),
        *_floats(66, _constant(23.07)),  # phase angle in degrees: arccos of the power factor
        *_floats(70, _constant(FREQUENCY_HZ), KWH, NONE, KVARH, NONE),
        *_floats(234, *(_constant(2.1),) * 3),  # total harmonic distortion in %
        *_floats(248, _constant(2.1)),
        *_floats(342, KWH, KVARH, *KWH_PHASES, *(NONE,) * 3, *KWH_PHASES),
        *_floats(364, *KVARH_PHASES, *(NONE,) * 3, *KVARH_PHASES),
    ),
)

IEM3000 = RegisterMap(
    function=3,
    registers=(
        *_floats(2999, *_amperes()),
        *_floats(3009, lambda p: p.watts / POWER_FACTOR / sum(VOLTS)),
        *_floats(3027, *VOLTAGES),
        *_floats(3035, _constant(sum(VOLTS) / 3)),
        *_floats(3053, *_power(0.001), lambda p: p.watts / 1000),
        *_floats(3067, lambda p: p.watts * REACTIVE / 1000),
        *_floats(3075, lambda p: p.watts / POWER_FACTOR / 1000),
        *_floats(3109, _constant(FREQUENCY_HZ)),
        *_counters(3203, WH, NONE),
        *_counters(3219, lambda p: WH(p) * REACTIVE, NONE),
        *_counters(3517, *WH_PHASES),
    ),
)

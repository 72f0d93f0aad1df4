"""Points as they are written in YAML, and what they leave unsaid."""

from typing import Final, Literal

from pydantic import Field, field_validator

from adapters.modbus.point import WORDS, Order, Point, Table, ValueType
from gateway.fields import Name, Section

_ADDRESSES: Final = 65536
_REFERENCES: Final = {Table.DISCRETE: 1, Table.INPUT: 3, Table.HOLDING: 4}  # leading digit in a manual's numbering


class PointDefaults(Section):
    """What a point may leave unsaid."""

    table: Table | None = Field(None, description="coil, discrete, input or holding")
    type: ValueType | None = Field(None, description="how the value is encoded")
    addressing: Literal["pdu", "reference"] | None = Field(
        None, description="pdu: zero-based, as on the wire (default); reference: the manual's 40001 style"
    )
    word_order: Order | None = Field(None, description="big (default): the first register is the most significant")
    byte_order: Order | None = Field(None, description="big (default), or little where a device swaps bytes")
    group: Name | None = Field(None, description="poll group: fast, slow (default) or a name of your own")


class PointConfig(PointDefaults):
    """A point as it is written in a profile, or in a source without one."""

    address: int = Field(ge=0, lt=10 * _ADDRESSES)
    bit: int | None = Field(None, ge=0, le=15, description="of a bool in a register; 0 is the least significant")
    scale: float = Field(1.0, allow_inf_nan=False, description="value = raw · scale + offset")
    offset: float = Field(0.0, allow_inf_nan=False)
    unit: str = ""
    counter: bool = Field(False, description="the value only grows, but for roll-over and reset")
    modulus: int | None = Field(None, gt=1, description="a counter rolls over at this value; default 2^width · scale")
    not_a_value: int | float | list[int | float] | None = Field(
        None, description="raw numbers that say: there is no value"
    )
    enum: dict[int, str] = Field(default_factory=dict, description="raw number → text")
    lossy: bool = Field(False, description="let 64-bit integers beyond 2^53 be rounded")

    @field_validator("scale")
    @classmethod
    def _scale_is_not_zero(cls, scale: float) -> float:
        if scale == 0:
            raise ValueError("a scale of 0 would make every value 0")
        return scale


def resolve(name: str, config: PointConfig, defaults: PointDefaults) -> Point:
    """A point with everything said. ValueError: it contradicts itself or Modbus."""
    value_type = config.type or defaults.type
    if value_type is None:
        raise ValueError(f"has no type: write one of {', '.join(WORDS)}")
    addressing = config.addressing or defaults.addressing or "pdu"
    table, address = config.table or defaults.table, config.address
    if addressing == "reference":
        table, address = _from_reference(address, table)
    if table is None:
        raise ValueError(f"has no table: write one of {', '.join(Table)}")
    _check_bool(table, value_type, config)
    point = Point(
        name=name,
        table=table,
        address=address,
        type=value_type,
        word_order=config.word_order or defaults.word_order or "big",
        byte_order=config.byte_order or defaults.byte_order or "big",
        bit=config.bit or 0,
        scale=config.scale,
        offset=config.offset,
        unit=config.unit,
        group=config.group or defaults.group or "slow",
        counter=config.counter,
        modulus=_modulus(config, value_type),
        not_a_value=_sentinels(config, value_type),
        enum=config.enum,
        lossy=config.lossy,
    )
    if point.end > _ADDRESSES:
        raise ValueError(f"ends at address {point.end - 1}; the last one is {_ADDRESSES - 1}")
    return point


def _from_reference(number: int, table: Table | None) -> tuple[Table, int]:
    """Table and address of a manual's number: 40001 or 400001 is the first holding register."""
    if table is Table.COIL or (table is None and number < 10_000):
        first, found = 1, Table.COIL
    else:
        digit = int(str(number)[0])
        found = next((t for t, d in _REFERENCES.items() if d == digit), Table.COIL)
        first = digit * 10 ** (len(str(number)) - 1) + 1
        if len(str(number)) not in {5, 6} or found is Table.COIL:
            raise ValueError(f"{number} is not a reference: 40001 is the first holding register, 30001 the first input")
    if table not in {None, found}:
        raise ValueError(f"{number} is a number of the table {found}, not {table}")
    if number < first:
        raise ValueError(f"{number} is not a reference: they begin at {first}")
    return found, number - first


def _check_bool(table: Table, value_type: ValueType, config: PointConfig) -> None:
    """Bits are bools, and a bool in a register has a bit."""
    if table.is_bits and value_type != "bool":
        raise ValueError(f"the table {table} holds bits: its type is bool, not {value_type}")
    needs_bit = value_type == "bool" and not table.is_bits
    if needs_bit and config.bit is None:
        raise ValueError("a bool in a register needs its bit: 0 is the least significant, 15 the most")
    if not needs_bit and config.bit is not None:
        raise ValueError("`bit` belongs to a bool in a holding or input register only")
    if (value_type == "bool" or config.enum) and (config.scale != 1 or config.offset):
        raise ValueError("a bool or an enum has neither scale nor offset")
    if (value_type == "bool" or config.enum) and config.counter:
        raise ValueError("a bool or an enum cannot be a counter")
    if config.modulus and not config.counter:
        raise ValueError("`modulus` belongs to a counter: add counter: true")


def _modulus(config: PointConfig, value_type: ValueType) -> int:
    """Where a counter rolls over, in its unit; floats and 64-bit integers never live to do it."""
    if not config.counter or (config.modulus is None and ("int" not in value_type or WORDS[value_type] == 4)):
        return 0
    # a tag's modulus is whole: with a scale like 0.01 one roll-over is off by less than half a unit
    return config.modulus or round(2 ** (16 * WORDS[value_type]) * abs(config.scale))


def _sentinels(config: PointConfig, value_type: ValueType) -> tuple[float, ...]:
    """Sentinels as numbers of the point's type; those of signed integers may be written as bit patterns (0x8000)."""
    given = config.not_a_value
    sentinels = given if isinstance(given, list) else [] if given is None else [given]
    if value_type.startswith("float"):
        return tuple(sentinels)
    if value_type == "bool" and sentinels:
        raise ValueError("a bool has no not_a_value")
    return tuple(_whole(number, 16 * WORDS[value_type], value_type.startswith("int")) for number in sentinels)


def _whole(number: float, width: int, signed: bool) -> int:
    if number != int(number) or not -(2 ** (width - 1)) * signed <= number < 2**width:
        raise ValueError(f"not_a_value {number:g} is not a number of {width} bits")
    whole = int(number)
    return whole - 2**width if signed and whole >= 2 ** (width - 1) else whole

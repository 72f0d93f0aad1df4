"""From points as written to points with everything said. Pure."""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Final

from adapters.modbus.point import WORDS, Point, Table, ValueType, width
from adapters.modbus.points import ADDRESSES, PointConfig, PointDefaults

_NOTHING: Final[Mapping[str, Point]] = MappingProxyType({})
_REFERENCES: Final = {Table.DISCRETE: 1, Table.INPUT: 3, Table.HOLDING: 4}  # leading digit in a manual's numbering


def resolve(name: str, config: PointConfig, defaults: PointDefaults) -> tuple[Point, ...]:
    """A point with everything said, and behind it one for each of its `bits`.

    A bool with `bits` is not a point itself: only its bits are.
    ValueError: it contradicts itself or Modbus.
    """
    point = _point(name, config, defaults)
    bits = tuple(_bit_of(point, bit_name, bit) for bit_name, bit in config.bits.items())
    return bits if bits and point.type == "bool" else (point, *bits)


def resolve_all(
    configs: Mapping[str, PointConfig], defaults: PointDefaults, inherited: Mapping[str, Point] = _NOTHING
) -> tuple[dict[str, Point], dict[str, str]]:
    """All points by name, the inherited ones first unless one of the same name replaces them.

    Returns points, and what is wrong with them: the name of an entry → a sentence.
    """
    own, problems = dict[str, Point](), dict[str, str]()
    for name, config in configs.items():
        try:
            resolved = resolve(name, config, defaults)
        except ValueError as exc:
            problems[name] = str(exc)
            continue
        for point in resolved:
            if point.name in own:
                problems[name] = f"the name {point.name!r} is given to two points or bits"
            own[point.name] = point
    points = {**inherited, **own}
    return points, _scale_problems(points) | problems


def from_reference(number: int, table: Table | None) -> tuple[Table, int]:
    """Table and address of a manual's number: 40001 or 400001 is the first holding register. ValueError: it is none."""
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


def _scale_problems(points: Mapping[str, Point]) -> dict[str, str]:
    problems: dict[str, str] = {}
    for point in points.values():
        if not point.scale_register:
            continue
        exponent = points.get(point.scale_register)
        if exponent is None:
            problems[point.name] = f"its scale_register {point.scale_register!r} is not a point"
        elif not exponent.type.startswith(("int", "uint")) or exponent.enum or exponent.scale_register:
            problems[point.name] = f"its scale_register {exponent.name!r} must be an integer"
        elif exponent.scale != 1 or exponent.offset:
            problems[point.name] = f"its scale_register {exponent.name!r} must have neither scale nor offset"
    return problems


def _point(name: str, config: PointConfig, defaults: PointDefaults) -> Point:
    value_type = config.type or defaults.type
    if value_type is None:
        raise ValueError(f"has no type: write one of {', '.join(WORDS)}")
    table, address = _place(config, defaults)
    _check_bool(table, value_type, config)
    _check_string(value_type, config)
    _check_number(value_type, config)
    point = Point(
        name=name,
        table=table,
        address=address,
        type=value_type,
        word_order=config.word_order or defaults.word_order or "big",
        byte_order=config.byte_order or defaults.byte_order or "big",
        bit=config.bit or 0,
        byte=config.byte or "low",
        length=config.length or 0,
        encoding=config.encoding or "ascii",
        padding=-1 if config.padding is None else config.padding,
        scale=config.scale,
        offset=config.offset,
        scale_register=config.scale_register or "",
        min=-inf if config.min is None else config.min,
        max=inf if config.max is None else config.max,
        unit=config.unit,
        group=config.group or defaults.group or "slow",
        counter=config.counter,
        modulus=_modulus(config, value_type),
        max_step=config.max_step or inf,
        not_a_value=_sentinels(config, value_type),
        enum=config.enum,
        lossy=config.lossy,
    )
    if point.end > ADDRESSES:
        raise ValueError(f"ends at address {point.end - 1}; the last one is {ADDRESSES - 1}")
    return point


def _place(config: PointConfig, defaults: PointDefaults) -> tuple[Table, int]:
    table, address = config.table or defaults.table, config.address
    if (config.addressing or defaults.addressing) == "reference":
        # a point that names no table of its own may leave the default one: 30001 is an input wherever it stands
        return from_reference(address, config.table or (defaults.table if address < 10_000 else None))
    if table is None:
        raise ValueError(f"has no table: write one of {', '.join(Table)}")
    return table, address


def _bit_of(word: Point, name: str, bit: int) -> Point:
    """One bit of a word as a point; bits count from the least significant one of the whole number."""
    if not 0 <= bit < 16 * word.size:
        raise ValueError(f"bits.{name}: {word.type} has the bits 0 to {16 * word.size - 1}, not {bit}")
    register = bit // 16 if word.word_order == "little" else word.size - 1 - bit // 16
    return Point(
        name=name,
        table=word.table,
        address=word.address + register,
        type="bool",
        byte_order=word.byte_order,
        bit=bit % 16,
        word=word.name,
        group=word.group,
    )


def _check_bool(table: Table, value_type: ValueType, config: PointConfig) -> None:
    """Bits are bools, and a bool in a register has a bit."""
    if table.is_bits and value_type != "bool":
        raise ValueError(f"the table {table} holds bits: its type is bool, not {value_type}")
    in_register = value_type == "bool" and not table.is_bits
    if in_register and config.bit is None and not config.bits:
        raise ValueError("a bool in a register needs its bit: 0 is the least significant, 15 the most")
    if config.bit is not None and (not in_register or config.bits):
        raise ValueError("`bit` belongs to a bool in a holding or input register only")
    if config.bits and not in_register and value_type not in {"uint16", "uint32", "uint64"}:
        raise ValueError("`bits` belong to a bool, uint16, uint32 or uint64 in a holding or input register")


def _check_string(value_type: ValueType, config: PointConfig) -> None:
    if value_type == "string" and config.length is None:
        raise ValueError("a string needs its length in bytes: two per register")
    for key in ("length", "encoding", "padding"):
        if value_type != "string" and getattr(config, key) is not None:
            raise ValueError(f"`{key}` belongs to a string")
    if config.byte is not None and value_type not in {"int8", "uint8"}:
        raise ValueError("`byte` belongs to an int8 or uint8")


def _check_number(value_type: ValueType, config: PointConfig) -> None:
    """What only numbers can have."""
    if value_type in {"bool", "string"} or config.enum:
        what = "a string" if value_type == "string" else "a bool or an enum"
        if config.scale != 1 or config.offset or config.scale_register:
            raise ValueError(f"{what} has neither scale nor offset")
        if config.min is not None or config.max is not None:
            raise ValueError(f"{what} has neither min nor max")
        if config.counter:
            raise ValueError(f"{what} cannot be a counter")
        if value_type == "string" and config.enum:
            raise ValueError("a string has no enum")
    if config.min is not None and config.max is not None and config.min > config.max:
        raise ValueError(f"min {config.min:g} is above max {config.max:g}")
    if config.scale_register and config.offset:
        raise ValueError("a point with a scale_register has no offset")
    for key in ("modulus", "max_step"):
        if getattr(config, key) and not config.counter:
            raise ValueError(f"`{key}` belongs to a counter: add counter: true")


def _modulus(config: PointConfig, value_type: ValueType) -> int:
    """Where a counter rolls over, in its unit; floats and 64-bit numbers never live to do it."""
    if not config.counter or config.modulus is not None:
        return config.modulus or 0
    if "float" in value_type or WORDS[value_type] == 4 or config.scale_register:
        return 0
    # a tag's modulus is whole: with a scale like 0.01 one roll-over is off by less than half a unit
    return round(_span(value_type) * abs(config.scale))


def _span(value_type: ValueType) -> int:
    """How many numbers an integer type has."""
    if value_type.startswith("bcd"):
        return int(10 ** (4 * WORDS[value_type]))
    return int(2 ** width(value_type))


def _sentinels(config: PointConfig, value_type: ValueType) -> tuple[float, ...]:
    """Sentinels as numbers of the point's type; those of signed integers may be written as bit patterns (0x8000)."""
    given = config.not_a_value
    sentinels = given if isinstance(given, list) else [] if given is None else [given]
    if value_type in {"bool", "string"} and sentinels:
        raise ValueError(f"a {value_type} has no not_a_value")
    if value_type.startswith("float"):
        return tuple(sentinels)
    if value_type.startswith("bcd"):
        return tuple(_decimal(number, _span(value_type)) for number in sentinels)
    return tuple(_whole(number, width(value_type), value_type.startswith("int")) for number in sentinels)


def _decimal(number: float, span: int) -> int:
    if number != int(number) or not 0 <= number < span:
        raise ValueError(f"not_a_value {number:g} is not a decimal number below {span}")
    return int(number)


def _whole(number: float, width: int, signed: bool) -> int:
    if number != int(number) or not -(2 ** (width - 1)) * signed <= number < 2**width:
        raise ValueError(f"not_a_value {number:g} is not a number of {width} bits")
    whole = int(number)
    return whole - 2**width if signed and whole >= 2 ** (width - 1) else whole

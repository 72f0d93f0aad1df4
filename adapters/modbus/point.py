"""A point: where a device keeps one value in its registers, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final, Literal

from gateway.model import TagType

Order = Literal["big", "little"]
Half = Literal["high", "low"]
ValueType = Literal[
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
    "bcd16", "bcd32", "bcd64", "string",
]  # fmt: skip

WORDS: Final[Mapping[ValueType, int]] = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 1, "uint16": 1, "float16": 1, "bcd16": 1,
    "int32": 2, "uint32": 2, "float32": 2, "bcd32": 2,
    "int64": 4, "uint64": 4, "float64": 4, "bcd64": 4,
    "string": 1,  # the least; a string says its length
}  # fmt: skip


def width(value_type: ValueType) -> int:
    """The bits of a number."""
    return 8 if value_type in {"int8", "uint8"} else 16 * WORDS[value_type]


class Table(StrEnum):
    """The four tables of a Modbus device."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def function(self) -> int:
        """The function code that reads this table."""
        return {"coil": 1, "discrete": 2, "holding": 3, "input": 4}[self.value]

    @property
    def is_bits(self) -> bool:
        """Whether it holds bits, not registers."""
        return self in {Table.COIL, Table.DISCRETE}


@dataclass(frozen=True, slots=True, order=True)
class Forbidden:
    """Addresses of a table that must not be read, not even along with others; both ends belong to it."""

    table: Table
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device.

    address         zero-based, as sent on the wire
    word_order      big: the first register holds the most significant word
    byte_order      big: as Modbus prescribes; little: the device swaps the two bytes of each register
    bit             which bit of the register a bool is, 0 the least significant
    word            the point whose bit a bool is, and whose sentinels are its own; "": none
    byte            which half of the register an int8 or uint8 is
    length          bytes of a string
    encoding        of a string
    padding         byte that the device fills strings up with, beside NUL and space; -1: none
    scale           value = raw · scale + offset
    scale_register  the point whose value e makes it raw · 10^e · scale; "": none
    min, max        values beyond are bad
    modulus         of a counter, in its unit; 0: never rolls over
    max_step        the most that a counter grows between two readings; inf: anything
    not_a_value     raw numbers by which the device says that it has no value
    enum            raw number → text; makes the point a text
    lossy           64-bit integers beyond 2**53 may be rounded instead of being bad
    """

    name: str
    table: Table
    address: int
    type: ValueType
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int = 0
    word: str = ""
    byte: Half = "low"
    length: int = 0
    encoding: str = "ascii"
    padding: int = -1
    scale: float = 1.0
    offset: float = 0.0
    scale_register: str = ""
    min: float = -inf
    max: float = inf
    unit: str = ""
    group: str = "slow"
    counter: bool = False
    modulus: int = 0
    max_step: float = inf
    not_a_value: tuple[float, ...] = ()
    enum: Mapping[int, str] = field(default_factory=dict)
    lossy: bool = False

    @property
    def size(self) -> int:
        """How many registers it takes; 1 for a coil or a discrete input."""
        if self.table.is_bits:
            return 1
        return (self.length + 1) // 2 if self.type == "string" else WORDS[self.type]

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size

    @property
    def where(self) -> str:
        """Its place in words: `holding 52`, `input 7 bit 3`, `holding 4 high byte`."""
        if self.type == "bool" and not self.table.is_bits:
            return f"{self.table} {self.address} bit {self.bit}"
        return f"{self.table} {self.address}{f' {self.byte} byte' if self.type in {'int8', 'uint8'} else ''}"

    @property
    def tag_type(self) -> TagType:
        """The type of its tag."""
        if self.enum or self.type == "string":
            return TagType.TEXT
        if self.type == "bool":
            return TagType.BOOL
        whole = "float" not in self.type and self.scale.is_integer() and self.offset.is_integer()
        return TagType.INT if whole and not self.scale_register else TagType.FLOAT

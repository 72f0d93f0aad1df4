"""A point: where a device keeps one value in its registers, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from gateway.model import TagType

Order = Literal["big", "little"]
ValueType = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"
]  # fmt: skip

WORDS: Final[Mapping[ValueType, int]] = {
    "bool": 1, "int16": 1, "uint16": 1, "float16": 1,
    "int32": 2, "uint32": 2, "float32": 2,
    "int64": 4, "uint64": 4, "float64": 4,
}  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device.

    address      zero-based, as sent on the wire
    word_order   big: the first register holds the most significant word
    byte_order   big: as Modbus prescribes; little: the device swaps the two bytes of each register
    bit          which bit of the register a bool is, 0 the least significant
    scale        value = raw · scale + offset
    modulus      of a counter, in its unit; 0: never rolls over
    not_a_value  raw numbers by which the device says that it has no value
    enum         raw number → text; makes the point a text
    lossy        64-bit integers beyond 2**53 may be rounded instead of being bad
    """

    name: str
    table: Table
    address: int
    type: ValueType
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int = 0
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    group: str = "slow"
    counter: bool = False
    modulus: int = 0
    not_a_value: tuple[float, ...] = ()
    enum: Mapping[int, str] = field(default_factory=dict)
    lossy: bool = False

    @property
    def size(self) -> int:
        """How many registers it takes; 1 for a coil or a discrete input."""
        return 1 if self.table.is_bits else WORDS[self.type]

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.size

    @property
    def where(self) -> str:
        """Its place in words: `holding 52`, `input 7 bit 3`."""
        bit = f" bit {self.bit}" if self.type == "bool" and not self.table.is_bits else ""
        return f"{self.table} {self.address}{bit}"

    @property
    def tag_type(self) -> TagType:
        """The type of its tag."""
        if self.enum:
            return TagType.TEXT
        if self.type == "bool":
            return TagType.BOOL
        whole = "int" in self.type and self.scale.is_integer() and self.offset.is_integer()
        return TagType.INT if whole else TagType.FLOAT

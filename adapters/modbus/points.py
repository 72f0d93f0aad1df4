"""Points as they are written in YAML."""

from codecs import lookup
from typing import Final, Literal

from pydantic import Field, field_validator

from adapters.modbus.point import Half, Order, Table, ValueType
from gateway.fields import Name, Section

ADDRESSES: Final = 65536


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

    address: int = Field(ge=0, lt=10 * ADDRESSES)
    bit: int | None = Field(None, ge=0, le=15, description="of a bool in a register; 0 is the least significant")
    bits: dict[Name, int] = Field(
        default_factory=dict, description="name → bit of this integer: each is a bool point of that name"
    )
    byte: Half | None = Field(None, description="of an int8 or uint8: low (default) or high")
    length: int | None = Field(None, ge=1, le=250, description="of a string, in bytes: two per register")
    encoding: str | None = Field(None, description="of a string: ascii (default), latin-1, utf-8, utf-16-be, …")
    padding: int | None = Field(
        None, ge=0, le=255, description="byte that the device fills strings up with, beside NUL and space"
    )
    scale: float = Field(1.0, allow_inf_nan=False, description="value = raw · scale + offset")
    offset: float = Field(0.0, allow_inf_nan=False)
    scale_register: Name | None = Field(
        None, description="name of the point that holds the power of ten: value = raw · 10^that · scale"
    )
    min: float | None = Field(None, allow_inf_nan=False, description="values below are bad: out of range")
    max: float | None = Field(None, allow_inf_nan=False, description="values above are bad: out of range")
    unit: str = ""
    counter: bool = Field(False, description="the value only grows, but for roll-over and reset")
    modulus: int | None = Field(None, gt=1, description="a counter rolls over at this value; default 2^width · scale")
    max_step: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="a counter that grows by more is bad until the next reading agrees"
    )
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

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, encoding: str | None) -> str | None:
        try:
            is_text = encoding is None or lookup(encoding)._is_text_encoding
        except LookupError:
            is_text = False
        if not is_text:
            raise ValueError(f"{encoding!r} is not a text encoding: write ascii, latin-1, utf-8 or utf-16-be")
        return encoding

"""How register maps of vendors spell things: headers, types, tables, orders. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from adapters.modbus.point import Table, ValueType

_HEADERS: Final[Mapping[str, str]] = {
    "name": "name tag tagname point pointname signal parameter variable variablename label measurement quantity symbol",
    "description": "description comment comments note notes remark remarks text",
    "address": "address addr register reg registeraddress registernumber registerno modbusaddress modbusregister "
    "startaddress startregister startingaddress addressdec decaddress addressdecimal addresshex hexaddress dec hex",
    "type": "type datatype format dataformat encoding valuetype vartype",
    "table": "table registertype regtype functioncode function fc fn area objecttype object memory",
    "unit": "unit units uom engineeringunit engineeringunits",
    "scale": "scale factor multiplier resolution scaling scalefactor multiply coefficient",
    "divisor": "divisor divider divideby div gain",
    "offset": "offset valueoffset bias",
    "order": "order endian endianness byteorder wordorder swap endianess",
    "bit": "bit bitnumber bitno bitposition bitindex",
    "length": "length len size count words registers numberofregisters quantityofregisters noofregisters wordcount",
    "group": "group pollgroup scanclass pollrate",
    "counter": "counter accumulator cumulative",
    "min": "min minimum low lowlimit rangemin",
    "max": "max maximum high highlimit rangemax",
    "not_a_value": "notavalue invalid invalidvalue nan nanvalue novalue sentinel",
    "enum": "enum enumeration values states valuetable mapping",
    "access": "access rw readwrite accessmode permission",
}
_OF_HEADER: Final = {word: key for key, words in _HEADERS.items() for word in words.split()}

_TYPES: Final[Mapping[ValueType, str]] = {
    "bool": "bool boolean bit coil digital flag binary discrete",
    "int8": "int8 s8 sint8 i8 sint signedbyte signed8",
    "uint8": "uint8 u8 usint byte unsignedbyte unsigned8",
    "int16": "int16 s16 i16 int integer short sint16 signedshort signed16 signed signedint signedint16 signedinteger",
    "uint16": "uint16 u16 uint word ushort unsigned unsignedshort unsigned16 unsignedint unsignedint16 unsignedinteger "
    "enum16 enum bitfield16 bitmap bitmap16 uint16be 16bit",
    "int32": "int32 s32 i32 dint long sint32 signedlong signed32 longint signedint32",
    "uint32": "uint32 u32 udint dword ulong unsignedlong unsigned32 unsignedint32 acc32 bitfield32 32bit",
    "int64": "int64 s64 i64 lint longlong sint64 signed64 signedint64",
    "uint64": "uint64 u64 ulint lword qword ulonglong unsigned64 unsignedint64 acc64",
    "float16": "float16 f16 half",
    "float32": "float32 f32 float real single ieee754 ieeefloat floatingpoint float32be",
    "float64": "float64 f64 double lreal",
    "bcd16": "bcd bcd16 bcd4",
    "bcd32": "bcd32 bcd8",
    "bcd64": "bcd64",
    "string": "string ascii char text str chararray utf8 asciistring",
}  # fmt: skip
_OF_TYPE: Final = {word: value_type for value_type, words in _TYPES.items() for word in words.split()}

_TABLES: Final[Mapping[Table, str]] = {
    Table.COIL: "coil coils outputcoil 1 01 fc1 fc01 0x do digitaloutput",
    Table.DISCRETE: "discrete discreteinput discreteinputs inputstatus 2 02 fc2 fc02 1x di digitalinput contact",
    Table.HOLDING: "holding holdingregister holdingregisters hr 3 03 fc3 fc03 4x output outputregister",
    Table.INPUT: "input inputregister inputregisters ir 4 04 fc4 fc04 3x analoginput",
}
_OF_TABLE: Final = {word: table for table, words in _TABLES.items() for word in words.split()}

_ORDERS: Final[Mapping[str, tuple[str, str]]] = {  # spelling → word order, byte order
    "abcd": ("big", "big"), "big": ("big", "big"), "bigendian": ("big", "big"), "be": ("big", "big"),
    "none": ("big", "big"), "no": ("big", "big"), "ab": ("big", "big"), "msb": ("big", "big"), "msw": ("big", "big"),
    "abcdefgh": ("big", "big"), "highwordfirst": ("big", "big"), "mswfirst": ("big", "big"),
    "cdab": ("little", "big"), "wordswap": ("little", "big"), "word": ("little", "big"), "lsw": ("little", "big"),
    "lowwordfirst": ("little", "big"), "lswfirst": ("little", "big"), "swapped": ("little", "big"),
    "ghefcdab": ("little", "big"), "midlittle": ("little", "big"), "swap": ("little", "big"),
    "badc": ("big", "little"), "byteswap": ("big", "little"), "byte": ("big", "little"), "ba": ("big", "little"),
    "dcba": ("little", "little"), "little": ("little", "little"), "littleendian": ("little", "little"),
    "le": ("little", "little"), "hgfedcba": ("little", "little"), "wordbyte": ("little", "little"),
}  # fmt: skip


def key_of(header: str) -> str | None:
    """What a column is about, by its header; None: nothing that we know."""
    return _OF_HEADER.get(_letters(header))


def type_of(text: str) -> tuple[ValueType | None, int | None]:
    """The type of a spelling, and the length that it names for a string: `STRING[16]`."""
    match = re.fullmatch(r"\s*([^\d\[(]+)\s*[\[(]\s*(\d+)\s*[\])]\s*", text)
    if match and _OF_TYPE.get(_letters(match[1])) == "string":
        return "string", int(match[2])
    return _OF_TYPE.get(_letters(text)), None


def table_of(text: str) -> Table | None:
    """The table of a spelling: `Holding register`, `FC03`, `4x`."""
    return _OF_TABLE.get(_letters(text))


def order_of(text: str) -> tuple[str, str] | None:
    """Word order and byte order of a spelling: `CDAB`, `little endian`."""
    return _ORDERS.get(_letters(text))


def slug(text: str) -> str:
    """A point's name from a title: `Active Power L1 (kW)` → `active_power_l1`, `Điện áp pha A` → `dien_ap_pha_a`."""
    plain = unicodedata.normalize("NFKD", re.sub(r"[\[(].*?[\])]", " ", text).replace("đ", "d").replace("Đ", "d"))
    ascii_only = plain.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_only.lower()).strip("_")[:64]


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())

"""The cells of a register map, each into the key of a point that it means. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from adapters.modbus.csv_words import order_of, table_of, type_of
from adapters.modbus.point import Table

_TRUE: Final = frozenset({"1", "yes", "y", "true", "x"})


@dataclass(slots=True)
class Row:
    """One line of a map: what it says, by key, and the point that it becomes."""

    line: int
    cells: Mapping[str, str]
    name: str = ""
    number: int = 0
    point: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The table that it names, or the usual one."""
        table: Table = self.point.get("table", Table.HOLDING)
        return table


def _address(row: Row, text: str) -> None:
    """`52`, `0x34`, `34h`, `4x0053`, `40053-40054`, `40053.7` with a bit."""
    match = re.fullmatch(r"(?:%?[A-Z]{2})?([0-9][0-9A-Fa-fxX]*h?)(?:\s*[-–]\s*\d+)?(?:[.:/](\d{1,2}))?", text)
    digits = match[1] if match else ""
    if modicon := re.fullmatch(r"([134])[xX](\d{4,5})", digits):
        row.number = int(modicon[1] + modicon[2])
    elif digits.lower().startswith("0x"):
        row.number = int(digits, 16)
    elif digits.endswith("h"):
        row.number = int(digits[:-1], 16)
    elif digits.isdecimal():
        row.number = int(digits)
    else:
        raise ValueError(f"{text!r} is not an address: write 52, 0x34 or 40053")
    if match and match[2]:
        row.point["bit"] = int(match[2])


def _type(row: Row, text: str) -> None:
    row.point["type"], length = type_of(text)
    if row.point["type"] is None:
        raise ValueError(f"{text!r} is not a type that is known here: write int16, uint32, float32, bool, string …")
    if length:
        row.point["length"] = length


def _table(row: Row, text: str) -> None:
    table = table_of(text)
    if table is None:
        raise ValueError(f"{text!r} is not a table: write coil, discrete, input or holding, or a function code 1 to 4")
    row.point["table"] = table


def _order(row: Row, text: str) -> None:
    orders = order_of(text)
    if orders is None:
        raise ValueError(f"{text!r} is not an order: write ABCD, CDAB, BADC or DCBA")
    row.point["word_order"], row.point["byte_order"] = orders


def _number(text: str) -> float:
    try:
        number = float(int(text, 16)) if text.lower().startswith("0x") else float(text.replace(",", "."))
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"{text[:40]!r} is not a number") from exc
    if not isfinite(number):
        raise ValueError(f"{text!r} is not a number that counts")
    return int(number) if number.is_integer() else number


def _scale(row: Row, text: str) -> None:
    """`0.1`, `1/10`, `x10`, `/10`, `10^-1`."""
    if match := re.fullmatch(r"(1?)\s*[/÷]\s*(\d+)", text):
        _divisor(row, match[2])
    elif match := re.fullmatch(r"10\s*(?:\^|\*\*)\s*(-?\d{1,2})", text):
        row.point["scale"] = float(f"1e{match[1]}")
    else:
        row.point["scale"] = _number(text.lstrip("xX*× ") or text)


def _divisor(row: Row, text: str) -> None:
    """`10` for a tenth, as in the columns `divisor` and `gain` of many vendors; a fraction is a factor all the same."""
    if "/" in text:
        _scale(row, text)
        return
    divisor = _number(text)
    if not divisor:
        raise ValueError("a divisor of 0 divides nothing")
    row.point["scale"] = 1 / divisor


def _length(row: Row, text: str) -> None:
    """Registers, in most maps; only strings need it, two bytes each."""
    if type_of(row.cells.get("type", ""))[0] == "string" and "length" not in row.point:
        row.point["length"] = 2 * int(_number(text))


def _enum(row: Row, text: str) -> None:
    """`0=Off; 1=On` or `0: Off, 1: On`."""
    pairs = re.findall(r"(-?\d+)\s*[=:]\s*([^;,|\n]+)", text)
    if not pairs:
        raise ValueError(f"{text!r} is not a list of numbers and texts: write 0=OFF; 1=ON")
    row.point["enum"] = {int(number): word.strip() for number, word in pairs}


def _setter(key: str) -> Any:
    def read(row: Row, text: str) -> None:
        row.point[key] = _number(text)

    return read


def _texts(key: str) -> Any:
    def read(row: Row, text: str) -> None:
        row.point[key] = text

    return read


def _counter(row: Row, text: str) -> None:
    row.point["counter"] = text.lower() in _TRUE


READERS: Final[Mapping[str, Any]] = {
    "address": _address,
    "table": _table,
    "type": _type,
    "order": _order,
    "scale": _scale,
    "divisor": _divisor,
    "offset": _setter("offset"),
    "unit": _texts("unit"),
    "bit": _setter("bit"),
    "length": _length,
    "group": _texts("group"),
    "counter": _counter,
    "min": _setter("min"),
    "max": _setter("max"),
    "not_a_value": _setter("not_a_value"),
    "enum": _enum,
}  # in this order they stand in the profile

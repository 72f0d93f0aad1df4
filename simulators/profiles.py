"""Reads device profiles (`configs/profiles/<vendor>/<model>.yaml`) for the simulated devices.

It is a second reader of the same files, on purpose: it shares no line with the one that the gateway uses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Table = Literal["holding", "input", "coil", "discrete"]
Order = Literal["big", "little"]

TABLES: Final[tuple[Table, ...]] = ("holding", "input", "coil", "discrete")
BITS_OF: Final[Mapping[str, int]] = {
    "bool": 1, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "float16": 16, "bcd16": 16, "int32": 32, "uint32": 32,
    "float32": 32, "bcd32": 32, "int64": 64, "uint64": 64, "float64": 64, "bcd64": 64,
}  # fmt: skip
_REFERENCE_TABLES: Final[Mapping[str, Table]] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_DEEPEST: Final = 8


class ProfileError(ValueError):
    """A profile that cannot be simulated; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device, as its profile describes it; value = raw · scale + offset."""

    name: str
    table: Table
    address: int
    type: str
    word_order: Order = "big"
    byte_order: Order = "big"
    bit: int = 0
    high_byte: bool = False
    length: int = 0
    encoding: str = "ascii"
    padding: int = 0
    scale: float = 1.0
    offset: float = 0.0
    scale_register: str | None = None
    unit: str = ""
    sentinel: int | None = None
    counter: bool = False
    modulus: float | None = None
    enum: Mapping[int, str] | None = None
    bits: Mapping[str, int] | None = None

    @property
    def width(self) -> int:
        """How many registers (or single bits of a bit table) it takes."""
        if self.type == "string":
            return (self.length + 1) // 2
        return max(1, BITS_OF[self.type] // 16)


@dataclass(frozen=True, slots=True)
class Profile:
    """A device type: its points, how much it gives at once, and a typical value of each point."""

    name: str
    points: tuple[Point, ...]
    max_registers: int
    typical: Mapping[str, float | str]


def profile_folders(beside: Path | None = None) -> tuple[Path, ...]:
    """Where profiles are looked up, nearest first: beside a scenario, in /etc/lineside, in the package."""
    own = () if beside is None else (beside.resolve(),)
    return *own, Path("/etc/lineside"), Path(str(files("configs")))


@lru_cache(maxsize=256)
def load_profile(name: str, folders: tuple[Path, ...]) -> Profile:
    """The profile `<vendor>/<model>`.

    Raises:
        ProfileError: there is no such file, or it is not a profile.
    """
    layers = list(_layers(name, folders))
    points: dict[str, dict[str, Any]] = {}
    defaults: dict[str, Any] = {}
    options: dict[str, Any] = {}
    typical: dict[str, float | str] = {}
    for layer in reversed(layers):
        points = {key: point for key, point in points.items() if key not in layer.get("remove", [])}
        for key, point in layer.get("points", {}).items():
            points[key] = points.get(key, {}) | point
        defaults |= layer.get("defaults", {})
        options |= layer.get("options", {})
        typical |= _typical(layer)
    try:
        made = tuple(_point(key, defaults | point) for key, point in points.items())
    except (KeyError, TypeError, ValueError) as exc:
        raise ProfileError(f"profile {name}: {exc}") from exc
    return Profile(name, made, int(options.get("max_registers", 125)), typical)


def _layers(name: str, folders: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """The profile's file and those that it extends, itself first."""
    wanted: str | None = name
    for _ in range(_DEEPEST):
        if wanted is None:
            return
        layer = _read(wanted, folders)
        yield layer
        wanted = layer.get("extends")
    raise ProfileError(f"profile {name}: profiles extend one another in a circle")


def _read(name: str, folders: tuple[Path, ...]) -> dict[str, Any]:
    for folder in folders:
        path = folder / "profiles" / f"{name}.yaml"
        if path.is_file():
            layer = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(layer, dict) or not isinstance(layer.get("points"), dict):
                raise ProfileError(f"{path}: not a profile: it has no points")
            return layer
    raise ProfileError(f"no profile {name!r}; `profile:` names a file such as eastron/sdm630")


def _typical(layer: Mapping[str, Any]) -> dict[str, float | str]:
    """The first value that the examples show of each point: what a device of this type may well say."""
    found: dict[str, float | str] = {}
    for example in reversed(layer.get("examples", [])):
        found |= {name: value for name, value in example["values"].items() if value is not None}
    return found


def _point(name: str, told: Mapping[str, Any]) -> Point:
    table, address = _place(told)
    kind = str(told.get("type", "bool" if table in ("coil", "discrete") else "uint16"))
    if kind not in BITS_OF and kind != "string":
        raise ValueError(f"points.{name}: unknown type {kind!r}")
    sentinels = told.get("not_a_value")
    return Point(
        name, table, address, kind,
        word_order=told.get("word_order", "big"),
        byte_order=told.get("byte_order", "big"),
        bit=int(told.get("bit", 0)),
        high_byte=told.get("byte", "low") == "high",
        length=int(told.get("length", 0)),
        encoding=str(told.get("encoding", "ascii")),
        padding=int(told.get("padding", 0)),
        scale=float(told.get("scale", 1)),
        offset=float(told.get("offset", 0)),
        scale_register=told.get("scale_register"),
        unit=str(told.get("unit", "")),
        sentinel=sentinels[0] if isinstance(sentinels, list) else sentinels,
        counter=bool(told.get("counter", False)),
        modulus=told.get("modulus"),
        enum=told.get("enum"),
        bits=told.get("bits"),
    )  # fmt: skip


def _place(told: Mapping[str, Any]) -> tuple[Table, int]:
    """Table and zero-based address; a reference such as 40001 or 400001 names both."""
    if told.get("addressing") != "reference":
        return told["table"], int(str(told["address"]), 0)
    digits = str(told["address"]).zfill(5)
    return _REFERENCE_TABLES[digits[0]], int(digits[1:]) - 1

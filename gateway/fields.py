"""Field types that config sections share: durations, byte sizes, secrets, names."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

_UNITS_S: Final = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_UNITS_B: Final = {"B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def parse_duration(text: object) -> float:
    """Seconds from `500ms`, `1.5s`, `15min`, `8h`, `7d`. ValueError: says what a duration looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*", text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, like 500ms, 1s, 15min, 8h or 7d")
    return float(match[1]) * _UNITS_S[match[2]]


def parse_bytes(text: object) -> int:
    """Bytes from `512MiB`, `2GB`. ValueError: says what a size looks like."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMG]i?B|B)\s*", text) if isinstance(text, str) else None
    if not match or match[2] not in _UNITS_B:
        raise ValueError(f"{text!r} is not a size: write a number and a unit, like 512MiB or 2GB")
    return int(float(match[1]) * _UNITS_B[match[2]])


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0), _schema(r"^\d+(\.\d+)?(ms|s|min|h|d)$", "1s")]
"""Seconds, written with a unit. Defaults in code are floats in seconds."""

ByteSize = Annotated[
    int, BeforeValidator(parse_bytes), Field(gt=0), _schema(r"^\d+(\.\d+)?([kMG]B|[KMG]iB|B)$", "2GiB")
]
"""Bytes, written with a unit."""

Secret = SecretStr
"""A password or token: written as `${VAR}` or given by the key with `_file`; never printed."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
"""A name of the user's own choice for an asset, line, source, sink or point."""

"""Profiles: a device type as one YAML file."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from adapters.modbus.marks import FileError, Marked, load
from adapters.modbus.point import Point, Table
from adapters.modbus.points import PointConfig, PointDefaults, resolve
from gateway.fields import Name, Section
from gateway.library import Library

Word = Annotated[int, Field(ge=0, le=0xFFFF)]
Image = Mapping[Table, Mapping[int, Word | list[Word]]]
"""Registers (or bits, 0 and 1) by table and address; a list stands for consecutive addresses."""


class Note(Section):
    """A remark, and where it comes from."""

    text: str
    link: str = ""


class Example(Section):
    """A register image and the values that it must become; null: a bad reading."""

    note: str = ""
    image: Image
    values: dict[Name, float | str | None] = Field(min_length=1)


class Profile(Section):
    """A device type as data."""

    name: str
    vendor: str
    document: str = Field(description="the vendor's document that the registers come from")
    sources: list[Note] = Field(default_factory=list)
    defaults: PointDefaults = PointDefaults()
    points: dict[Name, PointConfig] = Field(min_length=1)
    caveats: list[Note] = Field(default_factory=list)
    examples: list[Example] = Field(default_factory=list)

    def point(self, name: str) -> Point:
        """One point, resolved."""
        return resolve(name, self.points[name], self.defaults)


def load_profile(name: str, library: Library) -> Profile:
    """The profile of this name (`eastron/sdm630`). UnknownName: no such file; FileError: says where it is wrong."""
    path = library.find("profiles", name)
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _load(path: Path, mtime_ns: int) -> Profile:
    """`mtime_ns` makes an edited file a new one; hundreds of sources share a profile."""
    file = load(path)
    try:
        profile = Profile.model_validate(file.data)
    except ValidationError as exc:
        raise _first_error(file, exc.errors()[0]) from exc
    for name in profile.points:
        try:
            profile.point(name)
        except ValueError as exc:
            raise file.error(("points", name), str(exc)) from exc
    return profile


_KEYS: Final = sorted({key for model in (Profile, PointConfig, Note, Example) for key in model.model_fields})


def _first_error(file: Marked, error: ErrorDetails) -> FileError:
    """One validation error, where it stands and in plain words."""
    place = error["loc"]
    if error["type"] == "extra_forbidden":
        key = str(place[-1])
        close = get_close_matches(key, _KEYS, n=1)
        return file.error(place, f"unknown key{f'; did you mean {close[0]!r}?' if close else ''}")
    if error["type"] == "missing":
        return file.error(place, "is missing")
    while place and place not in file.lines:  # pydantic appends which arm of a union it tried
        place = place[:-1]
    return file.error(place, error["msg"].removeprefix("Value error, "))

"""Profiles: a device type as one YAML file."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from adapters.modbus.point import Point, Table
from adapters.modbus.points import PointConfig, PointDefaults, resolve
from gateway.document import ConfigError, Document
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
    """The profile of this name (`eastron/sdm630`). UnknownName: no such file; ValueError: each `file:line: problem`."""
    path = library.find("profiles", name)
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _load(path: Path, mtime_ns: int) -> Profile:
    """`mtime_ns` makes an edited file a new one; hundreds of sources share a profile."""
    try:
        document = Document.load(path)
        profile: Profile = document.validate(Profile, document.data, ())
        document.check()
        for name in profile.points:
            _check_point(document, profile, name)
        document.check()
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc
    return profile


def _check_point(document: Document, profile: Profile, name: str) -> None:
    try:
        profile.point(name)
    except ValueError as exc:
        document.report(("points", name), str(exc))

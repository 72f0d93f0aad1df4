"""Profiles: a device type as one YAML file."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from adapters.modbus.options import Options
from adapters.modbus.point import Forbidden, Point, Table
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.ranges import Ranges, forbidden
from adapters.modbus.resolve import resolve_all
from gateway.document import ConfigError, Document
from gateway.fields import Name, Section
from gateway.library import Library, UnknownName
from gateway.spelling import closest

Word = Annotated[int, Field(ge=0, le=0xFFFF)]
Image = Mapping[Table, Mapping[int, Word | list[Word]]]
"""Registers (or bits, 0 and 1) by table and address; a list stands for consecutive addresses."""

_SHAPES: Final[Mapping[str, type[Any]]] = {  # what a profile shares with the one that it extends
    "defaults": dict, "options": dict, "forbidden": dict, "points": dict,
    "remove": list, "sources": list, "caveats": list, "examples": list,
}  # fmt: skip
_DEEPEST: Final = 8  # profiles that extend one another; more is a circle


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
    extends: str | None = Field(None, description="a profile whose points and all else it takes over")
    remove: list[Name] = Field(default_factory=list, description="points of that profile which this device lacks")
    sources: list[Note] = Field(default_factory=list)
    options: Options = Options()
    forbidden: Ranges = Field(default_factory=dict, description="table → addresses that must not be read")
    defaults: PointDefaults = PointDefaults()
    points: dict[Name, PointConfig] = Field(min_length=1)
    caveats: list[Note] = Field(default_factory=list)
    examples: list[Example] = Field(default_factory=list)

    @cached_property
    def resolved(self) -> Mapping[str, Point]:
        """All points with everything said, by name; those that are wrong are left out."""
        return resolve_all(self.points, self.defaults)[0]

    @cached_property
    def forbidden_ranges(self) -> tuple[Forbidden, ...]:
        """Addresses that must not be read. ValueError: they are not ranges."""
        return forbidden(self.forbidden)

    def point(self, name: str) -> Point:
        """One point, resolved."""
        return self.resolved[name]


def load_profile(name: str, library: Library) -> Profile:
    """The profile of this name (`eastron/sdm630`). UnknownName: no such file; ValueError: each `file:line: problem`."""
    chain = [library.find("profiles", name)]
    try:
        while (parent := _parent(chain[-1], chain[-1].stat().st_mtime_ns)) is not None:
            chain.append(_find_parent(chain, parent, library))
        return _load(tuple((path, path.stat().st_mtime_ns) for path in reversed(chain)))
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc


def _find_parent(chain: list[Path], parent: str, library: Library) -> Path:
    """The file of a profile that the last one of a chain extends. ConfigError: there is none, or it is in the chain."""
    try:
        path = library.find("profiles", parent)
        problem = f"{parent!r} extends this profile in turn"
    except UnknownName as exc:
        path, problem = chain[-1], str(exc)
    if path in chain or len(chain) == _DEEPEST:
        document = Document.load(chain[-1])
        document.report(("extends",), problem)
        raise ConfigError(document.problems)
    return path


@lru_cache(maxsize=256)
def _document(path: Path, mtime_ns: int) -> Document:
    """A file as it stands there; `mtime_ns` makes an edited one a new one."""
    return Document.load(path)


def _parent(path: Path, mtime_ns: int) -> str | None:
    """The name of the profile that a file extends."""
    name = _document(path, mtime_ns).data.get("extends")
    return name if isinstance(name, str) else None


@lru_cache(maxsize=256)
def _load(chain: tuple[tuple[Path, int], ...]) -> Profile:
    """The profile of files that extend one another, the farthest first; hundreds of sources share one."""
    data: dict[str, Any] = {}
    profile = None
    for path, mtime_ns in chain:
        document = _document(path, mtime_ns)
        document = replace(document, problems=list(document.problems))
        data = _merge(document, data)
        profile = _validate(document, data)
    assert profile is not None
    return profile


def _validate(document: Document, data: dict[str, Any]) -> Profile:
    profile: Profile = document.validate(Profile, data, ())
    document.check()
    for name, problem in resolve_all(profile.points, profile.defaults)[1].items():
        document.report(("points", name), problem)
    document.check()
    return profile


def _merge(document: Document, parent: dict[str, Any]) -> dict[str, Any]:
    """A profile over the one that it extends: points key by key, lists appended, all else replaced."""
    own = document.data
    if not parent or not all(isinstance(own.get(key, kind()), kind) for key, kind in _SHAPES.items()):
        return own  # validation tells which shape is wrong
    points, mine = parent["points"], own.get("points", {})
    for name in own.get("remove", []):
        if isinstance(name, str) and name not in points:
            document.report(("remove",), f"{name!r} is not a point of {own['extends']}{closest(str(name), points)}")
    kept = {name: point for name, point in points.items() if name not in own.get("remove", [])}
    same = {} if "defaults" in own else {name: point for name, point in kept.items() if name not in mine}
    merged = parent | own
    for key, kind in _SHAPES.items():
        old, new = parent.get(key, kind()), own.get(key, kind())
        merged[key] = old | new if kind is dict else [*old, *new]
    merged["points"] = kept | {name: _over(kept.get(name), point) for name, point in mine.items()}
    merged["remove"] = own.get("remove", [])
    merged["examples"] = [*own.get("examples", []), *_still_true(parent, same)]
    return merged


def _over(point: Any, mine: Any) -> Any:
    return point | mine if isinstance(point, dict) and isinstance(mine, dict) else mine


def _still_true(parent: dict[str, Any], same: dict[str, Any]) -> list[dict[str, Any]]:
    """The parent's examples, as far as its points are taken over as they are."""
    names = set(same).union(*(point.get("bits", {}) for point in same.values()))
    examples = []
    for example in parent.get("examples", []):
        values = {name: value for name, value in example["values"].items() if name in names}
        examples += [example | {"values": values}] if values else []
    return examples

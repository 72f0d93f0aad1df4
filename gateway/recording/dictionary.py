"""What a recording says about its tags: one JSON object per tag, the same in CSV and Parquet."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.model import Tag, TagType, place, session
from gateway.ports import Unusable

VERSION: Final = 1
HEAD: Final = f"# lineside recording {VERSION}"
"""First line of a CSV; the dictionary follows, one `# tag {…}` per line."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "type": "float",
    "unit": "",
    "counter": False,
    "modulus": 0,
    "period_ms": 0,
    "source": "",
    "source_time": False,
}


def tag_line(tag: Tag) -> str:
    """A tag as one line of JSON; what is as usual is left out."""
    given = {key: getattr(tag, key) for key in _DEFAULTS}
    said = {key: str(value) if key == "type" else value for key, value in given.items() if value != _DEFAULTS[key]}
    return json.dumps({"name": tag.name, **said}, ensure_ascii=False)


def parse_tag(text: str) -> Tag:
    """The inverse of `tag_line`. Unusable: says what is wrong."""
    try:
        said = json.loads(text)
        unknown = said.keys() - _DEFAULTS.keys() - {"name"}
        if unknown:
            raise Unusable(f"the recording's dictionary has an unknown key {min(unknown)!r}: made by a later version?")
        return Tag(**(said | {"type": TagType(said.get("type", "float"))}))
    except (ValueError, TypeError, AttributeError) as exc:
        raise Unusable(f"the recording's dictionary cannot be read at {text[:80]!r}: {exc}") from exc


def dump(tags: Iterable[Tag]) -> bytes:
    """A whole dictionary, as a Parquet file's metadata `lineside` hold it."""
    return "\n".join([HEAD, *map(tag_line, tags)]).encode()


def load(body: bytes) -> dict[str, Tag]:
    """The inverse of `dump`. Unusable: says what is wrong."""
    head, *lines = body.decode().split("\n")
    check_head(head)
    return {tag.name: tag for tag in map(parse_tag, lines)}


def check_head(line: str) -> None:
    """Unusable: a later version made the recording."""
    if line.strip() != HEAD:
        raise Unusable(f"this Lineside reads recordings of version {VERSION}, not {line.strip()!r}")


def unproven(tag: Tag, known: Mapping[str, Tag]) -> Tag:
    """A tag whose source's session is not in the recording holds its values until the next reading."""
    if tag.source and session(tag.source).name in known:
        return tag
    return replace(tag, source="", period_ms=0, source_time=True)


def is_raw(name: str) -> bool:
    """Whether a tag was measured, or says that its source was there; KPIs are computed again, health is our own."""
    where = place(name)
    return where.measurement == "telemetry" or (where.owner.startswith("source/") and where.field == "session")

"""What a user writes for a recording as a source."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from gateway.fields import Section
from gateway.library import Library
from gateway.model import Tag, TagType
from gateway.ports import Unusable
from gateway.recording import is_raw, open_recording, unproven


class RecordedTag(Section):
    """One tag of the recording: where it is found, and what the recording does not say about it."""

    from_: str = Field("", alias="from", description="its name in the recording; the tag's own unless given")
    type: TagType | None = None
    unit: str = ""
    counter: bool = False
    modulus: int = Field(0, ge=0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A tag as this source delivers it, and its name in the recording."""

    tag: Tag
    name: str


class ReplayConfig(Section):
    """A recorded file: readings with their own times, delivered as fast as they are taken."""

    kind: Literal["replay"] = "replay"
    file: Path = Field(description="the recording: .csv, .csv.gz, .csv.zst or .parquet")
    timezone: str = Field("UTC", description="of times in the file that have no offset")
    tags_: dict[str, RecordedTag] = Field(
        default_factory=dict,
        alias="tags",
        description="tag → what the recording does not say about it; not given: all tags of the recording",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"{zone!r} is not a time zone: write one like Asia/Ho_Chi_Minh") from exc
        return zone

    @property
    def zone(self) -> ZoneInfo:
        """Of times without an offset."""
        return ZoneInfo(self.timezone)

    def recorded(self) -> list[Recorded]:
        """What it delivers. ValueError: the file or a name is wrong; says what to change."""
        try:
            with closing(open_recording(self.file, self.zone)) as reader:
                known = reader.tags or ({} if self._says_all() else reader.survey())
        except Unusable as exc:
            raise ValueError(str(exc)) from exc
        if not self.tags_:
            return [Recorded(unproven(tag, known), tag.name) for tag in known.values() if is_raw(tag.name)]
        return [self._named(name, said, known) for name, said in self.tags_.items()]

    def tags(self, name: str, library: Library) -> list[Tag]:
        """The tags that this source delivers. name: the source's own name."""
        return [one.tag for one in self.recorded()]

    def check(self, library: Library) -> list[str]:
        """Nothing beyond the config itself."""
        return []

    def _says_all(self) -> bool:
        """Whether the config says the type of every tag, so that the file need not be read to know it."""
        return bool(self.tags_) and all(said.type is not None for said in self.tags_.values())

    def _named(self, name: str, said: RecordedTag, known: Mapping[str, Tag]) -> Recorded:
        source = said.from_ or name
        found = known.get(source)
        if found is None and (known or said.type is None):
            raise ValueError(f"the recording has no tag {source!r}: it has {', '.join(sorted(known)[:8]) or 'none'}")
        given = {key: getattr(said, key) for key in said.model_fields_set - {"from_"}}
        base = unproven(found, known) if found else Tag(name, source_time=True)
        return Recorded(replace(base, name=name, **given), source)

"""Recordings that are played for a config: which of their tags are wanted, as which tags of the site."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from adapters.replay.config import ReplayConfig
from gateway.config import Config
from gateway.health import ALIVE
from gateway.model import Batch, Tag
from gateway.ports import Unusable
from gateway.recording import Reader, Wanted, is_raw, open_recording, unproven
from gateway.recording.units import factor

_ROWS: Final = 1 << 16


@dataclass(slots=True)
class Reel:
    """An open recording.

    wanted   name in the recording → tag of the site
    known    the recording's dictionary
    factors  name in the recording → what its values are multiplied by, where its unit is not the site's
    """

    reader: Reader
    wanted: Mapping[str, Tag]
    known: Mapping[str, Tag]
    factors: Mapping[str, float] = field(default_factory=dict)

    def pages(self, id_of: Callable[[str], int]) -> Iterator[Batch]:
        """Its readings in batches of moderate size."""
        wanted = {name: Wanted(id_of(tag.name), tag.type) for name, tag in self.wanted.items()}
        factors = {wanted[name].tag: times for name, times in self.factors.items() if times != 1}
        for page in self.reader.pages(wanted):
            scaled = _scaled(page, factors)
            for start in range(0, len(page), _ROWS):
                yield _part(scaled, slice(start, start + _ROWS))


def _scaled(page: Batch, factors: Mapping[int, float]) -> Batch:
    if not factors:
        return page
    value = page.value.copy()
    for tag, times in factors.items():
        value[page.tag == tag] *= times
    return Batch(page.tag, page.time_ns, value, page.quality, page.texts)


def _part(page: Batch, rows: slice) -> Batch:
    return Batch(page.tag[rows], page.time_ns[rows], page.value[rows], page.quality[rows], page.texts)


def open_reels(config: Config, files: Sequence[Path], stack: ExitStack) -> list[Reel]:
    """Opens the files, and those of the config's replay sources; `stack` closes them.

    Raises:
        Unusable: there is none, or one is no recording of this site.
    """
    zone = ZoneInfo(config.root.timezone)
    reels = [_of_file(config, file, zone, stack) for file in files]
    for section in config.sources.values():
        if isinstance(section, ReplayConfig):
            recorded = section.recorded()
            reader = _open(section.file, section.zone, stack)
            known = {one.tag.name: one.tag for one in recorded}
            reels.append(Reel(reader, {one.name: one.tag for one in recorded}, known))
    if not reels:
        raise Unusable("name a recording, or give the config a source of kind replay")
    return reels


def _of_file(config: Config, file: Path, zone: ZoneInfo, stack: ExitStack) -> Reel:
    tags = {tag.name: tag for tag in (*config.tags, ALIVE)}
    reader = _open(file, zone, stack)
    known = reader.tags
    if not known:
        with closing(open_recording(file, zone)) as first:
            known = first.survey()
    wanted = {name: tags[name] for name in known if name in tags}
    if not any(is_raw(name) for name in wanted):
        raise Unusable(f"{file} has no tag of {config.file}: it has {', '.join(sorted(known)[:5]) or 'none'}")
    return Reel(reader, wanted, known, _factors(file, known, wanted))


def _open(file: Path, zone: ZoneInfo, stack: ExitStack) -> Reader:
    reader = open_recording(file, zone)
    stack.callback(reader.close)
    return reader


def _factors(file: Path, known: Mapping[str, Tag], wanted: Mapping[str, Tag]) -> dict[str, float]:
    found = {}
    for name, tag in wanted.items():
        try:
            found[name] = factor(known[name].unit, tag.unit)
        except ValueError as exc:
            raise Unusable(f"{file}: {name} {exc}") from exc
    return found


def as_recorded(config: Config, reels: Sequence[Reel]) -> Config:
    """The config for playing them: what no recorded session proves holds until the next reading."""
    known = {name: tag for reel in reels for name, tag in reel.known.items()}
    tags = (unproven(tag, known) if tag.name in known else tag for tag in config.tags)
    return replace(config, tags=tuple(tags))


def lacking(config: Config, reels: Sequence[Reel]) -> list[str]:
    """Tags of the config that no recording has."""
    given = {tag.name for reel in reels for tag in reel.wanted.values()}
    return [
        tag.name for tag in config.tags if tag.name not in given and is_raw(tag.name) and "/session" not in tag.name
    ]

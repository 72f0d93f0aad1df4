"""Baselines as files: one per version, written once, never changed."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

import msgspec

from gateway.energy.baseline.record import Baseline
from gateway.ports import Unusable
from gateway.spelling import closest

_FORMAT: Final = 1


class Broken(Unusable):
    """A file is no baseline of this Lineside, or was changed by hand."""


@dataclass(frozen=True, slots=True)
class _File:
    """sha256: of the baseline as JSON without blanks."""

    format: int
    sha256: str
    baseline: Baseline


class Baselines:
    """The folder `baselines` beside kpi.db: NAME/VERSION.json."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Every baseline."""
        return sorted(path.name for path in self._folder.glob("*") if self.versions(path.name))

    def versions(self, name: str) -> list[int]:
        """The versions of a baseline, oldest first."""
        return sorted(int(path.stem) for path in (self._folder / name).glob("*.json") if path.stem.isdecimal())

    def get(self, name: str, version: int | None = None) -> Baseline:
        """A version, without one the newest. Unusable: there is none; Broken: it cannot be read."""
        known = self.versions(name)
        if not known:
            raise Unusable(f"there is no baseline {name!r} in {self._folder}{closest(name, self.names())}")
        if version is not None and version not in known:
            raise Unusable(f"baseline {name!r} has no version {version}: there is {', '.join(map(str, known))}")
        return _read(self._folder / name / f"{version or known[-1]}.json")

    def add(self, baseline: Baseline) -> Baseline:
        """Stores it as the next version and returns it with that; it is on the disk when this returns.

        Two writers at once get two versions: a file takes its number only while nobody else has it.
        """
        folder = self._folder / baseline.name
        folder.mkdir(parents=True, exist_ok=True)
        numbered = replace(baseline, version=max(self.versions(baseline.name), default=0) + 1)
        while not _write(folder / f"{numbered.version}.json", _encoded(numbered)):
            numbered = replace(numbered, version=numbered.version + 1)
        return numbered


def _encoded(baseline: Baseline) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_File(_FORMAT, _sha256(baseline), baseline)), indent=1)


def _sha256(baseline: Baseline) -> str:
    return hashlib.sha256(msgspec.json.encode(baseline)).hexdigest()


def _write(path: Path, data: bytes) -> bool:
    """Whole or not at all, under a name that is free; False where it is taken."""
    with NamedTemporaryFile(dir=path.parent, prefix=".new-") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        try:
            path.hardlink_to(file.name)
        except FileExistsError:
            return False
    path.chmod(0o644)
    for folder in (path.parent, path.parent.parent):
        _sync(folder)
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> Baseline:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError) as exc:
        raise Broken(f"{path} cannot be read as a baseline: {exc}") from exc
    if found.format != _FORMAT:
        raise Broken(f"{path} has format {found.format}, this Lineside reads {_FORMAT}: install the later one")
    if found.sha256 != _sha256(found.baseline):
        raise Broken(f"{path} was changed after it was written: put it back, or fit a new version")
    return found.baseline

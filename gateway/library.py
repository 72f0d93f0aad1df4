"""Where profiles and packs are found: beside the config, in /etc/lineside, then in the package."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from gateway.spelling import closest

_SYSTEM = Path("/etc/lineside")


class UnknownName(LookupError):  # noqa: N818  # reads like KeyError
    """No file of this name; the text says where it was looked for and which name is close."""


@dataclass(frozen=True, slots=True)
class Library:
    """The folders that hold `profiles/<vendor>/<model>.yaml` and `packs/<name>.yaml`, nearest first."""

    folders: tuple[Path, ...]

    @staticmethod
    def beside(config: Path) -> "Library":
        """The library of a config file: its own folder, the system's, the package's."""
        return Library((config.resolve().parent, _SYSTEM, Path(str(files("configs")))))

    def find(self, shelf: str, name: str) -> Path:
        """The file `<shelf>/<name>.yaml` in the nearest folder that has it. UnknownName: none has."""
        for folder in self.folders:
            path = folder / shelf / f"{name}.yaml"
            if path.is_file():
                return path
        raise UnknownName(f"no {shelf.removesuffix('s')} {name!r}{closest(name, self.names(shelf))}")

    def names(self, shelf: str) -> list[str]:
        """Every name on a shelf, sorted."""
        found: set[str] = set()
        for folder in self.folders:
            root = folder / shelf
            found |= {path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml")}
        return sorted(found)

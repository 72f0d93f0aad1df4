"""YAML with the line of every key, so that an error can say where it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_LOADER: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[str | int, ...]


class FileError(ValueError):
    """A file that cannot be used; the text is `file:line: place: problem`."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML document and where its parts stand."""

    path: Path
    data: Any
    lines: dict[Place, int]

    def error(self, place: Place, problem: str) -> FileError:
        """An error at a place, or at the nearest part around it that has a line."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        at = ".".join(map(str, place))
        return FileError(f"{self.path}:{self.lines.get(known, 1)}: {at + ': ' if at else ''}{problem}")


def load(path: Path) -> Marked:
    """The document in a file. FileError: not text, not YAML, or a key that occurs twice."""
    try:
        loader = _LOADER(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise FileError(f"{path}:1: cannot be read: {exc}") from exc
    except yaml.YAMLError as exc:
        raise FileError(f"{path}:1: not YAML: {exc}") from exc
    try:
        node = loader.get_single_node()
        marked = Marked(path, loader.construct_document(node) if node else None, {})
        if node:
            _mark(marked, loader, node)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise FileError(f"{path}:{line}: not YAML: {exc.problem}") from exc
    finally:
        loader.dispose()
    return marked


def _mark(marked: Marked, loader: yaml.SafeLoader, root: yaml.Node) -> None:
    """Enters the line of every part below `root`."""
    marked.lines[()] = root.start_mark.line + 1
    open_nodes: list[tuple[Place, yaml.Node]] = [((), root)]
    while open_nodes:
        place, node = open_nodes.pop()
        for key, mark, child in _children(loader, node):
            if (*place, key) in marked.lines:
                raise marked.error((*place, key), f"{key!r} stands here twice")
            marked.lines[*place, key] = mark.line + 1
            open_nodes.append(((*place, key), child))


def _children(loader: yaml.SafeLoader, node: yaml.Node) -> Iterator[tuple[str | int, Any, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield loader.construct_object(key), key.start_mark, value
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield number, value.start_mark, value

"""A YAML file as plain data that remembers where each value stood, so that every error names its line."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from gateway.spelling import closest

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file, and where."""

    file: Path
    line: int
    path: Loc
    text: str

    def __str__(self) -> str:
        path = ".".join(map(str, self.path))
        return f"{self.file}:{self.line}: {path + ': ' if path else ''}{self.text}"


class ConfigError(Exception):
    """The config cannot be used; every problem that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


_IN_WORDS: Final = {
    "model_type": "should be a mapping of `key: value`",
    "dict_type": "should be a mapping of `key: value`",
    "list_type": "should be a list: [a, b]",
    "tuple_type": "should be a list: [a, b]",
    "string_type": "should be a text",
    "path_type": "should be the path of a file",
    "string_pattern_mismatch": "is not written as it must be; names have letters, digits, `_`, `.` and `-`, no blanks",
}
"""What pydantic says in Python's words, in those of a config."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of scalars: `on`, `06:00` and `2026-01-01` are texts, only true/false are bools."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag.endswith((":null", ":float", ":merge"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9]\d*|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)


@dataclass(slots=True)
class Document:
    """Plain data of a YAML file, the line of every value, and the problems found so far."""

    file: Path
    data: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _lines: dict[Loc, int] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    @staticmethod
    def load(file: Path) -> "Document":
        """Reads a file. ConfigError: it cannot be read, is empty, or is no YAML mapping."""
        document = Document(file)
        try:
            node = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=_Loader)
        except OSError as exc:
            raise ConfigError([Problem(file, 1, (), f"cannot be read: {exc.strerror}")]) from exc
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as exc:
            mark = getattr(exc, "problem_mark", None)
            text = getattr(exc, "problem", None) or str(exc)
            raise ConfigError([Problem(file, mark.line + 1 if mark else 1, (), f"not YAML: {text}")]) from exc
        if not isinstance(node, yaml.MappingNode):
            text = "is empty: start from configs/minimal.yaml" if node is None else "must be a mapping of `key: value`"
            raise ConfigError([Problem(file, 1, (), text)])
        try:
            document.data = document._plain(node, ())
        except RecursionError as exc:
            raise ConfigError([Problem(file, 1, (), "not YAML that can be meant: it is nested too deeply")]) from exc
        return document

    def line(self, path: Loc) -> int:
        """The line of a value, or of the nearest thing around it that stands in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def place(self, path: Loc, line: int) -> None:
        """Says in which line a value stands that did not come from YAML."""
        self._lines[path] = line

    def report(self, path: Loc, text: str) -> None:
        """Notes a problem."""
        problem = Problem(self.file, self.line(path), path, text)
        if problem not in self.problems:
            self.problems.append(problem)

    def check(self) -> None:
        """ConfigError: with all problems in the order of their lines, where there are any."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=lambda p: (p.file != self.file, str(p.file), p.line)))

    def validate(self, model: type[BaseModel], data: object, path: Loc) -> Any:
        """The data as this model, or None with the problems noted."""
        try:
            return model.model_validate(data)
        except ValidationError as exc:
            for error in exc.errors():
                self._report(model, path, error)
            return None

    def _report(self, model: type[BaseModel], path: Loc, error: Any) -> None:
        loc: Loc = error["loc"]
        where = path + tuple(part for part in loc if part != "[key]")
        if error["type"] == "extra_forbidden":
            self.report(where, f"unknown key{closest(str(loc[-1]), _keys(model, loc[:-1]))}")
        elif error["type"] == "missing":
            self.report(where, "is missing")
        else:
            text = _IN_WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
            self.report(where, text[:1].lower() + text[1:] if text.startswith("Input") else text)

    def _plain(self, node: yaml.Node, path: Loc) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen and not isinstance(node, yaml.ScalarNode):
            self.report(path, "YAML aliases are not used here: write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Loc) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.start_mark)
            here = (*path, key)
            if key in found:
                first, self._lines[here] = self._lines[here], key_node.start_mark.line + 1
                self.report(here, f"is already given in line {first}: give every name once")
                continue
            self._lines[here] = key_node.start_mark.line + 1
            found[key] = self._plain(value_node, here)
        return found

    def _scalar(self, node: yaml.Node, path: Loc) -> Any:
        loader = _Loader("")
        try:
            value = loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as exc:
            self.report(path, f"cannot be read: {exc}")
            return None
        match = re.fullmatch(r"\$\{(\w+)\}", value) if isinstance(value, str) else None
        if match is None:
            return value
        if match[1] not in os.environ:
            self.report(path, f"the environment has no variable {match[1]}: set it before the start")
        return os.environ.get(match[1], "")


def _keys(model: Any, path: Loc) -> list[str]:
    """The keys that the model at a path inside another model knows."""
    for part in path:
        model = _required(model)
        if _is_model(model):
            named = {(info.alias or name): info for name, info in model.model_fields.items()}
            model = named[str(part)].annotation if str(part) in named else None
        elif arguments := get_args(model):
            model = arguments[-1] if get_origin(model) in {dict, list} else arguments[0]
    model = _required(model)
    return [info.alias or name for name, info in model.model_fields.items()] if _is_model(model) else []


def _required(annotation: Any) -> Any:
    """`X` of `X | None` and of `Annotated[X, …]`."""
    while get_origin(annotation) in {Union, UnionType, Annotated}:
        annotation = next((a for a in get_args(annotation) if a is not type(None)), None)
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

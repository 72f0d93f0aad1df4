"""From a scenario's file to its model: shipped names, kinds of machines, copies, errors that say where."""

import copy
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
MOST_COPIES: Final = 10_000


class ScenarioError(ValueError):
    """A scenario cannot be used; the text says `file: path: problem`."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of true and false: `on:` and `off:` are words."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping of which no key stands there twice, since the second would silently win."""
    keys = [key.value for key, _ in node.value]
    for key, _ in reversed(node.value):
        if keys.count(key.value) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"`{key.value}` stands here twice", key.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def shipped() -> dict[str, Path]:
    """The scenarios that come with the package, by name."""
    folder = Path(str(files("configs"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@cache
def kinds() -> dict[str, dict[str, Any]]:
    """What the machines of each kind have in common, as scenarios write it."""
    table: dict[str, dict[str, Any]] = yaml.load(Path(__file__).with_name("kinds.yaml").read_text("utf-8"), _Loader)
    return table


def read_scenario(name_or_path: str | Path, model: type[Model]) -> Model:
    """Read, complete and check a scenario. ScenarioError: missing or wrong."""
    path = _find(name_or_path)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as exc:
        line = f":{exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise ScenarioError(f"{path}{line}: {' '.join(filter(None, (exc.context, exc.problem)))}") from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ScenarioError(f"{path}: is no text in YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(raw, dict):
        raise ScenarioError(f"{path}: a scenario is a mapping that begins with `scenario: NAME`")
    try:
        raw = expand(raw)
    except ValueError as exc:
        raise ScenarioError(f"{path}: {exc}") from exc
    if isinstance(machines := raw.get("machines"), dict):
        raw["machines"] = {name: _complete(path, name, machine) for name, machine in machines.items()}
    try:
        return model.model_validate(raw)
    except ValidationError as exc:
        raise ScenarioError("\n".join(_said(path, error) for error in exc.errors())) from exc


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.is_file():
        return path
    if str(name_or_path) in shipped():
        return shipped()[str(name_or_path)]
    raise ScenarioError(f"{name_or_path}: no such file, and no shipped scenario; these are {', '.join(shipped())}")


def _complete(path: Path, name: str, machine: Any) -> Any:
    """A machine with the defaults of its kind below what the scenario says."""
    if not isinstance(machine, dict):
        return machine
    kind = machine.get("kind")
    if kind not in kinds():
        raise ScenarioError(f"{path}: machines.{name}.kind: no kind {kind!r}; these are {', '.join(kinds())}")
    return _over(copy.deepcopy(kinds()[kind]), machine)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, mapping by mapping; null takes away."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _over(merged[key], value)
        else:
            merged[key] = value
    return merged


def expand(node: Any) -> Any:
    """Entries with `count: 200` and a `{n}` in their name (or, in a list, in a value) written out 200 times.

    `{i}` counts from 1, `{n}` from `first` (default 1); both take a width, `{n:04}`.

    Raises:
        ValueError: `count` or `first` is no such number.
    """
    if isinstance(node, dict):
        return {name: entry for key, value in node.items() for name, entry in _copies(key, value)}
    if isinstance(node, list):
        return [entry for value in node for _, entry in _copies("", value)]
    return node


def _copies(key: Any, value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, dict) or "count" not in value or not _PLACE.search(f"{key}{value}"):
        return [(key, expand(value))]
    inner = {name: entry for name, entry in value.items() if name not in ("count", "first")}
    many, first = value["count"], value.get("first", 1)
    if type(many) is not int or not 1 <= many <= MOST_COPIES:
        raise ValueError(f"{key or 'copies'}.count: {many!r} is not a number from 1 to {MOST_COPIES}")
    if type(first) is not int or first < 0:
        raise ValueError(f"{key}.first: {first!r} is not a number from 0 on")
    numbers, first = range(1, many + 1), first - 1
    return [(_numbered(key, i, first + i), expand(_numbered(inner, i, first + i))) for i in numbers]


def _has_count(node: Any) -> bool:
    return isinstance(node, dict) and "count" in node


_PLACE = re.compile(r"\{([in])(?::(\d+))?\}")


def _numbered(node: Any, i: int, n: int) -> Any:
    if isinstance(node, str):
        return _PLACE.sub(lambda place: f"{i if place[1] == 'i' else n:{place[2] or ''}}", node)
    if isinstance(node, dict) and not _has_count(node):  # what is counted inside has its own numbers
        return {
            key if _has_count(value) else _numbered(key, i, n): _numbered(value, i, n) for key, value in node.items()
        }
    if isinstance(node, list):
        return [_numbered(value, i, n) for value in node]
    return node


_NOT_A_PLACE: Final = ("modbus", "mqtt", "[key]")


def _said(path: Path, error: Any) -> str:
    where = ".".join(str(step) for step in error["loc"] if step not in _NOT_A_PLACE)
    problem = error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    if error["type"] == "extra_forbidden":
        problem = "no such key here"
        if error["loc"][-1] in ("count", "first"):
            problem += ": copies need a {n} or {i} in their name"
    elif error["type"] == "missing":
        problem = "is missing"
    elif error["type"] == "string_pattern_mismatch" and "A-Za-z" in problem:
        problem = "names have letters, digits, `_`, `.` and `-`, and begin with a letter or digit"
    return f"{path}: {where}: {problem}" if where else f"{path}: {problem}"

"""A vendor's register map as CSV → a profile as YAML text. Pure."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from adapters.modbus.csv_cells import READERS, Row
from adapters.modbus.csv_words import key_of, slug
from adapters.modbus.points import PointConfig, PointDefaults
from adapters.modbus.resolve import from_reference, resolve_all

_PLAIN: Final = re.compile(r"[A-Za-z][\w./-]*(?: [\w./-]+)*|°[CFK]?|-?\d+")
_USUAL: Final = {"word_order": "big", "byte_order": "big", "scale": 1, "offset": 0, "counter": False}
_ENERGIES: Final = frozenset({"wh", "kwh", "mwh", "gwh", "varh", "kvarh", "mvarh", "vah", "kvah", "gj", "mj"})
_WORDS_OF_YAML: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def import_csv(text: str, name: str, vendor: str = "", document: str = "") -> str:
    """A profile of a register map.

    text:     CSV with a header: name, address and type at least, in any order and the spellings that vendors use;
              commas, semicolons or tabs; addresses as 52, 0x34 or, where all of them are, as references (40053)
    name:     the device type
    vendor:   who makes it
    document: where the map comes from
    Returns YAML text. ValueError: a line for everything that is wrong: `line 7: address: …`.
    """
    problems: list[str] = []
    rows = _rows(text, problems)
    for row in rows:
        for key, read in READERS.items():
            if row.cells.get(key):
                try:
                    read(row, row.cells[key])
                except ValueError as exc:
                    problems.append(f"line {row.line}: {key}: {exc}")
        needed = ["address"] if row.table.is_bits else ["address", "type"]
        problems += [f"line {row.line}: {key}: is missing" for key in needed if not row.cells.get(key)]
    _name(rows, problems)
    addressing = _place(rows)
    if not problems:
        _check(rows, addressing, problems)
    if problems:
        raise ValueError("\n".join(sorted(problems, key=lambda text: int(text.split()[1].rstrip(":")))))
    return _write(rows, addressing, name, vendor, document)


def _rows(text: str, problems: list[str]) -> list[Row]:
    """The lines below the header, as far as they say something."""
    lines = text.removeprefix("\ufeff").splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    head = lines[start] if lines else ""
    reader = csv.reader(lines[start:], delimiter=max(";\t,", key=head.count), skipinitialspace=True)
    rows: list[Row] = []
    try:
        keys = [key_of(header) for header in next(reader, [])]
        if "address" not in keys or not {"name", "description"} & set(keys):
            found = head[:200] or "nothing"
            problems.append(f"line {start + 1}: the header needs at least name, address and type; it has: {found}")
            return []
        for cells in reader:
            pairs = [(key, cell.strip()) for key, cell in zip(keys, cells, strict=False) if key and cell.strip()]
            if pairs and not cells[0].startswith("#"):
                # of two columns of one kind the first counts
                rows.append(Row(start + reader.line_num, dict(reversed(pairs))))
    except csv.Error as exc:
        problems.append(f"line {start + reader.line_num}: is not CSV: {exc}")
    if not rows and not problems:
        problems.append(f"line {start + 1}: no point stands below the header")
    return rows


def _name(rows: Sequence[Row], problems: list[str]) -> None:
    """Names for all points, from their names or else their descriptions."""
    lines: dict[str, int] = {}
    for row in rows:
        text = row.cells.get("name") or row.cells.get("description", "")
        row.name = slug(text)
        if not row.name:
            problems.append(f"line {row.line}: name: {text!r} has no letters that a name could be made of")
        elif row.name in lines:
            problems.append(f"line {row.line}: name: {row.name!r} is already the name of line {lines[row.name]}")
        lines.setdefault(row.name, row.line)


def _place(rows: Sequence[Row]) -> str:
    """Whether the map counts as 40001 does; it does where every address can be read so."""
    for row in rows:
        if row.table.is_bits:
            row.point.setdefault("type", "bool")
    if all(_is_reference(row) for row in rows):
        return "reference"
    return "pdu"


def _is_reference(row: Row) -> bool:
    if row.number < 10_000:
        return False
    try:
        from_reference(row.number, row.point.get("table"))
    except ValueError:
        return False
    return True


def _check(rows: Sequence[Row], addressing: str, problems: list[str]) -> None:
    """Holds every point to what a profile holds it to."""
    lines, configs = {row.name: row.line for row in rows}, {}
    for row in rows:
        row.point = {"address": row.number, "table": row.table, "word_order": "big", "byte_order": "big"} | row.point
        if addressing == "reference":
            del row.point["table"]  # the number says it
        if row.cells.get("unit", "").lower() in _ENERGIES:
            row.point.setdefault("counter", True)
        try:
            configs[row.name] = PointConfig.model_validate({"addressing": addressing, **row.point})
        except ValidationError as exc:
            for error in exc.errors():
                where = ".".join(map(str, error["loc"]))
                problems.append(f"line {row.line}: {where}: {error['msg'].removeprefix('Value error, ')}")
    for name, problem in resolve_all(configs, PointDefaults())[1].items():
        problems.append(f"line {lines[name]}: {name}: {problem}")


def _write(rows: Sequence[Row], addressing: str, name: str, vendor: str, document: str) -> str:
    defaults = {key: _most(rows, key) for key in ("table", "type", "word_order", "byte_order")}
    defaults = {key: value for key, value in defaults.items() if value not in {None, "big"}}
    if addressing == "reference":
        defaults["addressing"] = addressing
    counted = "as references: 40001 is the first holding register" if addressing == "reference" else "from zero"
    head = [
        f"# Made from a register map of {len(rows)} lines; its addresses were read {counted}.",
        "# Energies were taken for counters. Compare some values with the device before you trust this file.",
        f"name: {_scalar(name)}",
        f"vendor: {_scalar(vendor or 'unknown')}",
        f"document: {_scalar(document or 'register map of the vendor')}",
        "",
        f"defaults: {_flow(defaults)}",
        "",
        "points:",
    ]
    width = max(len(row.name) for row in rows) + 1 if rows else 0
    return "\n".join([*head, *(_line(row, defaults, width) for row in rows)]) + "\n"


def _line(row: Row, defaults: Mapping[str, Any], width: int) -> str:
    own = {}
    for key, value in row.point.items():
        usual = defaults.get(key, _USUAL.get(key))
        if value != usual:
            own[key] = value
    words = row.cells.get("description", "").split() if row.cells.get("name") else []
    note = "".join(letter for letter in " ".join(words) if letter.isprintable())
    return f"  {row.name + ':':{width}} {_flow(own)}" + (f"  # {note}" if note else "")


def _most(rows: Sequence[Row], key: str) -> Any:
    """What most rows say."""
    said = Counter(row.point.get(key) for row in rows if row.point.get(key) is not None)
    return said.most_common(1)[0][0] if said else None


def _flow(mapping: Mapping[Any, Any]) -> str:
    """A YAML mapping in one line."""
    return "{ " + ", ".join(f"{key}: {_scalar(value)}" for key, value in mapping.items()) + " }" if mapping else "{}"


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return _flow(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML and not text.lstrip("-").isdecimal()
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())

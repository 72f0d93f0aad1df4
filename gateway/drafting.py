"""From what people write, on the command line or in a file, to entries as the desk takes them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.kpi.asset import AssetModel
from gateway.kpi.bookable import COUNT_ROLES
from gateway.kpi.entries import COUNT, READING, SPANS, Entry, id_of_row
from gateway.kpi.facts import FOREVER_MS
from gateway.moment import parse_moment
from gateway.ports import Unusable
from gateway.spelling import closest
from gateway.table import read_table

COLUMNS: Final = ("kind", "asset", "from", "to", "role", "value", "id", "note")
_NAMES: Final = {"at": "from"}
_NEEDED: Final = ("kind", "asset", "from", "value")
_LONGEST: Final = 200_000
_SHOWN: Final = 50
Draft = dict[str, Any]
Problem = tuple[int, str]
"""A line and what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Drafter:
    """Reads what people write. zone: of times without an offset."""

    models: Mapping[str, AssetModel]
    zone: ZoneInfo
    now_ms: int

    def draft(self, row: Mapping[str, str]) -> Draft:
        """The entry in a row of `COLUMNS`. ValueError: `column: problem`."""
        kind, role = row["kind"].lower(), row.get("role", "")
        if kind in COUNT_ROLES:
            kind, role = COUNT, kind
        if kind not in (COUNT, READING, *SPANS):
            raise ValueError(f"kind: no {kind!r}: write {', '.join((*COUNT_ROLES, READING, *SPANS))}")
        draft: Draft = {"kind": kind, "asset": row["asset"], "role": role, "note": row.get("note", "")}
        draft |= {"id": row["id"]} if row.get("id") else {}
        draft |= {"from": self.moment(row["from"], "from")}
        if row.get("to"):
            draft["to"] = self.moment(row["to"], "to")
            if kind not in SPANS and draft["to"] != draft["from"]:
                raise ValueError(f"to: a {kind} has one moment: leave this empty")
        return draft | {"value": self._value(draft, row["value"])}

    def moment(self, text: str, column: str) -> int:
        """ms since 1970. ValueError: `column: problem`."""
        try:
            return parse_moment(text, self.zone, self.now_ms)
        except ValueError as exc:
            raise ValueError(f"{column}: {exc}") from exc

    def _value(self, draft: Draft, text: str) -> float | str:
        model = self.models.get(draft["asset"])
        if model is None:
            raise ValueError(f"asset: no {draft['asset']!r}{closest(draft['asset'], self.models)}")
        binding = model.bindings.get(draft["role"])
        if draft["kind"] in SPANS or (draft["kind"] == READING and binding is not None and binding.is_text):
            return text
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"value: {text!r} is no number")
        return number


def read_drafts(file: Path, drafter: Drafter) -> tuple[list[tuple[int, Draft]], list[Problem]]:
    """Line and entry of each row of a CSV file that says one, and what is wrong with the others.

    Unusable: the file cannot be read, its first line is wrong, or it is too long. A row without an id gets one from
    what it says, so that the same file can be imported again.
    """
    found: list[tuple[int, Draft]] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    said: dict[str, int] = {}
    for line, row in _rows(file):
        try:
            draft = drafter.draft(row)
        except ValueError as exc:
            problems.append((line, str(exc)))
            continue
        if "id" not in draft and draft["kind"] != READING:
            draft["id"] = _own_id(draft, said)
        first = seen.setdefault(draft.get("id", f"line {line}"), line)
        if first != line:
            problems.append((line, f"id: {draft['id']!r} stands in line {first} already"))
            continue
        found.append((line, draft))
    if len(found) > _LONGEST:
        raise Unusable(f"{file}: has {len(found)} rows: import at most {_LONGEST} at once")
    return found, problems


def must_be_none(file: Path, problems: Sequence[Problem]) -> None:
    """Unusable: there are problems, as file:line: column: problem; nothing was booked."""
    if problems:
        said = [f"{file}:{line}: {text}" for line, text in sorted(problems)[:_SHOWN]]
        more = [f"… and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise Unusable("\n".join(["nothing was booked:", *said, *more]))


def _own_id(draft: Draft, said: dict[str, int]) -> str:
    end: int = draft["to"] if "to" in draft else FOREVER_MS if draft["kind"] in SPANS else draft["from"]
    entry = Entry("", draft["kind"], draft["from"], end, draft["value"], draft["role"], note=draft["note"])
    first = id_of_row(draft["asset"], entry, 0)
    nth = said.get(first, 0)
    said[first] = nth + 1
    return first if nth == 0 else id_of_row(draft["asset"], entry, nth)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column; empty rows are left out."""
    try:
        table = read_table(file)
    except ValueError as exc:
        raise Unusable(str(exc)) from exc
    columns = [_NAMES.get(name, name) for name in table.columns]
    for name in columns:
        if name not in COLUMNS:
            raise Unusable(f"{file}:1: no column {name!r}{closest(name, COLUMNS)}")
    if missing := [name for name in _NEEDED if name not in columns]:
        raise Unusable(f"{file}:1: needs the column {missing[0]!r}: the first line names them, {','.join(COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise Unusable(f"{file}:1: a column stands there twice")
    for line, cells in table.rows:
        yield line, dict.fromkeys(_NEEDED, "") | {_NAMES.get(name, name): text for name, text in cells.items()}

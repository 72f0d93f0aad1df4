"""CSV files that people write: rows with the line in which they stand."""

import csv
from pathlib import Path
from typing import NamedTuple


class Table(NamedTuple):
    """A file's columns, and (line, column → text) of every row that is not empty; empty cells are left out."""

    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]


def read_table(path: Path) -> Table:
    """The table of a CSV file; commas, semicolons and tabs are told apart by the first line.

    ValueError: the file cannot be read, and why.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        dialect = csv.Sniffer().sniff(lines[0], ",;\t") if lines and set(lines[0]) & set(",;\t") else csv.excel
        reader = csv.DictReader(lines, dialect=dialect)
        rows = [(reader.line_num, cells) for row in reader if (cells := _cells(row))]
        return Table(tuple(name.strip() for name in reader.fieldnames or () if name.strip()), rows)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ValueError(f"{path} cannot be read: {reason}") from exc


def _cells(row: dict[str, str]) -> dict[str, str]:
    stripped = {key.strip(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
    return {key: value for key, value in stripped.items() if key and value}

"""`lineside import-csv`: a register map from a spreadsheet becomes a profile."""

from pathlib import Path

from adapters.modbus.import_csv import import_csv
from gateway.ports import Unusable


def convert(table: Path, name: str, vendor: str, document: str) -> str:
    """The profile's YAML. Unusable: the file cannot be read, or `file: line N: column: problem` for each problem."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise Unusable(f"{table}: {exc.strerror if isinstance(exc, OSError) else 'is not a text in UTF-8'}") from exc
    try:
        return import_csv(text, name, vendor, document)
    except ValueError as exc:
        raise Unusable("\n".join(f"{table}: {line}" for line in str(exc).splitlines())) from exc


def write(text: str, out: Path, *, force: bool) -> None:
    """Unusable: the file is there already, or cannot be written."""
    if out.exists() and not force:
        raise Unusable(f"{out} exists: write --force to overwrite it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise Unusable(f"{out}: {exc.strerror}") from exc

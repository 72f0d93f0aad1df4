"""Opens and creates recordings; the name's end says how they are written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.model import Tag
from gateway.ports import Unusable
from gateway.recording.csv_file import CsvReader, CsvWriter
from gateway.recording.page import Reader, Writer

_UTC: Final = ZoneInfo("UTC")
_CSV: Final = (".csv", ".csv.gz", ".csv.zst")
_PARQUET: Final = ".parquet"


def open_recording(file: Path, zone: ZoneInfo = _UTC) -> Reader:
    """Opens a recording. Unusable: it is none, or cannot be read; says what to do.

    zone: where times without an offset are from
    """
    if _is_parquet(file):
        from gateway.recording.parquet_file import ParquetReader

        return ParquetReader(file, zone)
    return CsvReader(file, zone)


def create_recording(file: Path, tags: Mapping[str, Tag]) -> Writer:
    """Begins a recording with this dictionary; it takes its name when it is closed. Unusable: cannot be written."""
    if _is_parquet(file):
        from gateway.recording.parquet_file import ParquetWriter

        return ParquetWriter(file, tags)
    return CsvWriter(file, tags)


def _is_parquet(file: Path) -> bool:
    name = file.name.lower()
    if not name.endswith((*_CSV, _PARQUET)):
        raise Unusable(f"{file}: a recording is a file named {', '.join(_CSV)} or {_PARQUET}")
    return name.endswith(_PARQUET)

"""Whether what a run shall write can be written: said before it begins, not after eight hours."""

import os
from pathlib import Path
from typing import Final

_MADE: Final = "# Made from "


def check_outputs(
    scenario: str,
    ledger: Path | None = None,
    site_config: Path | None = None,
    recording: Path | None = None,
    *,
    parquet: bool = False,
) -> None:
    """Make the folders of the files to come.

    Raises:
        ValueError: a file would destroy another one, or is no such file. OSError: it cannot be written there.
    """
    for path in filter(None, (ledger, site_config, recording)):
        if path.exists() and Path(scenario).exists() and path.samefile(scenario):
            raise ValueError(f"{path} is the scenario itself: write to another file")
    if site_config and site_config.exists() and not _is_made(site_config):
        raise ValueError(f"{site_config} was not written by simulate: take it away first, or write to another file")
    if ledger and (ledger.suffix not in ("", ".json") or (not ledger.suffix and ledger.is_file())):
        raise ValueError(f"{ledger}: the truth is written as NAME.json, or into a folder as tables")
    if parquet and (ledger is None or ledger.suffix):
        raise ValueError("--parquet is for the tables of --ledger FOLDER")
    for path in filter(None, (ledger, site_config, recording)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(f"{path} cannot be written: its folder is not yours")


def _is_made(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(_MADE)) == _MADE

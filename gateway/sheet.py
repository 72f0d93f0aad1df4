"""Instance sheets: many sources of one kind from a CSV file, one per row, so that 300 meters are not 300 blocks.

    sources:
      meters:
        sheet: meters.csv            # columns: name, endpoint, unit_id, asset, line, …
        kind: modbus                 # what all rows have in common
        profile: eastron/sdm630
        each: { energy: { electricity: import_energy } }   # what the asset of each row has

Columns are the keys of the kind, and `line`: the asset's line. An empty cell leaves the common value.
"""

from typing import Any, Final

from gateway.document import Document
from gateway.spelling import closest
from gateway.table import read_table

SHEET_SCHEMA: Final[dict[str, Any]] = {
    "title": "Sheet",
    "description": "Sources from a CSV file, one per row; the other keys are what all rows have in common.",
    "type": "object",
    "required": ["sheet", "kind"],
    "properties": {
        "sheet": {"type": "string", "description": "the CSV file; its columns are name, line, and keys of the kind"},
        "kind": {"type": "string"},
        "each": {"$ref": "#/$defs/AssetConfig", "description": "what the asset of each row has"},
    },
}


def expand(document: Document) -> dict[str, Document]:
    """Puts the rows of every sheet among the sources (and their assets) of the document's data.

    Returns source name → the sheet that it stands in, so that its errors name the sheet's line.
    """
    sources = document.data.get("sources")
    found: dict[str, Document] = {}
    if not isinstance(sources, dict):
        return found
    for name, entry in list(sources.items()):
        if isinstance(entry, dict) and "sheet" in entry:
            del sources[name]
            _expand_one(document, name, entry, found)
    return found


def _expand_one(document: Document, name: str, entry: dict[str, Any], found: dict[str, Document]) -> None:
    common = {key: value for key, value in entry.items() if key not in {"sheet", "each"}}
    path = document.file.resolve().parent / str(entry["sheet"])
    sheet = Document(path, problems=document.problems)
    try:
        table = read_table(path)
    except ValueError as exc:
        document.report(("sources", name, "sheet"), str(exc))
        return
    if "name" not in table.columns:
        document.report(("sources", name, "sheet"), f"{path} has no column `name`{closest('name', table.columns)}")
        return
    sources, assets = document.data["sources"], document.data.setdefault("assets", {})
    for line, row in table.rows:
        source, row_line = row.pop("name", ""), row.pop("line", "")
        sheet.place(("sources", source), line)
        if source in sources:
            sheet.report(("sources", source), "this name is already taken: give every source a name of its own")
            continue
        sources[source] = common | row
        found[source] = sheet
        _add_asset(assets, str((common | row).get("asset", "")), entry.get("each"), row_line)


def _add_asset(assets: Any, asset: str, each: object, line: str) -> None:
    """The asset of a row, unless the config describes it by itself."""
    has = dict(each) if isinstance(each, dict) else {}
    if line:
        has["line"] = line
    if isinstance(assets, dict) and asset and has:
        assets.setdefault(asset, has)

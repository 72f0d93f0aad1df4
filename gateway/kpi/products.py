"""Products and their ideal cycle times by asset, from the config or from a CSV file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from gateway.document import Document, closest
from gateway.fields import Duration, Name, Section, parse_duration
from gateway.table import read_rows

EVERY: Final = "*"
"""In place of an asset: those that have no time of their own."""
ProductName = Annotated[str, Field(min_length=1, max_length=200)]
_COLUMNS: Final = ("product", "asset", "ideal_cycle_time", "title")


def _everywhere(value: object) -> object:
    return {EVERY: value} if isinstance(value, str) else value


class ProductConfig(Section):
    """A product. ideal_cycle_time: one for every asset, or one per asset (`*`: all others)."""

    title: str = ""
    ideal_cycle_time: Annotated[
        dict[Name | Literal["*"], Duration],
        BeforeValidator(_everywhere, json_schema_input_type=Duration | dict[Name, Duration]),
    ] = Field(default_factory=dict)


def ideal_times(products: Mapping[str, ProductConfig], asset: str) -> dict[str, int]:
    """Product → ideal time per part on an asset, µs."""
    times = {name: one.ideal_cycle_time.get(asset, one.ideal_cycle_time.get(EVERY)) for name, one in products.items()}
    return {name: round(seconds * 1e6) for name, seconds in times.items() if seconds is not None}


def read_products(file: Path, document: Document, assets: Collection[str]) -> dict[str, ProductConfig]:
    """The products of a CSV file with the columns product, asset, ideal_cycle_time, title (in any order).

    An empty asset stands for every asset. What is wrong is noted in the document, under the file's own lines.
    """
    sheet = Document(file, problems=document.problems)
    try:
        rows = read_rows(file)
    except ValueError as exc:
        document.report(("products_file",), str(exc))
        return {}
    if not any("product" in row for _, row in rows):
        document.report(("products_file",), f"{file} has no column `product`: it needs {', '.join(_COLUMNS)}")
        return {}
    found: dict[str, dict[str, object]] = {}
    for line, row in rows:
        if problem := _take(row, found, assets):
            sheet.place((), line)
            sheet.report((), problem)
    return {name: ProductConfig.model_validate(one) for name, one in found.items()}


def _take(row: Mapping[str, str], found: dict[str, dict[str, object]], assets: Collection[str]) -> str:
    """Adds a row to its product; returns what is wrong with it."""
    name, asset = row.get("product", ""), row.get("asset", EVERY)
    unknown = row.keys() - set(_COLUMNS)
    if unknown:
        return f"unknown column {min(unknown)!r}{closest(min(unknown), _COLUMNS)}"
    if not name:
        return "has no product"
    if asset != EVERY and asset not in assets:
        return f"no asset {asset!r}{closest(asset, assets)}"
    product = found.setdefault(name, {"title": "", "ideal_cycle_time": {}})
    product["title"] = row.get("title", product["title"])
    times = product["ideal_cycle_time"]
    assert isinstance(times, dict)
    if "ideal_cycle_time" not in row:
        return ""
    if asset in times:
        return f"product {name!r} has a time on {'every asset' if asset == EVERY else asset} already"
    try:
        parse_duration(row["ideal_cycle_time"])
    except ValueError as exc:
        return str(exc)
    times[asset] = row["ideal_cycle_time"]
    return ""

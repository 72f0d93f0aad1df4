"""Products and their ideal cycle times by asset, from the config or from a CSV file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from gateway.document import Document
from gateway.fields import Duration, Name, Section, parse_duration
from gateway.spelling import closest
from gateway.table import read_table

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
        table = read_table(file)
    except ValueError as exc:
        document.report(("products_file",), str(exc))
        return {}
    unknown = sorted(set(table.columns) - set(_COLUMNS))
    if unknown or "product" not in table.columns:
        what = f"unknown column {unknown[0]!r}{closest(unknown[0], _COLUMNS)}" if unknown else "no column `product`"
        sheet.report((), what)
        return {}
    found: dict[str, _Product] = {}
    for line, row in table.rows:
        try:
            _take(row, found, assets)
        except ValueError as exc:
            sheet.place((), line)
            sheet.report((), str(exc))
    return {name: ProductConfig(title=one.title, ideal_cycle_time=one.times) for name, one in found.items()}


@dataclass(slots=True)
class _Product:
    title: str = ""
    times: dict[str, str] = field(default_factory=dict)


def _take(row: Mapping[str, str], found: dict[str, _Product], assets: Collection[str]) -> None:
    """Adds a row to its product. ValueError: what is wrong with it."""
    name, asset, time = row.get("product", ""), row.get("asset", EVERY), row.get("ideal_cycle_time")
    if not name:
        raise ValueError("has no product")
    if asset != EVERY and asset not in assets:
        raise ValueError(f"no asset {asset!r}{closest(asset, assets)}")
    product = found.setdefault(name, _Product())
    product.title = row.get("title", product.title)
    if time is None:
        return
    if asset in product.times:
        raise ValueError(f"product {name!r} has a time on {'every asset' if asset == EVERY else asset} already")
    if not parse_duration(time):
        raise ValueError(f"{time!r}: a part takes longer than that")
    product.times[asset] = time

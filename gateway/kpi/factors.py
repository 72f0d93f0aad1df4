"""Dated factors from packs: records with a source, applied at query time and named by every result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gateway.fields import Section
from gateway.library import Library

GRID: Final = "grid_electricity"
_KG_PER_KWH: Final = {"tCO2/MWh": 1.0, "tCO2e/MWh": 1.0, "kgCO2/kWh": 1.0, "kgCO2e/kWh": 1.0, "gCO2e/kWh": 0.001}


class PackError(ValueError):
    """A pack cannot be used; the text names file and record."""


class FactorRecord(Section):
    """One published value with its validity and where it comes from.

    verified   official: read in the issuer's own document; secondary: several independent sources agree; unverified
    """

    key: str
    value: Annotated[float, Field(gt=0)]
    unit: str
    scope: str
    valid_from: date
    valid_to: date
    data_year: int
    issued_by: str
    document: str
    source_url: str = ""
    retrieved: date | None = None
    verified: Literal["official", "secondary", "unverified"]
    note: str = ""

    @model_validator(mode="after")
    def _fits(self) -> "FactorRecord":
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        if self.key == GRID and self.unit not in _KG_PER_KWH:
            raise ValueError(f"unit {self.unit!r}: a grid factor has one of {', '.join(_KG_PER_KWH)}")
        return self


class Pack(Section):
    """A file of `packs/`."""

    factors: tuple[FactorRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor as it applies to a date.

    label             names the record: key, year, value, document, how well verified
    latest_available  no record covers the date: the newest earlier one is used
    """

    kg_per_kwh: float
    label: str
    latest_available: bool = False


@dataclass(frozen=True, slots=True)
class Factors:
    """The records of the configured packs, each key in order of time."""

    records: tuple[FactorRecord, ...] = ()

    @staticmethod
    def load(packs: Sequence[str], library: Library) -> "Factors":
        """The factors of packs by name. UnknownName: no such pack. PackError: names file and record."""
        records: list[FactorRecord] = []
        for name in packs:
            records += _read(library.find("packs", name)).factors
        records.sort(key=lambda record: (record.key, record.valid_from))
        for one, following in pairwise(records):
            if one.key == following.key and following.valid_from <= one.valid_to:
                raise PackError(f"packs {', '.join(packs)}: {_name(one)} and {_name(following)} cover the same days")
        return Factors(tuple(records))

    def grid(self, at: date) -> Factor | None:
        """The grid emission factor for a date, None where there is no record for it or an earlier date.

        Factors are published late: a date after the last record takes that record, and the result says so.
        """
        earlier = [record for record in self.records if record.key == GRID and record.valid_from <= at]
        if not earlier:
            return None
        record = earlier[-1]
        latest = at > record.valid_to
        return Factor(record.value * _KG_PER_KWH[record.unit], _label(record, latest), latest)


def _read(path: Path) -> Pack:
    try:
        return Pack.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except yaml.YAMLError as exc:
        raise PackError(f"{path}: is not YAML: {exc}") from exc
    except ValidationError as exc:
        raise PackError("\n".join(_problems(path, exc))) from exc


def _problems(path: Path, error: ValidationError) -> Iterable[str]:
    for item in error.errors():
        section, *where = item["loc"] or ("file",)
        record = f"[{where.pop(0)}]" if where else ""
        yield f"{path}: {'.'.join([f'{section}{record}', *map(str, where)])}: {item['msg']}"


def _name(record: FactorRecord) -> str:
    return f"{record.key} {record.data_year}"


def _label(record: FactorRecord, latest: bool) -> str:
    text = f"{_name(record)}: {record.value:g} {record.unit} ({record.document}, {record.verified})"
    return f"{text}, latest available" if latest else text

"""One pack file: reading it, and what may not stand in it."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import yaml
from pydantic import ValidationError

from gateway.fields import Section
from gateway.packs.records import (
    FactorRecord,
    HoursRecord,
    NormRecord,
    ReactiveRecord,
    Record,
    TariffRecord,
    ThresholdRecord,
)


class PackError(ValueError):
    """A pack cannot be used; the text names file and record."""


class Pack(Section):
    """A file of `packs/`: records by kind."""

    factors: tuple[FactorRecord, ...] = ()
    tariffs: tuple[TariffRecord, ...] = ()
    hours: tuple[HoursRecord, ...] = ()
    reactive: tuple[ReactiveRecord, ...] = ()
    thresholds: tuple[ThresholdRecord, ...] = ()
    norms: tuple[NormRecord, ...] = ()

    @property
    def records(self) -> tuple[Record, ...]:
        """All records of all kinds."""
        return (*self.factors, *self.tariffs, *self.hours, *self.reactive, *self.thresholds, *self.norms)


def read(path: Path) -> Pack:
    """A checked pack. PackError: with every problem, each with file and record."""
    try:
        pack = Pack.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except yaml.YAMLError as exc:
        raise PackError(f"{path}: is not YAML: {exc}") from exc
    except ValidationError as exc:
        raise PackError("\n".join(_problems(path, exc))) from exc
    found = list(_contradictions(pack.records))
    if found:
        raise PackError("\n".join(f"{path}: {problem}" for problem in found))
    return pack


def _problems(path: Path, error: ValidationError) -> Iterable[str]:
    for item in error.errors():
        section, *where = item["loc"] or ("file",)
        record = f"[{where.pop(0)}]" if where else ""
        message = item["msg"].removeprefix("Value error, ")
        yield f"{path}: {'.'.join([f'{section}{record}', *map(str, where)])}: {message}"


def _contradictions(records: Iterable[Record]) -> Iterator[str]:
    """Two records of one key for the same day must be variants that a site can choose from."""
    by_key: dict[str, list[Record]] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
    for same in by_key.values():
        for one, other in combinations(same, 2):
            if not _overlap(one, other):
                continue
            if one.variant == other.variant:
                yield f"{one.name} and {other.name} cover the same days: end one of them, or make them variants"
            elif one.preferred and other.preferred:
                yield f"{one.name} and {other.name} are both `preferred`"


def _overlap(one: Record, other: Record) -> bool:
    return one.covers(other.valid_from) or other.covers(one.valid_from)

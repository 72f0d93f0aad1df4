"""The records of all packs of a site, and which of them applies on a day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, TypeVar

from gateway.library import Library
from gateway.packs.pack import PackError, read
from gateway.packs.records import Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Found(Generic[R]):
    """A record as it applies to a day.

    latest_available  no record covers the day: the newest earlier one is used
    contradicted      names of other variants that cover the day too, where nobody chose
    """

    record: R
    latest_available: bool = False
    contradicted: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The record in words, for every result that used it."""
        remarks = [f"{self.record.name} ({self.record.document}, {self.record.verified})"]
        remarks += ["latest available"] * self.latest_available
        remarks += [f"contradicted by {', '.join(self.contradicted)}"] * bool(self.contradicted)
        return ", ".join(remarks)


@dataclass(frozen=True, slots=True)
class Packs:
    """Records of a site's packs.

    packs    the records of each pack; where two packs hold a key, the later one counts on the days that it covers
    choices  key → variant that the site chose
    strict   a day that no record covers has none; otherwise the newest earlier record applies, and says so
    """

    packs: tuple[tuple[Record, ...], ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    @staticmethod
    def load(
        names: Sequence[str], library: Library, choices: Mapping[str, str] | None = None, *, strict: bool = False
    ) -> "Packs":
        """The packs by name. UnknownName: no such pack. PackError: names file and record, or a choice that is none."""
        packs = tuple(read(library.find("packs", name)).records for name in names)
        found = Packs(packs, dict(choices or {}), strict)
        for key, variant in found.choices.items():
            known = sorted({record.variant for record in found.of(Record) if record.key == key and record.variant})
            if variant not in known:
                raise PackError(
                    f"pack_choices: {key} has no variant {variant!r}; known are {', '.join(known) or 'none'}"
                )
        return found

    def of(self, kind: type[R]) -> list[R]:
        """Every record of a kind."""
        return [record for pack in self.packs for record in pack if isinstance(record, kind)]

    def at(self, kind: type[R], key: str, day: date) -> Found[R] | None:
        """The record of a key that applies on a day, None where there is none (`factor_missing`)."""
        for pack in reversed(self.packs):
            covering = [r for r in pack if isinstance(r, kind) and r.key == key and r.covers(day)]
            if covering:
                return self._chosen(covering)
        earlier = [r for r in self.of(kind) if r.key == key and r.valid_from <= day]
        if self.strict or not earlier:
            return None
        newest = max(r.valid_from for r in earlier)
        found = self._chosen([r for r in earlier if r.valid_from == newest])
        return Found(found.record, latest_available=True, contradicted=found.contradicted)

    def _chosen(self, candidates: Sequence[R]) -> Found[R]:
        choice = self.choices.get(candidates[0].key)
        chosen = [record for record in candidates if choice and record.variant == choice]
        if chosen:
            return Found(chosen[0])
        best = next((record for record in candidates if record.preferred), candidates[-1])
        return Found(best, contradicted=_names(record for record in candidates if record is not best))


def _names(records: Iterable[Record]) -> tuple[str, ...]:
    return tuple(record.name for record in records)

"""Peak, normal and off-peak time: which band each minute belongs to and what a kWh costs then. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.energy.localtime import Offsets
from gateway.packs import Found, HoursRecord, Packs, TariffRecord
from gateway.packs.records import BANDS, Band

_MINUTE_MS: Final = 60_000
_DAY_MIN: Final = 1440
_WEEK_MIN: Final = 7 * _DAY_MIN
_SUNDAY_MIN: Final = 6 * _DAY_MIN
_EPOCH_WEEKDAY: Final = 3  # 1 January 1970 was a Thursday
_EPOCH: Final = date(1970, 1, 1)
_NORMAL: Final = BANDS.index("normal")


@dataclass(frozen=True, slots=True)
class Terms:
    """The records that apply to a day; None where the packs have none.

    tried  the hours are not valid on the day: somebody asks what they would cost
    """

    tariff: Found[TariffRecord] | None
    hours: Found[HoursRecord] | None
    tried: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """What lacks for a price."""
        return ("tariff",) * (self.tariff is None) + ("hours",) * (self.hours is None)

    @property
    def labels(self) -> list[str]:
        """The records in words."""
        found = [self.tariff.label] if self.tariff else []
        if self.hours:
            found.append(self.hours.label + ", tried on days on which it is not valid" * self.tried)
        return found

    def price(self, band: Band) -> float | None:
        """The price of a kWh without VAT."""
        return None if self.tariff is None or self.hours is None else self.tariff.record.prices[band]


TermsOf = Callable[[date], Terms]


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """k stretches of one band under the same records, in order, without gaps.

    edge_ms  int64[k+1]  UTC ms
    band     int8[k]     an index into `BANDS`; normal where no hours are known
    row      int64[k]    an index into `terms`
    """

    edge_ms: NDArray[np.int64]
    band: NDArray[np.int8]
    row: NDArray[np.int64]
    terms: tuple[Terms, ...]


def bands(terms_of: TermsOf, zone: ZoneInfo, from_ms: int, to_ms: int, sundays: frozenset[date] = frozenset()) -> Bands:
    """The bands of a range, by what local clocks show at each minute.

    Where clocks are put back, the hour that comes twice is in its band twice; the one that is left out is in none.

    Args:
        terms_of: local date → records.
        zone: of the site.
        from_ms, to_ms: whole minutes, UTC ms, [from, to), not empty.
        sundays: dates whose hours are those of a Sunday.
    """
    minutes = np.arange(from_ms, to_ms, _MINUTE_MS, dtype=np.int64)
    shown = Offsets.of(zone, from_ms, to_ms).local(minutes) // _MINUTE_MS
    first_day = int(shown.min()) // _DAY_MIN
    day = shown // _DAY_MIN - first_day
    local = [_EPOCH + timedelta(days=first_day + n) for n in range(int(day.max()) + 1)]
    terms: list[Terms] = []
    rows = np.array([_row(terms, terms_of(one)) for one in local], np.int64)[day]
    week_min = (shown + _EPOCH_WEEKDAY * _DAY_MIN) % _WEEK_MIN
    free = np.array([one in sundays for one in local], np.bool_)[day]
    week_min = np.where(free, _SUNDAY_MIN + shown % _DAY_MIN, week_min)
    tables = np.array([_table(one.hours.record if one.hours else None) for one in terms], np.int8)
    band = tables[rows, week_min]
    first = np.flatnonzero(np.append(True, (np.diff(band) != 0) | (np.diff(rows) != 0)))
    return Bands(np.append(minutes[first], to_ms), band[first], rows[first], tuple(terms))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records of the packs a site's electricity is billed by.

    tariff, hours  their keys
    variant        these hours, whatever the packs prefer, also on days before they are valid: to compare schedules
    """

    packs: Packs
    tariff: str
    hours: str
    variant: str = ""

    def terms(self, day: date) -> Terms:
        """The records of a day."""
        tariff, hours = self.packs.at(TariffRecord, self.tariff, day), self._hours(day)
        return Terms(tariff, hours, bool(self.variant and hours and not hours.record.covers(day)))

    def variants(self) -> list[str]:
        """The names of the variants of the hours."""
        records = self.packs.of(HoursRecord)
        return sorted({one.variant for one in records if one.key == self.hours and one.variant})

    def _hours(self, day: date) -> Found[HoursRecord] | None:
        if not self.variant:
            return self.packs.at(HoursRecord, self.hours, day)
        own = [one for one in self.packs.of(HoursRecord) if one.key == self.hours and one.variant == self.variant]
        valid = [one for one in own if one.covers(day)]
        return Found((valid or own)[-1]) if own else None


def _row(known: list[Terms], terms: Terms) -> int:
    """The place of terms among those that are known; new ones are added."""
    if terms not in known:
        known.append(terms)
    return known.index(terms)


def _table(hours: HoursRecord | None) -> NDArray[np.int8]:
    """int8[10080]: minute of the week → band."""
    table = np.full(_WEEK_MIN, _NORMAL, np.int8)
    for (start, end), band in hours.week() if hours else ():
        table[start:end] = BANDS.index(band)
    return table

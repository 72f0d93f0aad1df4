"""The electricity bill of a range: energy by band and record, reactive charge, capacity, VAT. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.energy.bands import Bands, Terms
from gateway.energy.demand import Peak
from gateway.energy.profile import Profile
from gateway.packs import Found, ReactiveRecord
from gateway.packs.records import BANDS, Band

_MWH_PER_KWH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """The energy of a band under the same records.

    mwh         all of it
    spread_mwh  of it, what fell into holes of the readings: it is spread evenly over them, and may be another band's
    amount      without VAT, None without a price
    """

    band: Band
    terms: Terms
    mwh: int
    spread_mwh: int

    @property
    def price(self) -> float | None:
        """Of a kWh, without VAT."""
        return self.terms.price(self.band)

    @property
    def amount(self) -> float | None:
        """Without VAT."""
        return None if self.price is None else self.price * self.mwh / _MWH_PER_KWH

    @property
    def vat(self) -> float:
        """On the amount."""
        tariff = self.terms.tariff
        return (self.amount or 0.0) * (tariff.record.vat_percent / 100 if tariff else 0.0)


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """cos φ of a range from its active and reactive energy. value: None where there was no active energy."""

    mwh: int
    mvarh: int

    @property
    def value(self) -> float | None:
        """Active over apparent energy."""
        return self.mwh / math.hypot(self.mwh, self.mvarh) if self.mwh > 0 else None


@dataclass(frozen=True, slots=True)
class Extra:
    """A charge beside the energy: its amount without VAT (None: unknown), and why it is what it is."""

    amount: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Bill:
    """What a range costs.

    lines     by band and records, in order of time and band
    low, high  the energy's amount if what is spread over a hole was all in the cheapest, or dearest, band of the hole
    factors   every record that was used
    missing   what lacks: `energy`, or a record of `tariff` or `hours`; then there is no amount
    """

    lines: tuple[Line, ...]
    low: float | None
    high: float | None
    reactive: Extra
    capacity: Extra
    currency: str
    factors: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def mwh(self) -> int:
        """All energy."""
        return sum(line.mwh for line in self.lines)

    @property
    def spread_mwh(self) -> int:
        """Energy of holes in the readings."""
        return sum(line.spread_mwh for line in self.lines)

    @property
    def energy(self) -> float | None:
        """The energy's amount without VAT."""
        return None if self.missing else sum(line.amount or 0.0 for line in self.lines)

    @property
    def net(self) -> float | None:
        """Energy, reactive and capacity without VAT; a charge that is unknown is left out."""
        return None if self.energy is None else self.energy + (self.reactive.amount or 0) + (self.capacity.amount or 0)

    @property
    def vat(self) -> float | None:
        """VAT on everything; charges beside the energy at its mean rate."""
        if self.energy is None or self.net is None:
            return None
        own = sum(line.vat for line in self.lines)
        return own * self.net / self.energy if self.energy else 0.0

    @property
    def total(self) -> float | None:
        """With VAT."""
        return None if self.net is None or self.vat is None else self.net + self.vat

    def share(self, band: Band) -> float | None:
        """The part of the energy that fell into a band, None without energy."""
        return sum(line.mwh for line in self.lines if line.band == band) / self.mwh if self.mwh else None


def bill(
    profile: Profile,
    bands: Bands,
    *,
    power_factor: PowerFactor | None = None,
    reactive: Found[ReactiveRecord] | None = None,
    registered_kw: float | None = None,
    peak: Peak | None = None,
    is_whole_month: bool = False,
) -> Bill:
    """The bill of a profile.

    An interval that lies across the edge of a band is split in proportion to time; cumulated values are rounded, so
    that the bands add up to the whole.

    Args:
        profile: of the whole range.
        bands: of the same range.
        power_factor: of the range, None where no reactive energy is read.
        reactive: the record of the charge for a poor one.
        registered_kw: the power agreed with the supplier; the reactive charge counts from a size on.
        peak: the block demand, for tariffs with a price of capacity.
        is_whole_month: prices of capacity are for months.
    """
    lines = tuple(_lines(profile, bands))
    used = [line.terms for line in lines if line.mwh]
    missing = tuple(dict.fromkeys(name for terms in used for name in terms.missing))
    if not profile.known_ms and not profile.total_mwh:
        missing = ("energy",)
    currency = next((terms.tariff.record.currency for terms in bands.terms if terms.tariff), "")
    energy = None if missing else sum(line.amount or 0.0 for line in lines)
    low, high = (None, None) if energy is None else _bounds(profile, bands, energy)
    factors = [label for terms in used for label in terms.labels]
    charge = _reactive(energy, power_factor, reactive, registered_kw)
    if reactive and charge.amount is not None:
        factors.append(reactive.label)
    capacity = _capacity(bands, peak, is_whole_month=is_whole_month)
    return Bill(lines, low, high, charge, capacity, currency, tuple(dict.fromkeys(factors)), missing)


def _lines(profile: Profile, bands: Bands) -> Iterator[Line]:
    """Energy by records and band."""
    energy = np.diff(profile.at(bands.edge_ms))
    holes = Profile(profile.edge_ms, np.where(profile.known, 0, profile.mwh), profile.known)
    spread = np.diff(holes.at(bands.edge_ms))
    for row, terms in enumerate(bands.terms):
        for number, band in enumerate(BANDS):
            inside = (bands.row == row) & (bands.band == number)
            if inside.any():
                yield Line(band, terms, int(energy[inside].sum()), int(spread[inside].sum()))


def _bounds(profile: Profile, bands: Bands, energy: float) -> tuple[float, float]:
    low = high = energy
    for start, end in profile.unknown_runs():
        edges = np.clip(bands.edge_ms, start, end)
        touched = np.flatnonzero(np.diff(edges))
        prices = np.array([bands.terms[bands.row[n]].price(BANDS[bands.band[n]]) or 0.0 for n in touched])
        mwh = np.diff(profile.at(edges))[touched]
        low -= float((mwh * (prices - prices.min())).sum()) / _MWH_PER_KWH
        high += float((mwh * (prices.max() - prices)).sum()) / _MWH_PER_KWH
    return low, high


def _reactive(
    energy: float | None, factor: PowerFactor | None, found: Found[ReactiveRecord] | None, registered_kw: float | None
) -> Extra:
    if factor is None:
        return Extra(None, "reactive energy is not read")
    if factor.value is None:
        return Extra(None, "no active energy")
    if found is None:
        return Extra(None, "factor_missing: no record of the reactive charge")
    record = found.record
    if registered_kw is not None and registered_kw < record.from_kw:
        return Extra(0.0, f"counts from {record.from_kw:g} kW of registered power")
    percent = record.percent(factor.value)
    if energy is None:
        return Extra(None, f"{percent:.2f} % of the energy's price, which is unknown")
    return Extra(energy * percent / 100, f"{percent:.2f} % of the energy at cos φ {factor.value:.4f}")


def _capacity(bands: Bands, peak: Peak | None, *, is_whole_month: bool) -> Extra:
    """The price of the month's peak; where it changes inside the month, that of the month's last day."""
    last = bands.terms[int(bands.row[-1])].tariff
    price = last.record.capacity_per_kw_month if last else None
    if price is None:
        return Extra(0.0, "the tariff has no price of capacity")
    if not is_whole_month:
        return Extra(None, "a price of capacity is for whole months")
    if peak is None:
        return Extra(None, "there is no peak demand")
    return Extra(price * peak.kw, f"{peak.kw:.1f} kW at {price:g}")

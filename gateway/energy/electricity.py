"""An owner's electricity over a range, out of kpi.db: demand, and the bill by the records of the packs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import apsw

from gateway.energy.bands import Bands, Choice, bands
from gateway.energy.bill import Bill, PowerFactor, bill
from gateway.energy.config import ElectricityConfig
from gateway.energy.demand import Demand, Peak, coincidence, demand
from gateway.energy.localtime import is_month
from gateway.energy.profile import Profile, rest
from gateway.energy.stored import Stored, meters_of, stored
from gateway.kpi.buckets import quantities
from gateway.packs import Packs, ReactiveRecord

Span = tuple[int, int]
REACTIVE = "reactive"
REST = "not sub-metered"


@dataclass(frozen=True, slots=True)
class OwnersDemand:
    """The demand of an owner and of its parts.

    look         what it was computed from
    parts        asset with a meter, or `REST` → its own peak; empty for an asset
    coincidence  see `coincidence`
    """

    look: Stored
    demand: Demand
    parts: Mapping[str, Peak | None]
    coincidence: float | None


@dataclass(frozen=True, slots=True)
class Electricity:
    """How a site's electricity is counted."""

    config: ElectricityConfig
    packs: Packs
    zone: ZoneInfo
    _bands: dict[tuple[Span, str], Bands] = field(default_factory=dict, repr=False, compare=False)

    def look(self, db: apsw.Connection, owner: str, span: Span) -> Stored:
        """What is stored of an owner's electricity."""
        return stored(db, owner, span)

    def demand(self, db: apsw.Connection, owner: str, span: Span, window_ms: int = 0) -> OwnersDemand:
        """Demand over windows of this length, or of the config's."""
        length_ms = window_ms or self.config.window_ms
        own = self.look(db, owner, span)
        found = demand(own.profile, length_ms, self.zone)
        profiles = self._parts(db, own)
        peaks = {part: demand(one, length_ms, self.zone).block for part, one in profiles.items()}
        return OwnersDemand(own, found, peaks, coincidence(found.block, list(peaks.values())))

    def _parts(self, db: apsw.Connection, own: Stored) -> dict[str, Profile]:
        """What makes up a group: its lowest meters, and what the uppermost ones measured beyond them."""
        meters = meters_of(db, own.owner)
        if meters.leaves == (own.owner,):
            return {}
        found = {name: self.look(db, name, own.span).profile for name in meters.leaves}
        if meters.whole != meters.leaves:
            found[REST] = rest(own.profile, list(found.values()))
        return found

    def choice(self, variant: str = "") -> Choice:
        """The records by which a bill is written; variant: these hours instead of those of the packs."""
        return Choice(self.packs, self.config.tariff, self.config.hours, variant)

    def bands(self, span: Span, variant: str = "") -> Bands:
        """The bands of a range, kept: a report asks for the same month of many meters."""
        key = (span, variant)
        if key not in self._bands:
            self._bands[key] = bands(self.choice(variant).terms, self.zone, *span, self.config.holidays)
        return self._bands[key]

    def bill(self, own: Stored, factor: PowerFactor | None, variant: str = "") -> Bill:
        """The bill of a range under the hours of the packs, or of a variant of them."""
        span, power = own.span, self.config.registered_power
        return bill(
            own.profile,
            self.bands(span, variant),
            power_factor=factor,
            reactive=self.packs.at(ReactiveRecord, self.config.reactive, self._day(span[0])),
            registered_kw=None if power is None else power / 1000,
            peak=demand(own.profile, self.config.window_ms, self.zone).block,
            is_whole_month=is_month(span, self.zone),
        )

    def power_factor(self, db: apsw.Connection, own: Stored) -> PowerFactor | None:
        """None: no reactive energy is read."""
        if REACTIVE not in quantities:
            return None
        reactive = stored(db, own.owner, own.span, REACTIVE)
        return PowerFactor(own.profile.total_mwh, reactive.profile.total_mwh)

    def _day(self, at_ms: int) -> date:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone).date()

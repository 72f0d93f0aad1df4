"""An owner's electricity over a range, out of kpi.db: demand, and the bill by the records of the packs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import apsw

from gateway.energy.bands import Choice, bands
from gateway.energy.bill import Bill, PowerFactor, bill
from gateway.energy.config import ElectricityConfig
from gateway.energy.demand import Demand, Peak, coincidence, demand
from gateway.energy.localtime import is_month
from gateway.energy.measured import unchecked_ms
from gateway.energy.profile import Profile
from gateway.energy.stored import meters, parts, profile, stored_to_ms
from gateway.kpi.buckets import quantities
from gateway.packs import Packs, ReactiveRecord

Span = tuple[int, int]
REACTIVE = "reactive"


@dataclass(frozen=True, slots=True)
class OwnersDemand:
    """The demand of an owner and of its parts.

    parts             asset with a meter → its own peak; empty for an asset
    coincidence       see `coincidence`
    unseen_ms         before this readings are no longer kept: holes in them cannot be seen
    end_ms            up to here numbers are stored
    """

    profile: Profile
    demand: Demand
    parts: Mapping[str, Peak | None]
    coincidence: float | None
    unseen_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Electricity:
    """How a site's electricity is counted."""

    config: ElectricityConfig
    packs: Packs
    zone: ZoneInfo

    def profile(self, db: apsw.Connection, owner: str, span: Span) -> Profile:
        """An owner's load profile."""
        return profile(db, owner, *span, self.config.max_gap_ms)

    def demand(self, db: apsw.Connection, owner: str, span: Span, window_ms: int = 0) -> OwnersDemand:
        """Demand over windows of this length, or of the config's."""
        length_ms = window_ms or self.config.window_ms
        own = self.profile(db, owner, span)
        found = demand(own, length_ms, self.zone)
        peaks = {part: demand(self.profile(db, part, span), length_ms, self.zone).block for part in parts(db, owner)}
        unseen_ms, end_ms = unchecked_ms(db, meters(db, owner)), stored_to_ms(db, owner)
        return OwnersDemand(own, found, peaks, coincidence(found.block, list(peaks.values())), unseen_ms, end_ms)

    def choice(self, variant: str = "") -> Choice:
        """The records by which a bill is written; variant: these hours instead of those of the packs."""
        return Choice(self.packs, self.config.tariff, self.config.hours, variant)

    def bill(self, db: apsw.Connection, owner: str, span: Span, variant: str = "") -> Bill:
        """The bill of a range under the hours of the packs, or of a variant."""
        own = self.profile(db, owner, span)
        return bill(
            own,
            bands(self.choice(variant).terms, self.zone, *span, self.config.holidays),
            power_factor=self.power_factor(db, owner, span),
            reactive=self.packs.at(ReactiveRecord, self.config.reactive, self._day(span[0])),
            registered_kw=None if self.config.registered_power is None else self.config.registered_power / 1000,
            peak=demand(own, self.config.window_ms, self.zone).block,
            is_whole_month=is_month(span, self.zone),
        )

    def power_factor(self, db: apsw.Connection, owner: str, span: Span) -> PowerFactor | None:
        """None: no reactive energy is read."""
        if REACTIVE not in quantities:
            return None
        active, reactive = (profile(db, owner, *span, self.config.max_gap_ms, one) for one in ("energy", REACTIVE))
        return PowerFactor(active.total_mwh, reactive.total_mwh)

    def _day(self, at_ms: int) -> date:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone).date()

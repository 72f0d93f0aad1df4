"""The config section `electricity`: what demand and bill are computed by."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from gateway.fields import Section
from gateway.kpi.config import Power
from gateway.packs import HoursRecord, Packs, ReactiveRecord, Record, TariffRecord
from gateway.spelling import closest


class ElectricityConfig(Section):
    """How the site's electricity is billed.

    tariff, hours, reactive  keys of records in the packs
    holidays          dates whose hours are those of a Sunday
    registered_power  W agreed with the supplier
    demand_window     over which demand is taken
    demand_limit      W that demand should stay below
    """

    tariff: str = ""
    hours: str = "tou_hours"
    reactive: str = "reactive_charge"
    holidays: frozenset[date] = frozenset()
    registered_power: Power | None = None
    demand_window: Literal["15min", "30min"] = "15min"
    demand_limit: Power | None = None

    @property
    def window_ms(self) -> int:
        """The length of a demand window."""
        return int(self.demand_window.removesuffix("min")) * 60_000

    def problems(self, packs: Packs) -> Iterator[tuple[str, str]]:
        """(key, what is wrong) of each key that names a record which no pack has."""
        kinds: dict[str, type[Record]] = {"tariff": TariffRecord, "hours": HoursRecord, "reactive": ReactiveRecord}
        for key in self.model_fields_set & kinds.keys():
            name, known = getattr(self, key), sorted({record.key for record in packs.of(kinds[key])})
            if name not in known:
                yield key, f"no pack has {name!r}{closest(name, known) if known else ': add packs: [vietnam]'}"

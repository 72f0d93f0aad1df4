"""The config section `electricity`: what demand and bill are computed by."""

from datetime import date
from typing import Literal

from gateway.fields import Section
from gateway.kpi.config import Power


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

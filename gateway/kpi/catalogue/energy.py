"""Energy and carbon: electricity, per good part, and what it emits."""

from functools import partial
from typing import Final

from gateway.kpi.catalogue.row import EVERY, KWH, Kpi

_energy = partial(Kpi, windows=EVERY, method="interpolated meter readings")
_carbon = partial(
    Kpi, unit="kg", per=KWH, grid=True, windows=EVERY, standard="GHG Protocol Scope 2", method="location-based"
)
_IDLE: Final = (
    "idle",
    "fault",
    "blocked",
    "starved",
    "minor_stop",
    "planned_stop",
    "maintenance",
    "unplanned",
    "unknown",
)

ENERGY: Final[tuple[Kpi, ...]] = (
    _energy("energy", "E01", "Electricity", "energy", "kWh", KWH, rollup="S", standard="ISO 50001"),
    _energy(
        *("sec", "E02", "Specific energy consumption per good part", "energy / good", "kWh", KWH),
        standard="ISO 50006",
        clause="ratio EnPI",
    ),
    _energy(
        *("idle_energy_share", "E08", "Share of energy used without production or set-up"),
        f"({' + '.join(f'energy_{kind}' for kind in _IDLE)}) / energy",
    ),
    _carbon("co2e", "C02", "Scope 2 emissions, location-based", "energy", rollup="S"),
    _carbon("carbon_intensity", "C03", "Scope 2 emissions per good part", "energy / good"),
)

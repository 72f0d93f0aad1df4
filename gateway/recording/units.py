"""From the unit that a recording was made in to the one that is wanted. Pure."""

from typing import Final

_FAMILIES: Final = (
    {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "GWh": 1e9, "J": 1 / 3600, "kJ": 1 / 3.6, "MJ": 1e3 / 3.6, "GJ": 1e6 / 3.6},
    {"W": 1.0, "kW": 1e3, "MW": 1e6},
    {"var": 1.0, "kvar": 1e3, "Mvar": 1e6},
    {"varh": 1.0, "kvarh": 1e3, "Mvarh": 1e6},
    {"VA": 1.0, "kVA": 1e3, "MVA": 1e6},
    {"L": 1.0, "l": 1.0, "m³": 1e3, "m3": 1e3},
    {"g": 1.0, "kg": 1e3, "t": 1e6},
    {"ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6},
    {"V": 1.0, "kV": 1e3},
    {"A": 1.0, "kA": 1e3, "mA": 1e-3},
)


def factor(recorded: str, wanted: str) -> float:
    """By what a recorded value is multiplied. A unit that one side does not say is the other's.

    Raises:
        ValueError: the two measure different things.
    """
    if recorded == wanted or not recorded or not wanted:
        return 1.0
    for family in _FAMILIES:
        if recorded in family and wanted in family:
            return family[recorded] / family[wanted]
    raise ValueError(f"is in {recorded} there and in {wanted} in the config")

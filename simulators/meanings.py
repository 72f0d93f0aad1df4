"""What the points of profiles mean: from a point's name and unit to the value that the simulated device shows.

The numbers that devices count from, and the constants of the grid, are here too; everything else is a constant that is
typical of the device.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import atan2, degrees
from typing import Final, NamedTuple

from simulators.encoding import Shown
from simulators.panel import NO_FLOW, Electric, Flow, Panel
from simulators.profiles import Profile, ProfileError
from simulators.states import State

# the counters were running before the simulation began: the 16-bit ones roll over soon
TOTAL_START: Final = 65500
GOOD_START: Final = 65470
ENERGY_START_WH: Final = 12_000.0
VOLTS: Final = (230.4, 229.7, 230.9)
LOAD_SHARE: Final = (0.34, 0.33, 0.33)
FREQUENCY_HZ: Final = 50.0
THD_PERCENT: Final = 2.1
SQRT3: Final = 3**0.5


class Sight(NamedTuple):
    """What a device sees: electricity, its machine (a meter on its own has none), the flow through a flow meter."""

    electric: Electric
    panel: Panel | None = None
    flow: Flow | None = None


Value = Callable[[Sight], Shown]


@dataclass(frozen=True, slots=True)
class Reading:
    """One point's value; one that never `varies` is encoded once."""

    value: Value
    varies: bool = True


# what a unit measures, and how much of the base unit it is
_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "": ("", 1), "%": ("%", 1), "°": ("°", 1), "Hz": ("Hz", 1), "V": ("V", 1), "kV": ("V", 1e3), "A": ("A", 1),
    "mA": ("A", 1e-3), "W": ("W", 1), "kW": ("W", 1e3), "MW": ("W", 1e6), "var": ("var", 1), "kvar": ("var", 1e3),
    "VA": ("VA", 1), "kVA": ("VA", 1e3), "Wh": ("Wh", 1), "kWh": ("Wh", 1e3), "MWh": ("Wh", 1e6), "varh": ("varh", 1),
    "kvarh": ("varh", 1e3), "Mvarh": ("varh", 1e6), "s": ("s", 1), "ms": ("s", 1e-3), "min": ("s", 60),
    "h": ("s", 3600), "m³": ("m³", 1), "L": ("m³", 1e-3), "l": ("m³", 1e-3), "m³/min": ("m³/min", 1),
    "m³/h": ("m³/min", 1 / 60), "l/min": ("m³/min", 1e-3),
}  # fmt: skip


def _electric(base: str, value: Callable[[Electric], float]) -> tuple[str, Value]:
    return base, lambda sight: value(sight.electric)


def _machine(base: str, value: Callable[[Panel], Shown]) -> tuple[str, Value]:
    def of_panel(sight: Sight) -> Shown:
        assert sight.panel is not None  # `readings` refuses a meter's profile that shows a machine
        return value(sight.panel)

    return base, of_panel


def _steady(base: str, value: float) -> tuple[str, Value]:
    return base, lambda sight: value


def _delivered(panel: Panel) -> float:
    """What a compressor gives to the net, in m³/min: the air of any other machine is what it uses."""
    return panel.flows.get("air", NO_FLOW).m3_per_min


def _volts_between(one: int, other: int) -> float:
    return SQRT3 * (VOLTS[one - 1] + VOLTS[other - 1]) / 2


def _imported(e: Electric) -> float:
    return ENERGY_START_WH + e.energy_wh


def _imported_varh(e: Electric) -> float:
    return ENERGY_START_WH / 2 + e.varh


def _mean_current(e: Electric) -> float:
    return e.va / sum(VOLTS)


_ELECTRIC: Final[Mapping[str, tuple[str, Value]]] = {
    "active_power": _electric("W", lambda e: e.watts),
    "power": _electric("W", lambda e: e.watts),
    "motor_input_power": _electric("W", lambda e: e.watts),
    "apparent_power": _electric("VA", lambda e: e.va),
    "reactive_power": _electric("var", lambda e: e.var),
    "power_factor": _electric("", lambda e: e.cos_phi),
    "cos_phi": _electric("", lambda e: e.cos_phi),
    "phase_angle": _electric("°", lambda e: degrees(atan2(e.var, e.watts))),
    "frequency": _steady("Hz", FREQUENCY_HZ),
    "current": _electric("A", _mean_current),
    "motor_current": _electric("A", _mean_current),
    "voltage": _steady("V", sum(VOLTS) / 3),
    "voltage_thd": _steady("%", THD_PERCENT),
    "energy": _electric("Wh", _imported),
    "import_energy": _electric("Wh", _imported),
    "total_energy": _electric("Wh", _imported),
    "consumed_energy": _electric("Wh", _imported),
    "generated_energy": _electric("Wh", _imported),
    "mwh_counter": _electric("Wh", _imported),
    "export_energy": _steady("Wh", 0.0),
    "reactive_energy": _electric("varh", _imported_varh),
    "import_reactive_energy": _electric("varh", _imported_varh),
    "total_reactive_energy": _electric("varh", _imported_varh),
    "export_reactive_energy": _steady("varh", 0.0),
    "voltage_l1_l2": _steady("V", _volts_between(1, 2)),
    "voltage_l2_l3": _steady("V", _volts_between(2, 3)),
    "voltage_l3_l1": _steady("V", _volts_between(3, 1)),
}  # fmt: skip
_FLOW: Final[Mapping[str, tuple[str, Value]]] = {
    "volume": ("m³", lambda sight: (sight.flow or NO_FLOW).m3),
    "flow": ("m³/min", lambda sight: (sight.flow or NO_FLOW).m3_per_min),
}
_SAME_IN_EACH_PHASE: Final = ("power_factor", "cos_phi", "voltage_thd", "phase_angle", "frequency")

_MACHINE: Final[Mapping[str, tuple[str, Value]]] = {
    "state": _machine("", lambda p: p.state),
    "total_count": _machine("", lambda p: TOTAL_START + p.total),
    "good_count": _machine("", lambda p: GOOD_START + p.good),
    "scrap_count": _machine("", lambda p: TOTAL_START - GOOD_START + p.scrap),
    "rework_count": _machine("", lambda p: p.rework),
    "cycle_time": _machine("s", lambda p: p.cycle_s),
    "product": _machine("", lambda p: p.product),
    "order": _machine("", lambda p: p.order),
    "compressed_air": _machine("m³", lambda p: p.flows.get("air", NO_FLOW).m3),
    "water": _machine("m³", lambda p: p.flows.get("water", NO_FLOW).m3),
    "gas": _machine("m³", lambda p: p.flows.get("gas", NO_FLOW).m3),
    "running": _machine("", lambda p: p.state is State.EXECUTE),
    "fault": _machine("", lambda p: p.state is State.ABORTED),
    "ready": _machine("", lambda p: p.state is not State.ABORTED),
    "volume_flow": _machine("m³/min", _delivered),
    "operating": _machine("", lambda p: p.state in (State.EXECUTE, State.IDLE)),
    "on_load": _machine("", lambda p: p.state is State.EXECUTE),
    "off_load": _machine("", lambda p: p.state is State.IDLE),
    "drive_running": _machine("", lambda p: p.state is State.EXECUTE),
    "drive_alarm": _machine("", lambda p: p.state is State.ABORTED),
    "status_run": _machine("", lambda p: p.state is State.EXECUTE),
    "status_fault_active": _machine("", lambda p: p.state is State.ABORTED),
}  # fmt: skip
_TROUBLE: Final = re.compile(r"fault|alarm|warning|event|service_required|reset")
MACHINE_ONLY: Final = frozenset({"state", "total_count", "good_count"})
"""A profile with one of these is a controller's: a meter cannot show them."""


def readings(profile: Profile, *, has_machine: bool) -> Mapping[str, Reading]:
    """What each point of a device shows; the bits of a word are points of their own here.

    Raises:
        ProfileError: the profile is a machine's controller, and the device has no machine.
    """
    if not has_machine and (controller := MACHINE_ONLY & {point.name for point in profile.points}):
        raise ProfileError(
            f"profile {profile.name} shows {', '.join(sorted(controller))}: write `machine:` instead of `meter:`"
        )
    found: dict[str, Reading] = {}
    for point in profile.points:
        troubles = point.bits is not None and _TROUBLE.search(point.name)
        for name in point.bits or ():
            quiet = Reading(lambda sight: 0.0, varies=False) if troubles else _typical(profile, name)
            found[name] = _meaning(name, "", has_machine) or quiet
        found[point.name] = _meaning(point.name, point.unit, has_machine) or _typical(profile, point.name)
    return found


def _meaning(name: str, unit: str, has_machine: bool) -> Reading | None:
    """The live value of a point in its unit; None: the plant knows nothing of the kind."""
    base, value = (
        (_MACHINE.get(name) if has_machine else None)
        or _ELECTRIC.get(name)
        or _FLOW.get(name)
        or _phase(name)
        or (None, None)
    )
    if base is None or value is None:
        return None
    dimension, factor = _UNITS.get(unit, ("unknown", 1))
    if dimension not in ("", base):
        return None
    return Reading(value if factor == 1 else _divided(value, factor))


def _divided(value: Value, factor: float) -> Value:
    def divided(sight: Sight) -> Shown:
        number = value(sight)
        return number / factor if isinstance(number, (int, float)) else number

    return divided


def _phase(name: str) -> tuple[str, Value] | None:
    """The value of one phase, such as `active_power_l2`."""
    found = re.fullmatch(r"(\w+)_l([123])", name)
    if found is None:
        return None
    of_all, index = found[1], int(found[2]) - 1
    if of_all == "voltage":
        return _steady("V", VOLTS[index])
    if of_all == "current":
        return _electric("A", lambda e: e.va * LOAD_SHARE[index] / VOLTS[index])
    if of_all not in _ELECTRIC:
        return None
    base, value = _ELECTRIC[of_all]
    if of_all in _SAME_IN_EACH_PHASE:
        return base, value
    return base, _divided(value, 1 / LOAD_SHARE[index])


def _typical(profile: Profile, name: str) -> Reading:
    """A constant that the device may well show: from the profile's own example, but a healthy device's."""
    value = 0.0 if _TROUBLE.search(name) else profile.typical.get(name)
    return Reading(lambda sight: value, varies=False)

"""How coarse the energy registers of a plant are: a difference of two of them is off by at most two steps."""

from math import floor, log2
from pathlib import Path
from typing import Final

from simulators.face_models import ModbusFace
from simulators.meanings import ENERGY_START_WH
from simulators.profiles import Point, load_profile, profile_folders
from simulators.scenario import Scenario

ENERGY_POINTS: Final = ("import_energy", "energy", "consumed_energy", "total_energy", "mwh_counter")
"""The points by which Lineside's site files count energy, the best first."""
_KWH: Final = {"kWh": 1.0, "MWh": 1000.0, "Wh": 0.001}
_MANTISSA: Final = {"float32": 23, "float64": 52, "float16": 10}
_MQTT_STEP_KWH: Final = 1e-9


def energy_steps(scenario: Scenario, folder: Path) -> dict[str, float]:
    """The step of each machine's or meter's energy in kWh."""
    found: dict[str, float] = {}
    for face in scenario.faces:
        if isinstance(face, ModbusFace):
            for unit in face.units.values():
                points = {point.name: point for point in load_profile(unit.profile, profile_folders(folder)).points}
                energy = next((points[name] for name in ENERGY_POINTS if name in points), None)
                if energy:
                    found[unit.machine or unit.meter or ""] = _step_kwh(energy)
        else:
            found |= dict.fromkeys([*face.machines, *face.meters], _MQTT_STEP_KWH)
    return found


def _step_kwh(point: Point) -> float:
    """A float's step grows with what it shows; taken at twice what the meters begin with."""
    unit = _KWH.get(point.unit, 1.0)
    if point.type not in _MANTISSA:
        return point.scale * unit
    shown = 2 * ENERGY_START_WH / 1000 / unit / point.scale
    step: float = 2.0 ** (floor(log2(shown)) - _MANTISSA[point.type])
    return step * point.scale * unit


def energy_accuracies(scenario: Scenario) -> dict[str, float]:
    """How far the meter of each machine may be off, as a share: that of the meter that it is alone with."""
    alone = [meter for meter in scenario.meters.values() if len(meter.of) == 1 and meter.carrier == "electricity"]
    return {meter.of[0]: meter.accuracy for meter in alone if meter.of[0] in scenario.machines}

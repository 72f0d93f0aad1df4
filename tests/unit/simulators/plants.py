"""Plants to look at, and when they begin."""

from typing import Any

from simulators.plant import Plant
from simulators.scenario import Scenario, load_scenario

START_MS = 1_772_406_000_000  # Monday 2026-03-02 06:00 in Saigon
HOUR_MS = 3_600_000


def plant(machines: dict[str, Any], **said: object) -> Plant:
    """A plant of these machines that has just begun."""
    return _begun(Scenario.model_validate({"scenario": "t", "machines": machines} | said))


def lived(name: str, hours: float) -> Plant:
    """A shipped scenario after some hours."""
    made = _begun(load_scenario(name))
    made.run_to(START_MS + round(hours * HOUR_MS))
    return made


def _begun(scenario: Scenario) -> Plant:
    made = Plant(scenario, START_MS)
    made.start(START_MS + 1)
    return made

"""The meter tree: which machines are below each meter, and how wrong each meter is."""

from random import Random

from simulators.ledger import Meter
from simulators.scenario import Scenario

_PPM = 1_000_000


def meters_of(scenario: Scenario) -> dict[str, Meter]:
    """All meters of a scenario; each error is drawn once, within the meter's accuracy."""
    return {name: _meter(scenario, name) for name in scenario.meters}


def _meter(scenario: Scenario, name: str) -> Meter:
    spec = scenario.meters[name]
    limit = round(spec.accuracy * _PPM)
    gain_ppm = Random(f"{scenario.seed}/meters/{name}").randint(-limit, limit)
    machines, base_w = _below(scenario, name)
    return Meter(tuple(dict.fromkeys(machines)), spec.carrier, gain_ppm, round(base_w))


def _below(scenario: Scenario, name: str) -> tuple[list[str], float]:
    """The machines below a meter and the loads that no machine has, all the way down."""
    machines, base_w = [], scenario.meters[name].base
    for of in scenario.below(name):
        if of in scenario.machines:
            machines.append(of)
        elif of in scenario.lines:
            machines += [machine for station in scenario.lines[of].machines for machine in station]
        else:
            more, more_w = _below(scenario, of)
            machines += more
            base_w += more_w
    return machines, base_w

"""The plant that the demo runs."""

from simulators.plant import Plant
from simulators.scenario import load_scenario


def demo_plant(seed: int, start_ms: int) -> Plant:
    """Two presses on Modbus, a welding cell and a packer on MQTT, with a seed of their own."""
    return Plant(load_scenario("demo").model_copy(update={"seed": seed}), start_ms)

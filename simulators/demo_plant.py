"""The plant that the demo runs: two presses on Modbus, a welding cell and a packer on MQTT."""

from simulators.ledger import State
from simulators.plant import Machine, Phase, Stop


def _power(execute: float, setup: float, waiting: float, standby: float) -> dict[State, float]:
    return {
        State.EXECUTE: execute,
        State.SETUP: setup,
        State.SUSPENDED: waiting,
        State.IDLE: standby,
        State.STOPPED: standby,
        State.ABORTED: standby,
    }


# Stops come far more often than in a real shop, so that one minute shows each kind at least once somewhere.
DEMO_MACHINES = (
    Machine(
        name="press-01",
        ideal_cycle_s=0.8,
        cycle_s=0.85,
        scrap_probability=0.04,
        power_kw=_power(execute=22.0, setup=6.5, waiting=4.8, standby=2.4),
        stops=(
            Stop(16.0, (Phase(State.SUSPENDED, 1.5, 3.5),), regularity=2),
            Stop(30.0, (Phase(State.SETUP, 4.0, 6.0),), regularity=30),
        ),
    ),
    Machine(
        name="press-02",
        ideal_cycle_s=1.0,
        cycle_s=1.05,
        scrap_probability=0.04,
        power_kw=_power(execute=37.0, setup=9.0, waiting=5.0, standby=3.1),
        stops=(
            Stop(18.0, (Phase(State.SUSPENDED, 1.5, 3.0),), regularity=2),
            Stop(34.0, (Phase(State.STOPPED, 3.0, 5.0),), regularity=4),
        ),
    ),
    Machine(
        name="weld-03",
        ideal_cycle_s=0.6,
        cycle_s=0.65,
        scrap_probability=0.05,
        power_kw=_power(execute=14.5, setup=4.0, waiting=2.9, standby=1.6),
        stops=(
            Stop(14.0, (Phase(State.SUSPENDED, 1.5, 2.5),), regularity=2),
            Stop(25.0, (Phase(State.ABORTED, 4.0, 7.0), Phase(State.IDLE, 1.5, 2.5)), regularity=12),
        ),
    ),
    Machine(
        name="pack-04",
        ideal_cycle_s=1.2,
        cycle_s=1.28,
        scrap_probability=0.03,
        power_kw=_power(execute=6.2, setup=2.2, waiting=1.7, standby=1.1),
        stops=(
            Stop(13.0, (Phase(State.SUSPENDED, 1.5, 3.0),), regularity=2),
            Stop(35.0, (Phase(State.SETUP, 5.0, 7.0),), regularity=30),
        ),
    ),
)

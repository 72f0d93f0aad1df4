"""The states of a machine."""

from enum import IntEnum


class State(IntEnum):
    """Machine states (names from PackML); the numbers are what a simulated PLC shows in its state register."""

    IDLE = 0
    EXECUTE = 1
    SETUP = 2
    ABORTED = 3
    STOPPED = 4
    SUSPENDED = 5  # starved: no part comes from upstream
    HELD = 6  # blocked: no place for the part downstream

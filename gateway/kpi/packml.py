"""PackML's machine states (ANSI/ISA-TR88.00.02) by their numbers, and the class of time of each."""

from typing import Final

_STATES: Final = {
    1: ("fault", "Clearing"),
    2: ("idle", "Stopped"),
    3: ("setup", "Starting"),
    4: ("idle", "Idle"),
    5: ("starved", "Suspended"),  # something outside the machine holds it up, most often upstream
    6: ("producing", "Execute", "Executing"),
    7: ("idle", "Stopping"),
    8: ("fault", "Aborting"),
    9: ("fault", "Aborted"),
    10: ("idle", "Holding"),
    11: ("idle", "Held"),
    12: ("idle", "Unholding", "UnHolding", "Un-Holding"),
    13: ("starved", "Suspending"),
    14: ("starved", "Unsuspending", "UnSuspending", "Un-Suspending"),
    15: ("idle", "Resetting"),
    16: ("producing", "Completing"),
    17: ("idle", "Complete", "Completed"),
}


def _spellings(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spelling for name in names for spelling in (name.upper(), name, name.lower())))


PACKML: Final = tuple((number, _spellings(tuple(names)), kind) for number, (kind, *names) in _STATES.items())
"""Number, spellings in use, and class of each state; 0 (undefined) is none."""

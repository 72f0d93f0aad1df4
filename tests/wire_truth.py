"""What Lineside says against what the plant's ledger knows: sum by sum, and moment by moment."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.demo.compare import ENERGY_SHARE
from gateway.kpi.asset import TimeClass
from simulators.states import State
from simulators.truth import meter_between, truth
from tests.wire import STEP_MS, Lived

CLASSES = {
    State.EXECUTE: TimeClass.PRODUCING, State.SETUP: TimeClass.SETUP, State.ABORTED: TimeClass.FAULT,
    State.IDLE: TimeClass.IDLE, State.STOPPED: TimeClass.IDLE, State.SUSPENDED: TimeClass.STARVED,
    State.HELD: TimeClass.BLOCKED,
}  # fmt: skip
UNKNOWN_SHARE = 0.1
"""So much may be unknown where nothing goes wrong: a machine that runs tests is sometimes too busy to poll in time."""
_OF_TIME = frozenset({"producing_s", "availability", "performance"})
_LABELS = {one.label: one.value for one in TimeClass}


def agree(day: Lived) -> None:
    """Every number of every machine and meter; times by the polls as they came."""
    machines = day.machines.values()
    lines = [line for one in machines for line in one.lines if one.in_time or line.what not in _OF_TIME]
    assert lines
    wrong = [line for line in lines if not line.ok]
    assert not wrong, "\n".join(map(str, wrong))
    for name in day.machines:
        assert wrong_moments(day, name, moments(day, name)) == [], name
        check_times(day, name)
    for name, seen in day.assets.items():
        if name in day.ledger.meters and name not in day.ledger.machines:
            true_kwh = meter_between(day.ledger, name, *seen.span)
            step_kwh = day.ready["energy_step_kwh"][name]
            seen_kwh = seen.between.sums["energy"] / 1e6
            assert seen_kwh == pytest.approx(true_kwh, rel=ENERGY_SHARE, abs=2 * step_kwh), name


def wrong_moments(day: Lived, name: str, at_ms: NDArray[np.int64], ahead_ms: int = 0) -> list[tuple[float, float]]:
    """Where a class is known and is not the true one."""
    found, known = classes_seen(day, name, at_ms), classes_true(day, name, at_ms + ahead_ms)
    fresh = near(at_ms, changes(day, name), day.late_ms(name), day.late_ms(name))
    return stretches(at_ms, (found != known) & (found != TimeClass.UNKNOWN) & ~fresh)


def check_times(day: Lived, name: str) -> None:
    """Planned time to the millisecond, each class's within one poll per change, little unknown."""
    sums, window = day.assets[name].working.sums, (day.assets[name].working.from_ms, day.assets[name].working.to_ms)
    known, late_s = truth(day.ledger, name, *window), day.late_ms(name) / 1000
    unknown_s = sums["time_unknown"] / 1e6
    assert sums["planned"] / 1e6 == pytest.approx(known["planned_s"], abs=0.0015)
    assert unknown_s <= UNKNOWN_SHARE * known["planned_s"] + late_s
    for time_class in set(CLASSES.values()):
        states = [state.name for state, one in CLASSES.items() if one is time_class]
        true_s = sum(known["planned_state_s"][state] for state in states)
        visits = sum(known["entries"][state] for state in states)
        seen_s = sums[f"time_{time_class.label}"] / 1e6
        allowed_s = (2 * visits + 1) * late_s
        assert true_s - allowed_s - unknown_s <= seen_s <= true_s + allowed_s, (name, time_class)


# ---- moment by moment


def moments(lived: Lived, asset: str, after_ms: int = 0) -> NDArray[np.int64]:
    """Every quarter of a second in which the plant lived and Lineside had closed the minute."""
    last = min(lived.assets[asset].segments[-1].to_ms, lived.ledger.until_ms)
    return np.arange(lived.began_ms + after_ms, last, STEP_MS)


def classes_seen(lived: Lived, asset: str, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that Lineside gives each moment."""
    segments = lived.assets[asset].segments
    starts = np.array([one.from_ms for one in segments])
    return np.array([_LABELS[one.time_class] for one in segments])[np.searchsorted(starts, at_ms, "right") - 1]


def classes_true(lived: Lived, asset: str, at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that each moment truly has."""
    book = lived.ledger.machines[asset]
    classes = np.array([CLASSES[state].value for state in book.states])
    return classes[np.searchsorted(book.state_ms, at_ms, "right") - 1]


def near(
    at_ms: NDArray[np.int64], spans: Sequence[tuple[int, int]], before_ms: float, after_ms: float
) -> NDArray[np.bool_]:
    """Which moments are inside any of the spans, widened."""
    found = np.zeros(len(at_ms), bool)
    for begin, end in spans:
        found |= (at_ms >= begin - before_ms) & (at_ms < end + after_ms)
    return found


def changes(lived: Lived, asset: str) -> list[tuple[int, int]]:
    """When the machine's state truly changed."""
    return [(at_ms, at_ms) for at_ms in lived.ledger.machines[asset].state_ms]


def stretches(at_ms: NDArray[np.int64], mask: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Where a mask is true, in seconds from the first moment, for whoever has to find out why."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    seconds = (np.append(at_ms, at_ms[-1] + STEP_MS) - at_ms[0]) / 1000
    return [(float(seconds[begin]), float(seconds[end])) for begin, end in zip(edges[::2], edges[1::2], strict=True)]

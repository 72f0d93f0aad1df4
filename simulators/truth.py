"""True KPIs from the ledger alone; all time is planned time, and nothing here is shared with the gateway."""

from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple, TypedDict

from simulators.ledger import WATT_MS_PER_WH, Ledger, MachineLedger, State


class Counts(NamedTuple):
    """Parts completed in a span of time."""

    total: int
    good: int
    scrap: int


class Truth(TypedDict):
    """What a machine truly did in a window; a ratio without a denominator is None."""

    planned_s: float
    producing_s: float
    state_s: dict[str, float]
    state_changes: int
    total: int
    good: int
    scrap: int
    availability: float | None
    performance: float | None
    quality_rate: float | None
    oee: float | None
    energy_kwh: float
    sec_kwh_per_part: float | None
    co2e_kg: float
    carbon_intensity: float | None


def truth(
    ledger: Ledger, machine: str, from_ms: int, to_ms: int, ideal_cycle_s: float, grid_factor_kg_per_kwh: float
) -> Truth:
    """The true KPIs of one machine in one window.

    Args:
        ledger: the plant's ledger; it must cover the window.
        machine: the machine's name in the ledger.
        from_ms, to_ms: the window in epoch ms; parts and state changes count in (from, to].
        ideal_cycle_s: ideal cycle time in s per part.
        grid_factor_kg_per_kwh: emission factor of the electricity in kg CO2e per kWh.

    Returns:
        Times in s, counts, energy in kWh, `sec_kwh_per_part` in kWh per good part, CO2e in kg and `carbon_intensity`
        in kg CO2e per good part; availability = producing / planned, performance = ideal · total / producing,
        quality rate = good / total, OEE = ideal · good / planned (ISO 22400-2 KPIs 8, 9, 10 and 6).

    Raises:
        KeyError: no such machine. ValueError: the ledger does not cover the window.
    """
    counts = counts_between(ledger, machine, from_ms, to_ms)
    energy_kwh = energy_kwh_between(ledger, machine, from_ms, to_ms)
    state_s = _time_per_state(ledger.machines[machine], from_ms, to_ms)
    planned_s, producing_s = (to_ms - from_ms) / 1000, state_s["EXECUTE"]
    co2e_kg = energy_kwh * grid_factor_kg_per_kwh
    return {
        "planned_s": planned_s,
        "producing_s": producing_s,
        "state_s": state_s,
        "state_changes": state_changes_between(ledger, machine, from_ms, to_ms),
        "total": counts.total,
        "good": counts.good,
        "scrap": counts.scrap,
        "availability": _ratio(producing_s, planned_s),
        "performance": _ratio(ideal_cycle_s * counts.total, producing_s),
        "quality_rate": _ratio(counts.good, counts.total),
        "oee": _ratio(ideal_cycle_s * counts.good, planned_s),
        "energy_kwh": energy_kwh,
        "sec_kwh_per_part": _ratio(energy_kwh, counts.good),
        "co2e_kg": co2e_kg,
        "carbon_intensity": _ratio(co2e_kg, counts.good),
    }


def counts_between(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> Counts:
    """The parts completed in (from, to]."""
    book = _book(ledger, machine, from_ms, to_ms)
    first, last = bisect_right(book.part_ms, from_ms), bisect_right(book.part_ms, to_ms)
    good = sum(book.part_good[first:last])
    return Counts(last - first, good, last - first - good)


def energy_kwh_between(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> float:
    """The energy in kWh used from `from_ms` to `to_ms`."""
    book = _book(ledger, machine, from_ms, to_ms)
    return (book.watt_ms_at(to_ms) - book.watt_ms_at(from_ms)) / (1000 * WATT_MS_PER_WH)


def state_changes_between(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> int:
    """How often the state changed in (from, to]."""
    book = _book(ledger, machine, from_ms, to_ms)
    return bisect_right(book.state_ms, to_ms) - bisect_right(book.state_ms, from_ms)


def _book(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> MachineLedger:
    if not ledger.covers(from_ms, to_ms):
        raise ValueError(
            f"the ledger does not cover {from_ms} to {to_ms}: it knows {ledger.start_ms} to {ledger.until_ms}"
        )
    return ledger.machines[machine]


def _time_per_state(book: MachineLedger, from_ms: int, to_ms: int) -> dict[str, float]:
    first, last = bisect_right(book.state_ms, from_ms), bisect_right(book.state_ms, to_ms)
    edges = [from_ms, *book.state_ms[first:last], to_ms]
    spent_ms = dict.fromkeys(State, 0)
    for state, (begin, end) in zip(book.states[first - 1 : last], pairwise(edges), strict=True):
        spent_ms[state] += end - begin
    return {state.name: spent / 1000 for state, spent in spent_ms.items()}


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None

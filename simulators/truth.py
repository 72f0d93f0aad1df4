"""True KPIs from the ledger alone; nothing here is shared with the gateway."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypedDict, TypeVar

from simulators.ledger import WATT_MS_PER_WH, Ledger, MachineLedger, State

Label = TypeVar("Label")
ML_MS_PER_M3 = 60_000 * 1_000_000
"""A flow of 1 mL/min for so many milliseconds is a cubic metre."""


class Counts(NamedTuple):
    """Parts completed in a span of time; total = good + scrap + rework."""

    total: int
    good: int
    scrap: int
    rework: int = 0


class Times(TypedDict):
    """Times in s: `planned_s` as the calendar has it, `producing_s` of that, `state_s` of the whole window.

    `entries` says how often each state began.
    """

    planned_s: float
    producing_s: float
    state_s: dict[str, float]
    planned_state_s: dict[str, float]
    entries: dict[str, int]
    state_changes: int


class Uses(TypedDict):
    """What the whole window took: energy in kWh, volumes in m3, CO2e in kg; both also for each good part."""

    energy_kwh: float
    state_kwh: dict[str, float]
    volumes_m3: dict[str, float]
    sec_kwh_per_part: float | None
    co2e_kg: float
    carbon_intensity: float | None


class Truth(Times, Uses):
    """What a machine truly did in a window; a ratio without a denominator is None."""

    total: int
    good: int
    scrap: int
    rework: int
    by_product: dict[str, Counts]
    by_order: dict[str, Counts]
    availability: float | None
    performance: float | None
    quality_rate: float | None
    oee: float | None


def truth(
    ledger: Ledger,
    machine: str,
    from_ms: int,
    to_ms: int,
    ideal_cycle_s: float | None = None,
    grid_factor_kg_per_kwh: float = 0.0,
) -> Truth:
    """The true KPIs of one machine in one window.

    Args:
        ledger: the plant's ledger; it must cover the window.
        machine: the machine's name in the ledger.
        from_ms, to_ms: the window in epoch ms; parts and state changes count in (from, to].
        ideal_cycle_s: ideal cycle time in s per part; None takes the ledger's own, by product.
        grid_factor_kg_per_kwh: emission factor of the electricity in kg CO2e per kWh.

    Returns:
        Times, counts, energy; `sec_kwh_per_part` in kWh per good part, `carbon_intensity` in kg CO2e per good part;
        availability = producing / planned, performance = ideal · total / producing, quality rate = good / total,
        OEE = ideal · good / planned (ISO 22400-2 KPIs 8, 9, 10 and 6), where ideal · parts is summed over products.

    Raises:
        KeyError: no such machine. ValueError: the ledger does not cover the window.
    """
    book = _book(ledger, machine, from_ms, to_ms)
    counts, by_product = _counts(book, from_ms, to_ms), _by(book, book.product_ms, book.products, from_ms, to_ms)
    ideal_s, ideal_good_s = _ideal_s(book, by_product, ideal_cycle_s)
    times = _times(book, from_ms, to_ms)
    return {
        **times,
        **counts._asdict(),  # type: ignore[typeddict-item]
        "by_product": by_product,
        "by_order": _by(book, book.order_ms, book.orders, from_ms, to_ms),
        "availability": ratio(times["producing_s"], times["planned_s"]),
        "performance": ratio(ideal_s, times["producing_s"]),
        "quality_rate": ratio(counts.good, counts.total),
        "oee": ratio(ideal_good_s, times["planned_s"]),
        **_uses(book, from_ms, to_ms, counts.good, grid_factor_kg_per_kwh),
    }


def _ideal_s(book: MachineLedger, made: dict[str, Counts], cycle_s: float | None) -> tuple[float, float]:
    """The ideal time of all parts and of the good ones."""
    each_s = {name: book.ideal_s.get(name, 0.0) if cycle_s is None else cycle_s for name in made}
    return (
        sum(each_s[name] * counts.total for name, counts in made.items()),
        sum(each_s[name] * counts.good for name, counts in made.items()),
    )


def _times(book: MachineLedger, from_ms: int, to_ms: int) -> Times:
    planned = _planned(book, from_ms, to_ms)
    planned_state_s, entries = _state_s(book, planned), _entries(book, from_ms, to_ms)
    return {
        "planned_s": sum(end - begin for begin, end in planned) / 1000,
        "producing_s": planned_state_s["EXECUTE"],
        "state_s": _state_s(book, [(from_ms, to_ms)]),
        "planned_state_s": planned_state_s,
        "entries": entries,
        "state_changes": sum(entries.values()),
    }


def _uses(book: MachineLedger, from_ms: int, to_ms: int, good: int, grid_factor_kg_per_kwh: float) -> Uses:
    energy_kwh = _kwh(book.power.between(from_ms, to_ms))
    co2e_kg = energy_kwh * grid_factor_kg_per_kwh
    return {
        "energy_kwh": energy_kwh,
        "state_kwh": _state_kwh(book, from_ms, to_ms),
        "volumes_m3": {name: flow.between(from_ms, to_ms) / ML_MS_PER_M3 for name, flow in book.flows.items()},
        "sec_kwh_per_part": ratio(energy_kwh, good),
        "co2e_kg": co2e_kg,
        "carbon_intensity": ratio(co2e_kg, good),
    }


def meter_between(ledger: Ledger, meter: str, from_ms: int, to_ms: int) -> float:
    """What a meter counts from `from_ms` to `to_ms`, with its own error: kWh, or m3 of another carrier."""
    if not ledger.covers(from_ms, to_ms):
        raise _uncovered(ledger, from_ms, to_ms)
    counted = ledger.meter_sum(meter, to_ms) - ledger.meter_sum(meter, from_ms)
    return _kwh(counted) if ledger.meters[meter].carrier == "electricity" else counted / ML_MS_PER_M3


def spans(
    times: Sequence[int], labels: Sequence[Label], from_ms: int, to_ms: int
) -> Iterator[tuple[Label, tuple[int, int]]]:
    """Which label holds in which part of a window; nothing before the first one."""
    first = max(0, bisect_right(times, from_ms) - 1)
    last = bisect_left(times, to_ms)
    edges = [max(from_ms, begin) for begin in times[first:last]] + [to_ms]
    yield from zip(labels[first:last], pairwise(edges), strict=True)


def _book(ledger: Ledger, machine: str, from_ms: int, to_ms: int) -> MachineLedger:
    if not ledger.covers(from_ms, to_ms):
        raise _uncovered(ledger, from_ms, to_ms)
    return ledger.machines[machine]


def _uncovered(ledger: Ledger, from_ms: int, to_ms: int) -> ValueError:
    return ValueError(
        f"the ledger does not cover {from_ms} to {to_ms}: it knows {ledger.start_ms} to {ledger.until_ms}"
    )


def _counts(book: MachineLedger, from_ms: int, to_ms: int) -> Counts:
    before, after = book.counts_at(from_ms), book.counts_at(to_ms)
    total, good, rework = (late - early for early, late in zip(before, after, strict=True))
    return Counts(total, good, total - good - rework, rework)


def _by(
    book: MachineLedger, times: Sequence[int], labels: Sequence[str], from_ms: int, to_ms: int
) -> dict[str, Counts]:
    """Parts by product or order; "" where there is none. A part never shares a millisecond with a change."""
    edges = [from_ms, *(at_ms for at_ms in times if from_ms < at_ms <= to_ms), to_ms]
    made: dict[str, Counts] = {}
    for begin_ms, end_ms in pairwise(edges):
        index = bisect_right(times, begin_ms) - 1
        label = labels[index] if index >= 0 else ""
        counts = _counts(book, begin_ms, end_ms)
        if counts.total:
            made[label] = Counts(*map(sum, zip(made.get(label, Counts(0, 0, 0)), counts, strict=True)))
    return made


def _planned(book: MachineLedger, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The planned time of a window; a book without a plan plans all time."""
    if not book.planned_ms:
        return [(from_ms, to_ms)]
    return [span for planned, span in spans(book.planned_ms, book.planned, from_ms, to_ms) if planned]


def _state_s(book: MachineLedger, windows: Sequence[tuple[int, int]]) -> dict[str, float]:
    spent_ms = dict.fromkeys(State, 0)
    for window in windows:
        for state, (begin, end) in spans(book.state_ms, book.states, *window):
            spent_ms[state] += end - begin
    return {state.name: spent / 1000 for state, spent in spent_ms.items()}


def _state_kwh(book: MachineLedger, from_ms: int, to_ms: int) -> dict[str, float]:
    used = dict.fromkeys(State, 0)
    for state, (begin, end) in spans(book.state_ms, book.states, from_ms, to_ms):
        used[state] += book.power.between(begin, end)
    return {state.name: _kwh(watt_ms) for state, watt_ms in used.items()}


def _entries(book: MachineLedger, from_ms: int, to_ms: int) -> dict[str, int]:
    entered = book.states[bisect_right(book.state_ms, from_ms) : bisect_right(book.state_ms, to_ms)]
    return {state.name: entered.count(state) for state in State}


def _kwh(watt_ms: int) -> float:
    return watt_ms / (1000 * WATT_MS_PER_WH)


def ratio(numerator: float, denominator: float) -> float | None:
    """None without a denominator."""
    return numerator / denominator if denominator else None

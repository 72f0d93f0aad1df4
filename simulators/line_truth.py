"""The true KPIs of a serial line, from the ledger alone."""

from typing import TypedDict

from simulators.ledger import Ledger
from simulators.truth import Truth, ratio, truth


class LineTruth(TypedDict):
    """What a line truly did in a window; a ratio without a denominator is None.

    `constraint` names the machines of the station with the longest ideal time per part: the line cannot be faster.
    Availability, performance, quality rate and OEE are theirs. `output` is the good parts of the last station, `scrap`
    and `rework` are those of all stations, and so is the energy.
    """

    constraint: list[str]
    output: int
    scrap: int
    rework: int
    availability: float | None
    performance: float | None
    quality_rate: float | None
    oee: float | None
    energy_kwh: float
    sec_kwh_per_part: float | None


def line_truth(ledger: Ledger, line: str, from_ms: int, to_ms: int) -> LineTruth:
    """The true KPIs of one line in one window: ratios of sums over the machines of its constraint, never of ratios.

    Args:
        ledger: the plant's ledger; it must cover the window.
        line: the line's name.
        from_ms, to_ms: the window in epoch ms; parts count in (from, to].

    Raises:
        KeyError: no such line. ValueError: the ledger does not cover the window.
    """
    stations = [[truth(ledger, name, from_ms, to_ms) for name in station] for station in ledger.lines[line]]
    made = [figures for station in stations for figures in station]
    place = max(range(len(stations)), key=lambda number: _ideal_s(ledger, ledger.lines[line][number]))
    names, slowest = ledger.lines[line][place], stations[place]
    planned_s, producing_s = (_total(slowest, "planned_s"), _total(slowest, "producing_s"))
    ideal_s = sum(_worth_s(ledger, name, each, good=False) for name, each in zip(names, slowest, strict=True))
    ideal_good_s = sum(_worth_s(ledger, name, each, good=True) for name, each in zip(names, slowest, strict=True))
    output, energy_kwh = int(_total(stations[-1], "good")), _total(made, "energy_kwh")
    return {
        "constraint": names,
        "output": output,
        "scrap": int(_total(made, "scrap")),
        "rework": int(_total(made, "rework")),
        "availability": ratio(producing_s, planned_s),
        "performance": ratio(ideal_s, producing_s),
        "quality_rate": ratio(_total(slowest, "good"), _total(slowest, "total")),
        "oee": ratio(ideal_good_s, planned_s),
        "energy_kwh": energy_kwh,
        "sec_kwh_per_part": ratio(energy_kwh, output),
    }


def _ideal_s(ledger: Ledger, station: list[str]) -> float:
    """Ideal time per part of machines that work in parallel."""
    return 1 / sum(1 / ledger.machines[name].ideal_s[""] for name in station)


def _worth_s(ledger: Ledger, machine: str, figures: Truth, *, good: bool) -> float:
    """The ideal time of a machine's parts, by product."""
    ideal_s = ledger.machines[machine].ideal_s
    return sum(ideal_s[name] * (made.good if good else made.total) for name, made in figures["by_product"].items())


def _total(figures: list[Truth], name: str) -> float:
    return float(sum(each[name] for each in figures))  # type: ignore[literal-required]

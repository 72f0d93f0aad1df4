"""KPIs of summed minutes in fractions, written down from the standards' formulas. See ISO 22400-2 and Nakajima."""

from collections.abc import Callable, Mapping
from fractions import Fraction

Sums = Mapping[str, int]
HOUR_US = 3_600_000_000
SECOND_US = 1_000_000


def ratio(above: int | Fraction, below: int | Fraction) -> Fraction | None:
    """None where there is nothing to divide by."""
    return Fraction(above) / below if below else None


def share(part: int | Fraction, whole: int | Fraction) -> Fraction | None:
    """Of parts; more than all of them and less than none are refused."""
    found = ratio(part, whole)
    return found if found is not None and 0 <= found <= 1 else None


def times(row: Sums) -> dict[str, int]:
    """The time elements of ISO 22400-2 with the default map, in µs."""
    t = {name.removeprefix("time_"): value for name, value in row.items() if name.startswith("time_")}
    apt, aust = t["producing"], t["setup"]
    adet = t["fault"] + t["blocked"] + t["starved"] + t["minor_stop"]
    return {
        "APT": apt,
        "AUST": aust,
        "ADET": adet,
        "AUPT": apt + aust,
        "AUBT": apt + aust + adet,
        "PBT": row["planned"],
        "POT": row["planned"] + t["planned_stop"] + t["maintenance"],
        "all": row["planned"] + t["planned_stop"] + t["maintenance"] + t["unplanned"],
        "run": apt + t["minor_stop"],
    }


def quality(row: Sums) -> Fraction | None:
    """Good over all parts, weighted by ideal time where parts have one; more good parts than parts are refused."""
    if row["ideal_total"]:
        return share(row["ideal_good"], row["ideal_total"])
    return share(row["good"], row["total"])


def nee(row: Sums) -> Fraction | None:
    """(AUPT / PBT) · effectiveness · quality."""
    t = times(row)
    if not t["PBT"] or not t["APT"]:
        return None
    return Fraction(t["AUPT"], t["PBT"]) * Fraction(row["ideal_good"], t["APT"])


FORMULAS: Mapping[str, Callable[[Sums], Fraction | None]] = {
    "availability": lambda s: ratio(times(s)["APT"], times(s)["PBT"]),
    "availability_classic": lambda s: ratio(times(s)["run"], s["planned"]),
    "effectiveness": lambda s: ratio(s["ideal_total"], times(s)["APT"]),
    "performance_classic": lambda s: ratio(s["ideal_total"], times(s)["run"]),
    "oee": lambda s: ratio(s["ideal_good"], times(s)["PBT"]),
    "oee_classic": lambda s: ratio(s["ideal_good"], s["planned"]),
    "nee": nee,
    "teep": lambda s: ratio(s["ideal_good"], times(s)["all"]),
    "ooe": lambda s: ratio(s["ideal_good"], times(s)["POT"]),
    "loading": lambda s: ratio(s["planned"], times(s)["all"]),
    "utilization_efficiency": lambda s: ratio(times(s)["APT"], times(s)["AUBT"]),
    "allocation_efficiency": lambda s: ratio(times(s)["AUBT"], times(s)["PBT"]),
    "technical_efficiency": lambda s: ratio(times(s)["APT"], times(s)["APT"] + times(s)["ADET"]),
    "setup_ratio": lambda s: ratio(times(s)["AUST"], times(s)["AUPT"]),
    "throughput": lambda s: ratio(s["output"] * HOUR_US, s["planned"]),
    "loss_breakdown": lambda s: Fraction(
        s["time_fault"] + s["time_idle"] + s["time_blocked"] + s["time_starved"], SECOND_US
    ),
    "loss_setup": lambda s: Fraction(s["time_setup"], SECOND_US),
    "loss_minor_stops": lambda s: Fraction(s["time_minor_stop"], SECOND_US),
    "loss_speed": lambda s: Fraction(s["time_producing"] - s["ideal_total"], SECOND_US),
    "loss_defects": lambda s: Fraction(s["ideal_total"] - s["ideal_good"] - s["ideal_startup"], SECOND_US),
    "loss_startup": lambda s: Fraction(s["ideal_startup"], SECOND_US),
    "minor_stop_rate": lambda s: ratio(s["minor_stops"] * HOUR_US, times(s)["APT"]),
    "equipment_load": lambda s: ratio(s["rated_total"], s["planned"]),
    "takt_attainment": lambda s: ratio(s["takt_total"], times(s)["APT"]),
    "quality_rate": quality,
    "scrap_ratio": lambda s: share(s["scrap"], s["total"]),
    "rework_ratio": lambda s: share(s["rework"], s["total"]),
    "first_pass_yield": lambda s: share(s["passed"], s["inspected"]),
    "mtbf": lambda s: ratio(Fraction(times(s)["AUPT"], HOUR_US), s["faults"]),
    "mttf": lambda s: ratio(Fraction(times(s)["APT"], HOUR_US), s["faults"]),
    "mttr": lambda s: ratio(Fraction(s["time_fault"], HOUR_US), s["faults"]),
    "inherent_availability": lambda s: ratio(times(s)["AUPT"], times(s)["AUPT"] + s["time_fault"]),
    "corrective_ratio": lambda s: ratio(s["time_fault"], s["time_fault"] + s["time_maintenance"]),
    "coverage": lambda s: ratio(s["planned"] - s["time_unknown"], s["planned"]),
    "energy": lambda s: Fraction(s["energy"], 10**6),
    "sec": lambda s: ratio(Fraction(s["energy"], 10**6), s["good"]),
}

"""Truth against measured: the plant's own ledger beside Lineside's numbers, with the tolerance of each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

_SAME = 1e-9
_EVENT_S = 0.002
"""Event times are rounded to ms at both ends of a state."""
ENERGY_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Line:
    """One number: what the plant knows, what Lineside measured, how far they may be apart."""

    asset: str
    what: str
    truth: float | None
    measured: float | None
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether measured is within the tolerance; None agrees only with None."""
        if self.truth is None or self.measured is None:
            return self.truth is self.measured
        return abs(self.truth - self.measured) <= self.tolerance + _SAME * max(1.0, abs(self.truth))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one asset's way of reporting allows.

    poll_s           time between two reads of its state; 0 where it reports each change with its time
    energy_step_kwh  resolution of its energy register
    energy_share     how far its energy meter may be off, beside what Lineside may be
    mixed_s          ideal time that may stand under the wrong product: parts made between a change and the next read
    """

    poll_s: float
    energy_step_kwh: float
    energy_share: float = 0.0
    mixed_s: float = 0.0


def compare(asset: str, truth: Mapping[str, Any], measured: Mapping[str, Any], limits: Limits) -> list[Line]:
    """Every number of one asset.

    truth, measured: `planned_s producing_s state_changes total good scrap availability performance quality_rate oee
    energy_kwh sec_kwh_per_part co2e_kg`; counts and energy over the same spans.
    Tolerances: counts exact; times one poll interval per state change; energy 0.5 % + 2 register steps; ratios what
    these imply.
    """
    time_s = truth["state_changes"] * (limits.poll_s or _EVENT_S)
    energy = (ENERGY_SHARE + limits.energy_share) * truth["energy_kwh"] + 2 * limits.energy_step_kwh
    share = energy / truth["energy_kwh"] if truth["energy_kwh"] else 0.0
    producing_s = max(truth["producing_s"] - time_s, 1e-3)
    ideal_s = (truth["performance"] or 0.0) * truth["producing_s"]
    tolerances = {
        "total": 0.0,
        "good": 0.0,
        "scrap": 0.0,
        "producing_s": time_s,
        "availability": time_s / truth["planned_s"],
        "performance": ((truth["performance"] or 0.0) * time_s + limits.mixed_s) / producing_s,
        "quality_rate": 2 * limits.mixed_s / ideal_s if ideal_s else 0.0,
        "oee": limits.mixed_s / truth["planned_s"],
        "energy_kwh": energy,
        "sec_kwh_per_part": (truth["sec_kwh_per_part"] or 0.0) * share,
        "co2e_kg": (truth["co2e_kg"] or 0.0) * share,
    }
    if truth["producing_s"] <= time_s:
        del tolerances["performance"]  # so short a time may be missed: no speed follows from it
    return [Line(asset, what, truth[what], measured[what], allowed) for what, allowed in tolerances.items()]


def comparison_table(lines: list[Line]) -> Table:
    """The lines as a table for people."""
    table = Table(title="truth against measured", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("machine", "number"):
        table.add_column(column, no_wrap=True)
    for column in ("truth", "measured", "difference", "tolerance"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    last = ""
    for line in lines:
        gap = None if line.truth is None or line.measured is None else line.measured - line.truth
        table.add_row(
            line.asset if line.asset != last else "",
            line.what,
            *(_text(value) for value in (line.truth, line.measured, gap, line.tolerance)),
            "ok" if line.ok else "EXCEEDED",
            style=None if line.ok else "bold red",
        )
        last = line.asset
    return table


def for_scripts(lines: list[Line]) -> dict[str, Any]:
    """The same for scripts."""
    return {"ok": all(line.ok for line in lines), "lines": [asdict(line) | {"ok": line.ok} for line in lines]}


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:,.5g}"

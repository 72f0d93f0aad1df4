"""One asset's numbers twice: from the plant's ledger, and from Lineside."""

from dataclasses import dataclass
from typing import Any

from gateway.app import Gateway
from gateway.clock import ScaledClock
from gateway.demo.compare import Limits, Line, compare
from gateway.kpi.asset import AssetModel
from gateway.kpi.between import Between
from simulators.ledger import Ledger, MachineLedger
from simulators.truth import truth

_US = 1e6
_MWH_PER_KWH = 1e6
_ON_ITS_WAY_S = 0.25
_FROM_THE_START = frozenset({"state", "total", "good", "scrap", "rework", "energy"})
"""Roles that say something before the machines begin; a product and an order come with the work."""
_OF_ENERGY = frozenset({"energy_kwh", "sec_kwh_per_part", "co2e_kg"})


@dataclass(frozen=True, slots=True)
class EnergyMeter:
    """How an asset's energy is measured: the step of its register, and how far the meter may be off."""

    step_kwh: float = 0.0
    accuracy: float = 0.0


async def compare_asset(gateway: Gateway, ledger: Ledger, model: AssetModel, meter: EnergyMeter) -> list[Line]:
    """Truth against measured from the asset's first fact (of the role that came last) to its last."""
    spans = await gateway.engine.spans(model.name)
    from_ms = max(first for role, (first, _) in spans.items() if role in _FROM_THE_START)
    to_ms = max(last for _, last in spans.values())
    found = await gateway.engine.between(model.name, from_ms, to_ms)
    factor = gateway.config.factors.grid(model.calendar.business_date(from_ms))
    mixed = "product" in model.bindings
    ideal_s = None if mixed else (model.ideal_cycle_us or 0) / _US
    known = truth(ledger, model.name, from_ms, to_ms, ideal_s, factor.kg_per_kwh if factor else 0.0)
    if mixed and known["oee"] and known["performance"] and known["availability"]:
        known["quality_rate"] = known["oee"] / (known["availability"] * known["performance"])  # by ideal times
    if "rework" not in model.bindings:
        known["scrap"] += known["rework"]  # whoever does not tell them apart counts both
    late_s = _late_s(gateway, model)
    most_w = max(ledger.machines[model.name].power.rate)
    unseen_kwh = 0.0 if model.bindings["state"].hold.polled else late_s * most_w / 3.6e6
    mixed_s = _mixed_s(ledger.machines[model.name], from_ms, to_ms, late_s) if mixed else 0.0
    limits = Limits(late_s, meter.step_kwh + unseen_kwh, meter.accuracy, mixed_s)
    lines = compare(model.name, known, _measured(found), limits)
    return [line for line in lines if "energy" in model.bindings or line.what not in _OF_ENERGY]


def _mixed_s(machine: MachineLedger, from_ms: int, to_ms: int, late_s: float) -> float:
    """Ideal time that may count for the wrong product: at each change, the parts between two reads."""
    ideals = [one for name, one in machine.ideal_s.items() if name]
    if len(ideals) < 2 or not late_s:
        return 0.0
    changes = sum(from_ms < at_ms <= to_ms for at_ms in machine.product_ms)
    return changes * (late_s / min(ideals) + 1) * (max(ideals) - min(ideals))


def _late_s(gateway: Gateway, model: AssetModel) -> float:
    """How late a change may be seen: a poll, the way of a message that has no time of its own, or not at all."""
    state = model.bindings["state"]
    if state.hold.polled:
        return state.hold.period_ms / 1000
    speed = gateway.clock.speed if isinstance(gateway.clock, ScaledClock) else 1.0
    return 0.0 if gateway.journal.tags[state.tag].source_time else _ON_ITS_WAY_S * speed


def _measured(found: Between) -> dict[str, Any]:
    """Lineside's numbers under the names of the ledger's."""
    sums, kpis = found.sums, found.kpis
    return {
        "producing_s": sums["time_producing"] / _US,
        "total": sums["total"],
        "good": sums["good"],
        "scrap": sums["scrap"],
        "availability": kpis["availability"],
        "performance": kpis["effectiveness"],
        "quality_rate": kpis["quality_rate"],
        "oee": kpis["oee"],
        "energy_kwh": sums["energy"] / _MWH_PER_KWH,
        "sec_kwh_per_part": kpis["sec"],
        "co2e_kg": kpis["co2e"],
    }

"""One asset's numbers twice: from the plant's ledger, and from Lineside."""

from typing import Any

from gateway.app import Gateway
from gateway.demo.compare import Limits, Line, compare
from gateway.kpi.asset import AssetModel
from gateway.kpi.between import Between
from simulators.ledger import Ledger
from simulators.truth import truth

_US = 1e6
_MWH_PER_KWH = 1e6


async def compare_asset(gateway: Gateway, ledger: Ledger, model: AssetModel, energy_step_kwh: float) -> list[Line]:
    """Truth against measured from the asset's first fact (of the role that came last) to its last."""
    spans = await gateway.engine.spans(model.name)
    from_ms = max(first for first, _ in spans.values())
    to_ms = max(last for _, last in spans.values())
    found = await gateway.engine.between(model.name, from_ms, to_ms)
    factor = gateway.config.factors.grid(model.calendar.business_date(from_ms))
    ideal_s = (model.ideal_cycle_us or 0) / _US
    known = truth(ledger, model.name, from_ms, to_ms, ideal_s, factor.kg_per_kwh if factor else 0.0)
    state = model.bindings["state"].hold
    limits = Limits(state.period_ms / 1000 if state.polled else 0.0, energy_step_kwh)
    return compare(model.name, known, _measured(found), limits)


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

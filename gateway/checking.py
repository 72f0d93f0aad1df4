"""`lineside check`: what a config that has no errors will do."""

from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from gateway.config import Config, models
from gateway.kpi.roles import available
from gateway.model import TagTable

_NO_FACTOR: Final = "needs a grid emission factor: add `packs: [vietnam]`, or a pack of your own"


def print_check(config: Config, console: Console) -> bool:
    """Prints what is collected, and for each asset its KPIs and what the missing ones need.

    Returns whether the profiles in use decode their own examples.
    """
    wrong = [f"{name}: {text}" for name, section in config.sources.items() for text in section.check(config.library)]
    for text in wrong:
        console.print(text, style="red", markup=False)
    verdict = "the examples of its profiles fail" if wrong else "ok"
    console.print(
        f"{config.file}: {verdict}: {len(config.sources)} sources, {len(config.tags)} tags, "
        f"{len(config.root.assets)} assets, {len(config.sinks)} sinks"
    )
    for name, model in models(config.root, TagTable(enumerate(config.tags))).items():
        needs = available(model)
        if config.factors.grid(datetime.now(UTC).date()) is None:
            needs |= {kpi: needs[kpi] or _NO_FACTOR for kpi in ("co2e", "carbon_intensity")}
        console.print(f"{name}: {', '.join(kpi for kpi, need in needs.items() if not need) or 'no KPI'}")
        for kpi, need in needs.items():
            if need:
                console.print(f"  not {kpi}: {need}")
    return not wrong

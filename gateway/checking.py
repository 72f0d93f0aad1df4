"""`lineside check`: what a config that has no errors will do."""

from rich.console import Console

from gateway.config import Config, models
from gateway.kpi.roles import available
from gateway.model import TagTable


def print_check(config: Config, console: Console) -> None:
    """Prints what is collected, and for each asset its KPIs and what the missing ones need."""
    console.print(
        f"{config.file}: ok: {len(config.sources)} sources, {len(config.tags)} tags, "
        f"{len(config.root.assets)} assets, {len(config.sinks)} sinks"
    )
    for name, model in models(config.root, TagTable(enumerate(config.tags))).items():
        needs = available(model)
        console.print(f"{name}: {', '.join(kpi for kpi, need in needs.items() if not need) or 'no KPI'}")
        for kpi, need in needs.items():
            if need:
                console.print(f"  not {kpi}: {need}")

"""`lineside check`: what a config that has no errors will do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from gateway.config import Config, models
from gateway.kpi.group import groups
from gateway.kpi.needs import of_everyone
from gateway.model import TagTable

_NO_FACTOR: Final = "needs a grid emission factor: add `packs: [vietnam]`, or a pack of your own"


def kpi_needs(config: Config) -> dict[str, dict[str, str]]:
    """Owner (asset, line, area or site) → KPI → what the config lacks for it, "" where it will be computed."""
    every = models(config.root, TagTable(enumerate(config.tags)))
    limits = {name: line.constraint for name, line in config.root.lines.items() if line.constraint}
    found = {
        owner: dict(needs)
        for owner, needs in of_everyone(every, groups(every, config.site, limits), config.catalogue).items()
    }
    if config.factors.grid(datetime.now(UTC).date()) is None:
        carbon = [row.kpi.id for row in config.catalogue.rows if row.kpi.grid]
        for needs in found.values():
            needs |= {kpi: needs[kpi] or _NO_FACTOR for kpi in carbon}
    return found


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
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for owner, needs in kpi_needs(config).items():
        if owner in config.root.assets:
            alike.setdefault(tuple(needs.items()), []).append(owner)
    for found, assets in alike.items():
        _print_needs(assets, dict(found), console)
    return not wrong


def _print_needs(assets: Sequence[str], needs: Mapping[str, str], console: Console) -> None:
    """The KPIs that will be computed for assets that have the same, then what is missing and which KPIs wait for it."""
    computed = ", ".join(kpi for kpi, need in needs.items() if not need)
    console.print(f"{', '.join(assets)}: {computed or 'no KPI'}")
    waiting: dict[str, list[str]] = {}
    for kpi, need in needs.items():
        waiting.setdefault(need, []).append(kpi)
    for need, kpis in waiting.items():
        if need:
            console.print(f"  {need}: {', '.join(kpis)}")

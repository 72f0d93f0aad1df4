"""The demo's live table in the terminal, from the same snapshot that the board shows."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

_COLORS = {
    "producing": "bold green",
    "setup": "cyan",
    "idle": "yellow",
    "fault": "bold red",
    "blocked": "magenta",
    "starved": "magenta",
    "planned_stop": "blue",
    "unknown": "dim",
}


def live_table(snapshot: dict[str, Any], board: str) -> Group:
    """Per machine its state, parts, OEE, kW, kWh and CO2e per part; below, the health of journal and consumers."""
    table = Table(
        title=f"{snapshot['site']}   board: {board}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("machine", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for column in ("parts", "good", "OEE %", "avail.", "perf.", "qual.", "kW", "kWh/part", "kgCO2e/pt"):
        table.add_column(column, justify="right", no_wrap=True)
    for asset in snapshot["assets"]:
        kpis = asset.get("kpis", {})
        state = Text(str(asset["state"] or "?"), style=_COLORS.get(asset["class"], ""))
        table.add_row(
            asset["asset"],
            state,
            _number(asset.get("total"), 0),
            _number(asset.get("good"), 0),
            *(_percent(kpis.get(kpi)) for kpi in ("oee", "availability", "effectiveness", "quality_rate")),
            _number(asset.get("kw"), 1),
            _number(kpis.get("sec"), 4),
            _number(kpis.get("carbon_intensity"), 4),
        )
    return Group(table, _health(snapshot["health"]))


def _health(health: dict[str, Any]) -> Text:
    journal = health["journal"]
    text = Text(f"journal: {journal['ingested']:,} readings, {journal['bytes'] / 1024:,.0f} KiB")
    text.append(f", BLOCKED: {journal['blocked']}" if journal["blocked"] else ", ok")
    text.append(f", {journal['lost']:,} lost" if journal["lost"] else "")
    for sink in health["sinks"]:
        text.append(f"   {sink['name']}: {sink['state']}, {sink['lag_readings']:,} waiting")
    down = [f"{source['name']}: {source['reason']}" for source in health["sources"] if source["state"] != "up"]
    text.append("\nsources: " + ("; ".join(down) if down else f"all {len(health['sources'])} up"))
    return text


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"

"""The plant in the terminal: where its faces listen, and a live table of its machines with the truth so far."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from simulators.endpoints import parse_broker
from simulators.hours import Hours
from simulators.ledger import Ledger
from simulators.live import Live
from simulators.running import Running
from simulators.scenario import Scenario
from simulators.truth import Truth, truth

_ROWS = 30
_COLORS = {"EXECUTE": "green", "ABORTED": "bold red", "SETUP": "yellow", "SUSPENDED": "cyan", "HELD": "magenta"}


def told(running: Running) -> list[str]:
    """What listens where, in lines."""
    scenario, faces = running.scenario, running.faces
    lines = [f"{scenario.scenario}: {scenario.title}" if scenario.title else scenario.scenario]
    for face in scenario.faces:
        if face.kind == "modbus":
            units = ", ".join(
                f"{unit_id} {unit.machine or unit.meter} ({unit.profile})" for unit_id, unit in face.units.items()
            )
            lines.append(f"  {faces.listens[face.name]}  units {_shortened(units)}")
        else:
            names = _shortened(", ".join(dict.fromkeys([*face.machines, *face.meters])))
            broker = parse_broker(face.broker)
            started = " (started here)" if faces.brokers.get(f"{broker.host}:{broker.port}") == "started" else ""
            lines.append(f"  {face.broker}{started}  {face.prefix}/…, {face.style}: {names}")
    if running.api:
        lines.append(f"  {running.api}/truth, /ledger/states.csv, /faults")
    if running.own_time:
        lines.append(f"  its own time, {running.clock.speed:g} times as fast; for Lineside: --clock {running.clock}")
    return lines


def opening(scenario: Scenario, now_ms: int) -> datetime | None:
    """When the plant opens next; None: it is open."""
    edges = Hours(scenario.calendar, scenario.zone).edges(now_ms)
    _, is_open = next(edges)
    return None if is_open else datetime.fromtimestamp(next(edges)[0] / 1000, scenario.zone)


def machine_table(live: Live) -> Table:
    """The machines, with their true numbers since the start; the first thirty of many."""
    ledger = live.plant.ledger
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=_now(ledger), title_justify="left", title_style="")
    for column in ("machine", "state", "product"):
        table.add_column(column, no_wrap=True)
    for column in ("parts", "good", "kW", "kWh", "OEE"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, panel in list(live.panels.items())[:_ROWS]:
        live.measure(f"machine/{name}")
        known = truth(ledger, name, ledger.start_ms, ledger.until_ms) if ledger.until_ms > ledger.start_ms else None
        table.add_row(
            name,
            f"[{_COLORS.get(panel.state.name, 'default')}]{panel.state.name}[/]",
            panel.product,
            str(panel.total),
            str(panel.good),
            f"{panel.electric.watts / 1000:.1f}",
            f"{panel.electric.energy_wh / 1000:.2f}",
            _oee(known),
        )
    if len(live.panels) > _ROWS:
        table.caption = f"and {len(live.panels) - _ROWS} more"
    return table


def _now(ledger: Ledger) -> str:
    """The plant's time, and what goes wrong in it now."""
    now = datetime.fromtimestamp(ledger.until_ms / 1000, ZoneInfo(ledger.timezone))
    wrong = [f"{fault.kind} of {fault.on}" for fault in ledger.faults if fault.from_ms <= ledger.until_ms < fault.to_ms]
    return escape("  ".join([f"{now:%a %Y-%m-%d %H:%M:%S %Z}", *wrong]))


def _oee(known: Truth | None) -> str:
    oee = known["oee"] if known else None
    return "–" if oee is None else f"{oee:.1%}"


def _shortened(text: str, longest: int = 160) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"

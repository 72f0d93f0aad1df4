"""`lineside plan`: what Modbus sources will ask, how long it takes, and whether their lines can carry it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from rich.console import Console
from rich.table import Table

from adapters.modbus.config import ModbusConfig
from adapters.modbus.forecast import Assumed, Forecast, Round, forecast
from adapters.modbus.locator import Locator
from adapters.modbus.manners import Manners
from adapters.modbus.plan import Block, plan
from adapters.modbus.point import Point
from gateway.config import Config
from gateway.library import Library

_CROWDED = 0.8


def print_plan(config: Config, assumed: Assumed, console: Console) -> bool:
    """Prints the requests of each source and group, and the load of each line; whether every line can carry its own."""
    sources = _modbus(config.sources)
    if not sources:
        console.print(f"{config.file}: no source of kind modbus")
        return True
    forecasts = list(_forecasts(sources, config.library, assumed))
    console.print(_requests(forecasts))
    console.print(_lines(forecasts))
    console.print(_assumptions(forecasts, assumed), style="dim", markup=False)
    remarks: dict[tuple[bool, str], list[str]] = {}
    for found in forecasts:
        for text in _remarks(found):
            remarks.setdefault((found.load > 1, text), []).append(str(found.locator))
    for (impossible, text), lines in sorted(remarks.items()):
        console.print(f"{_several(lines)}: {text}", style="red" if impossible else "yellow", markup=False)
    return all(found.load <= 1 for found in forecasts)


def _modbus(sources: Mapping[str, object]) -> dict[str, ModbusConfig]:
    return {name: section for name, section in sources.items() if isinstance(section, ModbusConfig)}


def _forecasts(sources: Mapping[str, ModbusConfig], library: Library, assumed: Assumed) -> Iterator[Forecast]:
    by_line: dict[Locator, list[str]] = {}
    for name, section in sources.items():
        by_line.setdefault(section.locator, []).append(name)
    for locator, names in by_line.items():
        rounds = [found for name in names for found in _rounds(name, sources[name], library)]
        manners = Manners.gentlest(sources[name].handling(library).manners for name in names)
        yield forecast(locator, rounds, manners, assumed)


def _rounds(name: str, section: ModbusConfig, library: Library) -> Iterator[Round]:
    """What a source reads, the frequent groups first."""
    points = section.resolve(library)
    periods = section.periods(points)
    limits = section.handling(library).limits
    for group in sorted(periods, key=lambda group: (periods[group], group)):
        members = [point for point in points if point.group == group]
        blocks = plan(members, limits)
        unused = sum(_unused(block, members) for block in blocks)
        yield Round(name, section.unit_id, group, periods[group], blocks, unused)


def _unused(block: Block, points: Sequence[Point]) -> int:
    wanted = {address for i in block.points for address in range(points[i].address, points[i].end)}
    unwanted = block.count - len(wanted)
    return unwanted // 16 if block.table.is_bits else unwanted


def _requests(forecasts: Sequence[Forecast]) -> Table:
    table = Table(title="requests", title_justify="left")
    for column in ("source", "group", "every", "requests"):
        table.add_column(column)
    for column in ("registers", "unused", "takes"):
        table.add_column(column, justify="right")
    same: dict[tuple[Round, float], list[str]] = {}
    for found in forecasts:
        for each, seconds in zip(found.rounds, found.seconds, strict=True):
            same.setdefault((replace(each, source="", unit=0), round(seconds, 6)), []).append(each.source)
    for (each, seconds), names in same.items():
        table.add_row(
            *(_several(names), each.group, duration(each.period_s), _spans(each.blocks)),
            *(str(sum(block.nbytes + 1 for block in each.blocks) // 2), str(each.unused), duration(seconds)),
        )
    return table


def _lines(forecasts: Sequence[Forecast]) -> Table:
    table = Table(title="lines", title_justify="left")
    table.add_column("endpoint")
    for column in ("sources", "reads/s", "busy", "all at once"):
        table.add_column(column, justify="right")
    same: dict[tuple[str, ...], list[str]] = {}
    for found in forecasts:
        reads = sum(len(each.blocks) / each.period_s for each in found.rounds)
        names = {each.source for each in found.rounds}
        figures: tuple[str, ...] = (str(len(names)), f"{reads:.3g}", _percent(found.load), duration(found.all_s))
        same.setdefault(figures, []).append(_line(found))
    for row, endpoints in same.items():
        table.add_row(_several(endpoints), *row)
    return table


def _line(found: Forecast) -> str:
    line = found.behind
    return f"{found.locator}" + (f" ({line.baud} baud, {line.databits}{line.parity}{line.stopbits})" if line else "")


def _remarks(found: Forecast) -> Iterator[str]:
    if found.load > 1:
        rates = " and ".join(f"{group} every {duration(period_s)}" for group, period_s in found.remedy().items())
        written = ", ".join(f"{group}: {duration(period_s)}" for group, period_s in found.remedy().items())
        yield f"needs {_percent(found.load)} of the time; it could read {rates}: write poll: {{ {written} }}"
    elif found.load > _CROWDED:
        yield f"busy for {_percent(found.load)} of the time: little is left for retries"
    if found.load <= 1 and found.late:
        yield (
            f"when all groups fall due together they take {duration(found.all_s)}: "
            f"the next slot of {' and '.join(found.late)} may pass unread (counted as an overrun)"
        )


def _assumptions(forecasts: Sequence[Forecast], assumed: Assumed) -> str:
    said: list[str] = []
    if any(found.behind for found in forecasts):
        said.append(f"a device on a line begins to answer after {duration(assumed.answer_s)} (--answer)")
    if any(not found.locator.is_serial for found in forecasts):
        said.append(f"a network's round trip takes {duration(assumed.round_trip_s)} (--round-trip)")
    if any(found.behind and not found.locator.is_serial for found in forecasts):
        said.append(f"several units behind one address share a line of {assumed.baud} baud (--baud)")
    return f"assumed: {'; '.join(said)}"


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _spans(blocks: Sequence[Block]) -> str:
    """`input 0…75, 342…343; holding 5`."""
    tables = groupby(blocks, key=lambda block: block.table)
    return "; ".join(f"{table} {', '.join(_span(block) for block in members)}" for table, members in tables)


def _span(block: Block) -> str:
    return str(block.address) if block.count == 1 else f"{block.address}…{block.address + block.count - 1}"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.0995 else f"{100 * part:.1f} %"


def duration(seconds: float) -> str:
    """As a config writes it: `85ms`, `1.4s`, `5min`."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.3g}ms"
    return f"{seconds:.3g}s" if seconds < 120 else f"{seconds / 60:.3g}min"

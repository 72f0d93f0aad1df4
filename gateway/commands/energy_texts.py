"""Demand and bill as terminal and scripts get them."""

import csv
import sys
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from gateway.commands.shared import PLAIN, table_console
from gateway.energy.bill import Bill, Extra, Line
from gateway.energy.demand import Peak
from gateway.energy.electricity import OwnersDemand
from gateway.energy.profile import kw
from gateway.energy.stored import Stored
from gateway.moment import show_moment
from gateway.packs.records import BANDS

_HOUR_MS: Final = 3_600_000
_MWH_PER_KWH: Final = 1_000_000
_SHOWN: Final = 8


def print_demand(found: OwnersDemand, zone: ZoneInfo) -> None:
    """Peaks, load factor and coincidence; then what could not be said and why."""
    minutes, result = found.demand.blocks.length_ms // 60_000, found.demand
    _print_head(found.look, zone)
    if result.reason:
        PLAIN.print(f"  no peak demand: {result.reason}")
    for name, peak in ((f"peak of {minutes}-min blocks", result.block), ("peak, sliding", result.sliding)):
        if peak:
            PLAIN.print(f"  {name:<24}{peak.kw:>12,.1f} kW   {show_moment(peak.start_ms, zone)}, {minutes} min")
    if result.load_factor is not None:
        PLAIN.print(f"  {'load factor':<24}{100 * result.load_factor:>12.1f} %")
    if found.coincidence is not None:
        PLAIN.print(f"  {'coincidence':<24}{100 * found.coincidence:>12.1f} %    of {len(found.parts)} parts")
    if found.parts:
        table_console().print(_table_of_parts(found.parts, zone))
    _print_holes(found.look, "windows that touch them do not count", zone)


def _print_head(look: Stored, zone: ZoneInfo) -> None:
    PLAIN.print(f"{look.owner}  {show_moment(look.span[0], zone)} – {show_moment(look.span[1], zone)}")


def _table_of_parts(parts: Mapping[str, Peak | None], zone: ZoneInfo) -> Table:
    table = Table()
    for column in ("part", "own peak kW", "begins"):
        table.add_column(column, justify="right" if "kW" in column else "left")
    for name, peak in sorted(parts.items(), key=lambda one: -(one[1].kw if one[1] else 0.0)):
        shown = (f"{peak.kw:,.1f}", show_moment(peak.start_ms, zone)) if peak else ("–", "no window was measured")
        table.add_row(*map(Text, (name, *shown)))
    return table


def _print_holes(look: Stored, therefore: str, zone: ZoneInfo) -> None:
    """What was not measured, and from when on nothing is stored."""
    holes = look.holes
    if holes:
        hours = sum(end - start for start, end in holes) / _HOUR_MS
        PLAIN.print(f"  not measured: {hours:,.1f} h; {therefore}")
    for start, end in holes[:_SHOWN]:
        PLAIN.print(f"    {show_moment(start, zone)} – {show_moment(end, zone)}")
    if len(holes) > _SHOWN:
        PLAIN.print(f"    … and {len(holes) - _SHOWN} more")
    if look.end_ms < look.span[1]:
        PLAIN.print(f"  from {show_moment(look.end_ms, zone)} on nothing is stored yet")


def _look_as_json(look: Stored, zone: ZoneInfo) -> dict[str, Any]:
    """Whose electricity it is, when, and what of it was not measured."""
    return {
        "owner": look.owner,
        "from": show_moment(look.span[0], zone),
        "to": show_moment(look.span[1], zone),
        "energy_kwh": look.profile.total_mwh / _MWH_PER_KWH,
        "measured_h": look.profile.known_ms / _HOUR_MS,
        "not_measured": [[show_moment(end, zone) for end in hole] for hole in look.holes],
        "stored_to": show_moment(look.end_ms, zone),
    }


def demand_as_json(found: OwnersDemand, zone: ZoneInfo) -> dict[str, Any]:
    """For scripts."""
    result = found.demand
    return _look_as_json(found.look, zone) | {
        "window_min": result.blocks.length_ms // 60_000,
        "block": _peak_as_json(result.block, zone),
        "sliding": _peak_as_json(result.sliding, zone),
        "reason": result.reason,
        "load_factor": result.load_factor,
        "coincidence": found.coincidence,
        "parts": {name: _peak_as_json(peak, zone) for name, peak in found.parts.items()},
    }


def _peak_as_json(peak: Peak | None, zone: ZoneInfo) -> dict[str, Any] | None:
    if peak is None:
        return None
    return {"kw": peak.kw, "from": show_moment(peak.start_ms, zone), "to": show_moment(peak.end_ms, zone)}


def write_windows(found: OwnersDemand, zone: ZoneInfo) -> None:
    """One line per window; without power where it was not measured."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("start", "end", "kw", "kwh"))
    blocks = found.demand.blocks
    for start, mwh, valid in zip(blocks.start_ms.tolist(), blocks.mwh.tolist(), blocks.valid.tolist(), strict=True):
        power = (kw(mwh, blocks.length_ms), mwh / _MWH_PER_KWH) if valid else ("", "")
        writer.writerow((show_moment(start, zone), show_moment(start + blocks.length_ms, zone), *power))


def print_bill(found: Bill, look: Stored, zone: ZoneInfo) -> None:
    """Bands, charges and records; what is not known stays open and says why."""
    _print_head(look, zone)
    table = Table()
    for column in ("", "kWh", "share", f"{found.currency} per kWh", found.currency):
        table.add_column(column, justify="right" if column else "left")
    for line in found.lines:
        table.add_row(*map(Text, _cells(line, found.mwh)))
    table.add_section()
    for name, amount in _sums(found):
        table.add_row(name, f"{found.mwh / _MWH_PER_KWH:,.1f}" if name == "energy" else "", "", "", _money(amount))
    table_console().print(table)
    _print_remarks(found)
    _print_holes(look, "what was used then is spread evenly over them", zone)


def print_comparison(bills: Mapping[str, Bill]) -> None:
    """The same energy under each schedule of hours, and the difference to the first one."""
    table = Table(title="the same energy under other hours", title_justify="left")
    for column in (
        "hours",
        *(f"{band.replace('_', '-')} kWh" for band in BANDS),
        "energy",
        "total with VAT",
        "difference",
    ):
        table.add_column(column, justify="left" if column == "hours" else "right")
    first = next(iter(bills.values())).total
    for name, one in bills.items():
        by_band = (sum(line.mwh for line in one.lines if line.band == band) / _MWH_PER_KWH for band in BANDS)
        change = None if one.total is None or first is None else one.total - first
        kwh = (f"{value:,.1f}" for value in by_band)
        table.add_row(*map(Text, (name, *kwh, _money(one.energy), _money(one.total), _signed(change))))
    table_console().print(table)


def _cells(line: Line, all_mwh: int) -> tuple[str, ...]:
    price = "–" if line.price is None else f"{line.price:,.6g}"
    share = f"{100 * line.mwh / all_mwh:.1f} %" if all_mwh else "–"
    return line.band.replace("_", "-"), f"{line.mwh / _MWH_PER_KWH:,.1f}", share, price, _money(line.amount)


def _sums(found: Bill) -> list[tuple[str, float | None]]:
    """The rows below the bands."""
    rows = [("energy", found.energy), ("reactive", found.reactive.amount), ("capacity", found.capacity.amount)]
    return [*rows, ("VAT", found.vat), ("total", found.total)]


def _print_remarks(found: Bill) -> None:
    for name, extra in (("reactive", found.reactive), ("capacity", found.capacity)):
        PLAIN.print(f"  {name}: {extra.note}{_left_out(found, extra)}")
    if found.missing:
        PLAIN.print(f"  there is no amount: {reason(found)}")
    if found.spread_mwh and found.low is not None and found.high is not None:
        kwh = f"{found.spread_mwh / _MWH_PER_KWH:,.1f} kWh were used while the meter was not read"
        PLAIN.print(
            f"  {kwh}: nobody knows in which band; the energy costs {_money(found.low)} to {_money(found.high)}"
        )
    for label in found.factors:
        PLAIN.print(f"  record: {label}")


def _left_out(found: Bill, extra: Extra) -> str:
    return "; it is not in the total" if extra.amount is None and found.total is not None else ""


def _money(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:,.2f}"


def _signed(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:+,.0f}"


def bill_as_json(found: Bill, look: Stored, zone: ZoneInfo) -> dict[str, Any]:
    """For scripts."""
    return _look_as_json(look, zone) | {
        "currency": found.currency,
        "lines": [_line_as_json(line) for line in found.lines],
        "peak_share": found.share("peak"),
        "spread_over_holes_kwh": found.spread_mwh / _MWH_PER_KWH,
        "energy": {"amount": found.energy, "low": found.low, "high": found.high},
        "reactive": {"amount": found.reactive.amount, "note": found.reactive.note},
        "capacity": {"amount": found.capacity.amount, "note": found.capacity.note},
        "vat": found.vat,
        "total": found.total,
        "reason": reason(found),
        "records": found.factors,
    }


def reason(found: Bill) -> str:
    """Why a bill has no amount."""
    if "energy" in found.missing:
        return "no energy was measured"
    lacking = " and ".join(found.missing)
    return f"factor_missing: no record of the {lacking} for a part of this range" if lacking else ""


def _line_as_json(line: Line) -> dict[str, Any]:
    names = [one.record.name for one in (line.terms.tariff, line.terms.hours) if one]
    kwh = {"kwh": line.mwh / _MWH_PER_KWH, "spread_over_holes_kwh": line.spread_mwh / _MWH_PER_KWH}
    return {"band": line.band} | kwh | {"price": line.price, "amount": line.amount, "records": names}

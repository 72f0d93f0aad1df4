"""Baselines and comparisons as people and scripts read them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

import msgspec
from rich.table import Table
from rich.text import Text

from gateway.energy.baseline.checking import chance
from gateway.energy.baseline.comparing import Comparison, Drift, Normalised, outside
from gateway.energy.baseline.periods import Collected
from gateway.energy.baseline.record import Baseline, LeftOut
from gateway.moment import show_moment

SIGNS: Final = {
    "difference": "energy - expected: below 0 is a saving",
    "cusum": "running sum of energy - expected: down is a saving",
    "enpi": "sum of energy / sum of expected: below 1 is better than the baseline",
    "savings": "sum of expected - sum of energy: above 0 is saved",
}
_FIELDS: Final = ("start", "end", "name", "energy", "expected", "difference", "cusum", "error", "outside")


@dataclass(frozen=True, slots=True)
class Report:
    """A baseline, the periods after it, and what they say.

    after, at, conditions  the line through these periods, and savings at normal conditions, where they were asked for
    """

    baseline: Baseline
    found: Collected
    result: Comparison
    after: Baseline | None
    at: Normalised | None
    conditions: tuple[float, ...]


def as_json(baseline: Baseline) -> dict[str, Any]:
    """A baseline as it is stored, with its ranges and its line as text."""
    found: dict[str, Any] = msgspec.to_builtins(baseline)
    ranges = dict(zip(baseline.names, baseline.ranges, strict=True))
    return found | {"formula": baseline.formula, "ranges": ranges, "names": baseline.names}


def listed(baselines: Sequence[Baseline], zone: ZoneInfo) -> Table:
    """One line per version."""
    table = _table("baseline", "of", "period", "fitted from", "to", "n", "R²", "CV(RMSE)", "line", "warnings", "by")
    for one in baselines:
        warnings = sum(check.level == "warning" for check in one.checks)
        edges = (_day(one.periods[0].start_ms, zone), _day(one.periods[-1].end_ms, zone))
        facts = (str(one.statistics.n), f"{one.statistics.r2:.3f}", f"{one.statistics.cv_rmse:.1%}")
        about = (one.label, one.ask.owner or one.ask.data, one.ask.period)
        table.add_row(*map(Text, (*about, *edges, *facts, one.formula, str(warnings or ""), one.by)))
    return table


def head(baseline: Baseline, zone: ZoneInfo) -> Iterator[str]:
    """What a baseline is, line by line."""
    ask, found = baseline.ask, baseline.statistics
    yield f"{baseline.label}: {ask.energy} of {ask.owner or ask.data} per {ask.period}, made {_by(baseline, zone)}"
    if baseline.note:
        yield f"  {baseline.note}"
    yield f"  Ê = {baseline.formula} {baseline.units[0]}".rstrip()
    yield f"  R² {found.r2:.4f} · adjusted {found.r2_adjusted:.4f} · CV(RMSE) {found.cv_rmse:.2%} · n {found.n}"
    yield f"  {_moment(baseline.periods[0].start_ms, zone)} to {_moment(baseline.periods[-1].end_ms, zone)}"
    for name, value in baseline.static.items():
        yield f"  static factor {name}: {value}"
    if baseline.members:
        yield f"  static factor assets: {', '.join(baseline.members)}"
    yield from _left_out(baseline.left_out, zone)


def tables(baseline: Baseline, zone: ZoneInfo) -> Iterator[Table]:
    """Coefficients, checks."""
    found = baseline.statistics
    table = _table("", "coefficient", "standard error", "t", "p", "fitted from", "to", "unit")
    ranges = [("", "", baseline.units[0])]
    for (low, high), unit in zip(baseline.ranges, baseline.units[1:], strict=True):
        ranges.append((f"{low:,.6g}", f"{high:,.6g}", unit))
    values = (baseline.model.base, *baseline.model.slopes)
    rows = zip(("base", *baseline.names), values, found.errors, found.t, found.p, ranges, strict=True)
    for name, value, error, t, p, about in rows:
        table.add_row(*map(Text, (name, f"{value:.6g}", f"{error:.3g}", f"{t:.3g}", chance(p), *about)))
    yield table
    table = _table("check", "", "")
    for check in baseline.checks:
        table.add_row(
            Text(check.check), Text(check.level, "green" if check.level == "ok" else "yellow"), Text(check.text)
        )
    yield table


def compared(report: Report, zone: ZoneInfo) -> Table:
    """One line per period."""
    unit = report.baseline.units[0]
    head = [f"{name} {unit}".rstrip() for name in ("energy", "expected", "energy - expected", "CUSUM", "± 1 error")]
    table = _table("from", "to", "", *report.baseline.names, *head, "outside the fitted range")
    for row in _rows(report, zone):
        numbers = (row[name] for name in ("energy", "expected", "difference", "cusum", "error"))
        drivers = (f"{x:,.6g}" for x in row["drivers"])
        said = (f"{x:,.1f}" for x in numbers)
        table.add_row(*map(Text, (row["start"], row["end"], row["name"], *drivers, *said, "; ".join(row["outside"]))))
    return table


def verdict(report: Report, zone: ZoneInfo) -> Iterator[str]:
    """What a comparison says, line by line."""
    result, unit = report.result, report.baseline.units[0]
    yield f"against {report.baseline.label}: Ê = {report.baseline.formula} {unit}".rstrip()
    yield f"energy {result.energy:,.1f}, expected {result.total:,.1f} {unit} over {len(result.periods)} periods"
    if result.enpi is not None and result.improvement is not None:
        yield f"EnPI {result.enpi:.2%} (below 100 % is better), improvement {result.improvement:+.2%} (above 0 is)"
    amount, half = abs(result.savings), result.uncertainty
    told = "" if result.is_certain else ": less than its uncertainty, so nothing is proven"
    yield f"{_saved(result.savings)} {amount:,.1f} ± {half:,.1f} {unit} (95 %){told}"
    yield f"CUSUM {result.cusum[-1]:+,.1f} {unit} (down is a saving)"
    yield from _drifts(result, unit, zone)
    if result.extrapolated:
        yield f"{result.extrapolated} of {len(result.periods)} periods lie outside the fitted range: extrapolated"
    yield from _static(report)
    yield from _left_out(report.found.left_out, zone)
    if report.at and report.after:
        yield from _normal(report, report.at, report.after)


def report_as_json(report: Report, zone: ZoneInfo) -> dict[str, Any]:
    """Everything of a comparison, with what its signs mean."""
    result = report.result
    found: dict[str, Any] = {
        "baseline": report.baseline.label,
        "formula": report.baseline.formula,
        "unit": report.baseline.units[0],
        "signs": SIGNS,
        "energy": result.energy,
        "expected": result.total,
        "enpi": result.enpi,
        "improvement": result.improvement,
        "savings": result.savings,
        "uncertainty_95": result.uncertainty,
        "is_certain": result.is_certain,
        "extrapolated": result.extrapolated,
        "drifts": [_drift_as_json(one, result, zone) for one in result.drifts],
        "static": dict(report.baseline.static),
        "static_changed": list(_static(report)),
        "left_out": msgspec.to_builtins(report.found.left_out),
        "periods": list(_rows(report, zone)),
    }
    if report.at and report.after:
        conditions = dict(zip(report.baseline.names, report.conditions, strict=True))
        found["normalised"] = msgspec.to_builtins(report.at) | {
            "conditions": conditions,
            "formula": report.after.formula,
            "remarks": list(_remarks(report, report.after)),
        }
    return found


def write_csv(report: Report, zone: ZoneInfo, file: TextIO) -> None:
    """One line per period."""
    names = report.baseline.names
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*_FIELDS[:3], *names, *_FIELDS[3:]))
    for row in _rows(report, zone):
        cells = [row[field] for field in _FIELDS[3:-1]]
        writer.writerow((*(row[field] for field in _FIELDS[:3]), *row["drivers"], *cells, "; ".join(row["outside"])))


def _rows(report: Report, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    result = report.result
    columns = (result.expected, result.differences, result.cusum, result.errors)
    for period, out, *numbers in zip(
        result.periods, result.outside, *(column.tolist() for column in columns), strict=True
    ):
        head = {"start": _moment(period.start_ms, zone), "end": _moment(period.end_ms, zone), "name": period.name}
        about = {"drivers": period.drivers, "energy": period.energy, "outside": out}
        yield head | about | dict(zip(("expected", "difference", "cusum", "error"), numbers, strict=True))


def _drifts(result: Comparison, unit: str, zone: ZoneInfo) -> Iterator[str]:
    if not result.drifts:
        yield "no drift: the CUSUM test (k 0.5, h 5 standard errors) finds no lasting change"
    for direction, run in groupby(result.drifts, key=lambda one: one.direction):
        first, *others = run
        since, at = (_moment(result.periods[index].start_ms, zone) for index in (first.since, first.at))
        again = f"; {len(others)} more since" if others else ""
        size = f"{abs(first.mean):,.1f} {unit} a period".replace("  ", " ")
        what = "DRIFT: more energy" if direction == "more" else "change: less energy"
        yield f"{what} than expected, {size}, since {since}; found {at}{again}"


def _drift_as_json(drift: Drift, result: Comparison, zone: ZoneInfo) -> dict[str, Any]:
    since, at = (_moment(result.periods[index].start_ms, zone) for index in (drift.since, drift.at))
    return {"direction": drift.direction, "since": since, "found": at, "mean_difference": drift.mean}


def _static(report: Report) -> Iterator[str]:
    before, now = report.baseline.members, report.found.members
    if before != now:
        gone = [f"-{name}" for name in before if name not in now]
        new = [f"+{name}" for name in now if name not in before]
        yield f"static factor assets has changed ({', '.join(gone + new)}): fit a new version"
    for name, value in report.baseline.static.items():
        yield f"static factor {name} was {value}: if it has changed, fit a new version"


def _normal(report: Report, at: Normalised, after: Baseline) -> Iterator[str]:
    conditions = ", ".join(f"{n} {x:,.6g}" for n, x in zip(report.baseline.names, report.conditions, strict=True))
    unit = report.baseline.units[0]
    yield f"at {conditions}: {at.before:,.1f} before, {at.after:,.1f} now (Ê = {after.formula}) {unit}".rstrip()
    said = f"{_saved(at.savings)} {abs(at.savings):,.1f} ± {at.uncertainty:,.1f} {unit} a period (95 %)"
    yield said + ("" if abs(at.savings) > at.uncertainty else ": less than its uncertainty, so nothing is proven")
    yield from _remarks(report, after)


def _remarks(report: Report, after: Baseline) -> Iterator[str]:
    for one in (report.baseline, after):
        which = "the baseline" if one is report.baseline else "the compared periods"
        for text in outside(one.names, one.ranges, report.conditions):
            yield f"outside the range of {which}: {text}"
    yield from (f"line of the compared periods: {c.check} {c.text}" for c in after.checks if c.level == "warning")


def _left_out(left: Sequence[LeftOut], zone: ZoneInfo) -> Iterator[str]:
    for reason, group in groupby(sorted(left, key=lambda one: (one.reason, one.start_ms)), key=lambda one: one.reason):
        days = [_day(one.start_ms, zone) for one in group]
        yield f"  left out: {', '.join(days[:4])}{f' and {len(days) - 4} more' if len(days) > 4 else ''}: {reason}"


def _saved(savings: float) -> str:
    return "saved" if savings >= 0 else "used more:"


def _by(baseline: Baseline, zone: ZoneInfo) -> str:
    return _moment(baseline.made_at_ms, zone) + (f" by {baseline.by}" if baseline.by else "")


def _moment(ms: int, zone: ZoneInfo) -> str:
    return show_moment(ms, zone)[:16]


def _day(ms: int, zone: ZoneInfo) -> str:
    return show_moment(ms, zone)[:10]


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name)
    return table

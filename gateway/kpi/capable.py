"""Capability of processes over windows, read from kpi.db: by asset and measure, and the least of a line or a site."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.kpi.asset import Measure
from gateway.kpi.measured import hours_of
from gateway.kpi.measures import INDICES, Capability, capability
from gateway.kpi.query import KpiReader


@dataclass(frozen=True, slots=True)
class Measured:
    """What one measure of an asset was in a window; limits: those that are valid now."""

    asset: str
    measure: str
    start_ms: int
    end_ms: int
    name: str
    lsl: float | None
    usl: float | None
    found: Capability


@dataclass(frozen=True, slots=True)
class Least:
    """The least index of several measures: a plant is as capable as its worst process, not as their mean."""

    index: str
    value: float
    asset: str
    measure: str


def capabilities(reader: KpiReader, owner: str, window: str, from_ms: int, to_ms: int) -> list[Measured]:
    """Every measure of an owner over each calendar window that begins in a range; no window: over the range.

    An hour belongs to the window in which it begins. NoKpis: kpi.db cannot be read.
    """
    spans = [(from_ms, to_ms, "")]
    if window:
        spans = [(row.start_ms, row.end_ms, row.name) for row in reader.sums(owner, window, from_ms, to_ms)]
    found = []
    for asset in reader.assets_of(owner):
        for name, measure in reader.measures(asset).items():
            found += [_measured(reader, asset, name, measure, span) for span in spans]
    return sorted(found, key=lambda one: (one.start_ms, one.asset, one.measure))


def _measured(reader: KpiReader, asset: str, name: str, measure: Measure, span: tuple[int, int, str]) -> Measured:
    start_ms, end_ms, title = span
    hours = reader.asked(lambda db: hours_of(db, asset, name, start_ms, end_ms))
    return Measured(
        asset, name, start_ms, end_ms, title, measure.lsl, measure.usl, capability(hours, measure.lsl, measure.usl)
    )


def least(measured: Sequence[Measured]) -> list[Least]:
    """For each index the smallest value of those that have one."""
    found = []
    for index in INDICES:
        values = [
            (value, one.asset, one.measure) for one in measured if (value := getattr(one.found, index)) is not None
        ]
        if values:
            found.append(Least(index, *min(values)))
    return found

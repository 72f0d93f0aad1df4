"""Figures for plotly.js as plain dicts: pure, and light (plotly's own figure classes cost 30 MB of memory)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.board.palette import ELECTRICITY, LOOKS, METERED, Look, Theme
from gateway.kpi.metering import MeterTree

HOUR_MS: Final = 3_600_000
_INK: Final = {"light": "#3d4852", "dark": "#c3ccd5"}
_GRID: Final = {"light": "#dfe4e9", "dark": "#2c3640"}


def add_hours(per_asset: Sequence[Mapping[int, Mapping[str, float]]]) -> dict[int, dict[str, float]]:
    """The kWh of several machines as one: hour_ms → time class → kWh. Sums, so any order gives the same."""
    total: dict[int, dict[str, float]] = {}
    for hours in per_asset:
        for hour_ms, kwh in hours.items():
            into = total.setdefault(hour_ms, {})
            for name, energy_kwh in kwh.items():
                into[name] = into.get(name, 0.0) + energy_kwh
    return total


def add_metered(
    by_asset: Mapping[str, Mapping[int, Mapping[str, float]]], tree: MeterTree
) -> dict[int, dict[str, float]]:
    """The kWh of several assets as one, each kilowatt hour once.

    Classes are those of the assets with no meter below theirs; what only the meters above saw has no class.
    """
    total = add_hours([hours for name, hours in by_asset.items() if name not in tree.below])
    for hour_ms in {hour_ms for meter in tree.below for hour_ms in by_asset.get(meter, ())}:
        own = {name: sum(hours[hour_ms].values()) for name, hours in by_asset.items() if hour_ms in hours}
        into = total.setdefault(hour_ms, {})
        rest = tree.total(own, own.get) - sum(into.values())
        into[METERED] = into.get(METERED, 0.0) + max(0.0, rest)
    return total


def undivided(hours: Mapping[int, Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """The kWh of an asset without a state: nothing to divide them by."""
    return {hour_ms: {METERED: sum(kwh.values())} for hour_ms, kwh in hours.items()}


def energy_figure(
    hours: Mapping[int, Mapping[str, float]], from_ms: int, to_ms: int, zone: ZoneInfo, theme: Theme
) -> dict[str, Any]:
    """Energy per hour, stacked by time class.

    hours    hour_ms (UTC) → time class → kWh
    from_ms, to_ms   the range of the axis; the bars stand on UTC, so that a repeated hour of a clock change
                     is two bars; the labels are in `zone`
    Returns a figure (`data`, `layout`) for plotly.js; classes that used nothing have no bar, and the axis
    leaves out empty hours at its start while six remain.
    """
    starts = _starts(hours, from_ms, to_ms)
    looks = LOOKS | {METERED: ELECTRICITY}
    used = [name for name in looks if any(hours.get(h, {}).get(name, 0.0) > 0 for h in starts)]
    labels = [datetime.fromtimestamp(h / 1000, zone).strftime("%H:%M") for h in starts]
    data = [
        _bars(looks[name], [hours.get(h, {}).get(name, 0.0) for h in starts], starts, labels, theme) for name in used
    ]
    return {"data": data, "layout": _layout(starts, labels, theme)}


def _starts(hours: Mapping[int, Mapping[str, float]], from_ms: int, to_ms: int) -> list[int]:
    starts = list(range(from_ms - from_ms % HOUR_MS, to_ms, HOUR_MS))
    empty = next((i for i, h in enumerate(starts) if any(hours.get(h, {}).values())), len(starts))
    return starts[max(0, min(empty, len(starts) - 6)) :]


def _bars(look: Look, kwh: list[float], starts: list[int], labels: list[str], theme: Theme) -> dict[str, Any]:
    marker: dict[str, Any] = {"color": look.fill(theme), "line": {"width": 0}}
    if look.hatched:
        marker["pattern"] = {"shape": "/", "size": 6, "fgcolor": _INK[theme]}
    return {
        "type": "bar",
        "name": look.word,
        "x": [h + HOUR_MS // 2 for h in starts],
        "y": [round(energy_kwh, 6) for energy_kwh in kwh],
        "width": int(HOUR_MS * 0.8),
        "customdata": labels,
        "hovertemplate": f"%{{customdata}} · {look.word} %{{y:.3~g}} kWh<extra></extra>",
        "marker": marker,
    }


def _layout(starts: list[int], labels: list[str], theme: Theme) -> dict[str, Any]:
    every = 1 + len(starts) // 13
    axis = {"fixedrange": True, "automargin": True, "gridcolor": _GRID[theme], "zeroline": False}
    return {
        "barmode": "stack",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK[theme], "size": 14, "family": "system-ui, sans-serif"},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": False,
        "dragmode": False,
        "xaxis": axis
        | {
            "tickvals": [h + HOUR_MS // 2 for h in starts[::every]],
            "ticktext": [label.removesuffix(":00") for label in labels[::every]],
            "tickangle": 0,
            "range": [starts[0], starts[-1] + HOUR_MS] if starts else [0, HOUR_MS],
            "showgrid": False,
        },
        "yaxis": axis | {"rangemode": "tozero", "nticks": 5, "hoverformat": ".3~g"},
    }

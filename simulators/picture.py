"""A shift as a picture (SVG): what each machine did, and what the plant drew from the grid."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from simulators.ledger import Ledger, MachineLedger, State
from simulators.plant import Plant
from simulators.scenario import load_scenario
from simulators.scenario_file import shipped
from simulators.shift_table import shift_table, within
from simulators.truth import spans

COLORS: Final = {
    State.EXECUTE: "#2e9e5b",
    State.SETUP: "#2f6fde",
    State.IDLE: "#e6c229",
    State.ABORTED: "#d64045",
    State.STOPPED: "#c9cdd3",
    State.SUSPENDED: "#9b6bd3",
    State.HELD: "#e08a3c",
}
WORDS: Final = {
    State.EXECUTE: "producing",
    State.SETUP: "set-up",
    State.IDLE: "idle",
    State.ABORTED: "fault",
    State.STOPPED: "stopped",
    State.SUSPENDED: "starved",
    State.HELD: "blocked",
}
_LEFT, _WIDTH, _ROW, _GAP, _TOP, _CURVE = 130, 960, 22, 6, 44, 150
_MOST_ROWS = 16
_GRID_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 1440, 10_080, 10**9)
_TEXT = "#3a4049"


def shift_picture(ledger: Ledger, from_ms: int, to_ms: int, title: str = "") -> str:
    """The states of the first machines as bars, below them the power of the meter `main` (else of all machines)."""
    names = list(ledger.machines)[:_MOST_ROWS]
    curve_top = _TOP + len(names) * (_ROW + _GAP) + 24
    height = curve_top + _CURVE + 58
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 30} {height}" '
            f'font-family="system-ui, sans-serif" font-size="12" fill="{_TEXT}">'
        ),
        f'<rect width="{_LEFT + _WIDTH + 30}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="26" font-size="16" font-weight="600">{_safe(title or ledger.scenario)}</text>',
        *_grid(ledger, from_ms, to_ms, curve_top + _CURVE),
    ]
    for row, name in enumerate(names):
        lines += _bar(name, ledger.machines[name], _TOP + row * (_ROW + _GAP), (from_ms, to_ms))
    lines += _power(ledger, from_ms, to_ms, curve_top)
    lines += _legend(height - 16)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(name: str, book: MachineLedger, y: int, window: tuple[int, int]) -> Iterator[str]:
    """One machine: in each pixel the state that held longest."""
    yield f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{_safe(name)}</text>'
    step = (window[1] - window[0]) / _WIDTH
    columns = [_longest(book, (round(window[0] + x * step), round(window[0] + (x + 1) * step))) for x in range(_WIDTH)]
    x = 0
    for state, run in groupby(columns):
        width = len(list(run))
        if state is not None:
            yield f'<rect x="{_LEFT + x}" y="{y}" width="{width}" height="{_ROW}" fill="{COLORS[state]}"/>'
        x += width


def _longest(book: MachineLedger, window: tuple[int, int]) -> State | None:
    held: dict[State, int] = {}
    for state, (begin, end) in spans(book.state_ms, book.states, *window):
        held[state] = held.get(state, 0) + end - begin
    return max(held, key=lambda state: held[state], default=None)


def _power(ledger: Ledger, from_ms: int, to_ms: int, top: int) -> Iterator[str]:
    """Mean power of every two pixels."""
    edges = [from_ms + (to_ms - from_ms) * x // (_WIDTH // 2) for x in range(_WIDTH // 2 + 1)]
    counted = [_energy(ledger, at_ms) for at_ms in edges]
    mean_w = [(b - a) / (v - u) for a, b, u, v in zip(counted, counted[1:], edges, edges[1:], strict=False)]
    most, unit, per = _scale(max(mean_w, default=0))
    points = " ".join(f"{_LEFT + 2 * x + 1},{top + _CURVE * (1 - w / most):.1f}" for x, w in enumerate(mean_w))
    yield f'<text x="{_LEFT - 10}" y="{top + 6}" text-anchor="end">{most / per:g} {unit}</text>'
    yield f'<text x="{_LEFT - 10}" y="{top + _CURVE / 2 + 4:.0f}" text-anchor="end">{most / per / 2:g} {unit}</text>'
    yield f'<text x="{_LEFT - 10}" y="{top + _CURVE + 4}" text-anchor="end">0</text>'
    yield f'<polygon points="{_LEFT},{top + _CURVE} {points} {_LEFT + _WIDTH},{top + _CURVE}" fill="#2f6fde22"/>'
    yield f'<polyline points="{points}" fill="none" stroke="#2f6fde" stroke-width="1.4"/>'


def _energy(ledger: Ledger, at_ms: int) -> int:
    if "main" in ledger.meters:
        return ledger.meter_sum("main", at_ms)
    return sum(book.watt_ms_at(at_ms) for book in ledger.machines.values())


def _scale(watts: float) -> tuple[float, str, float]:
    """A round top of the axis, with its unit."""
    unit, per = next(((unit, per) for unit, per in (("MW", 1e6), ("kW", 1e3)) if watts >= 2 * per), ("W", 1.0))
    tops = (step * 10**power for power in range(-1, 5) for step in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8))
    return next(top for top in tops if top * per >= 1.02 * watts and top) * per, unit, per


def _grid(ledger: Ledger, from_ms: int, to_ms: int, bottom: int) -> Iterator[str]:
    """A line at round times of the plant's clock, a dozen at most."""
    zone = ZoneInfo(ledger.timezone)
    every = next(60_000 * step for step in _GRID_MIN if (to_ms - from_ms) / (60_000 * step) <= 12)
    for at_ms in range(-(-from_ms // every) * every, to_ms + 1, every):
        x = _LEFT + _WIDTH * (at_ms - from_ms) / (to_ms - from_ms)
        yield f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e7eb"/>'
        clock = datetime.fromtimestamp(at_ms / 1000, zone).strftime("%H:%M")
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{clock}</text>'


def _legend(y: int) -> Iterator[str]:
    for number, (state, word) in enumerate(WORDS.items()):
        x = _LEFT + number * 110
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLORS[state]}"/>'
        yield f'<text x="{x + 18}" y="{y}">{word}</text>'


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def main(arguments: Sequence[str]) -> None:
    """`python -m simulators.picture FOLDER [NAME …]`: the first eight hours of shipped scenarios (demo: 3 minutes).

    A page NAME.md beside the picture gets the true numbers of that shift between its marks.
    """
    folder = Path(arguments[0])
    for name in arguments[1:] or shipped():
        scenario, ledger = load_scenario(name), shift_of(name)
        from_ms, to_ms = ledger.start_ms, ledger.until_ms
        picture = shift_picture(ledger, from_ms, to_ms, f"{name}: {scenario.title}")
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        page = folder / f"{name}.md"
        if page.is_file():
            told = within(page.read_text(encoding="utf-8"), shift_table(ledger, from_ms, to_ms))
            page.write_text(told, encoding="utf-8")


def shift_of(name: str) -> Ledger:
    """What truly happens in the shift that the docs show of a shipped scenario."""
    scenario = load_scenario(name)
    start_ms = scenario.start_ms or 1_772_406_000_000
    plant = Plant(scenario, start_ms)
    plant.start(start_ms + 1)
    plant.run_to(start_ms + (180_000 if name == "demo" else 8 * 3_600_000))
    return plant.ledger


if __name__ == "__main__":
    main(sys.argv[1:])

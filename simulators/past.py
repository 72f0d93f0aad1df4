"""`simulate SCENARIO --recording FILE`: months of a plant's past, its truth and its site config, in one go."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from simulators.backdate import backdate, span_of
from simulators.command import Wish, save
from simulators.outputs import check_outputs
from simulators.scenario import Scenario, load_scenario
from simulators.site_config import site_config


@dataclass(frozen=True, slots=True)
class Past:
    """What the command line says."""

    scenario: str
    recording: Path
    days: float = 30.0
    begin: str | None = None
    seed: int | None = None
    ledger: Path | None = None
    site_config: Path | None = None
    parquet: bool = False
    always: bool = False


def write_past(past: Past, console: Console) -> None:
    """Writes everything that was asked for, and says what.

    Raises:
        ScenarioError, ProfileError: the scenario cannot be run. ValueError: a name or time is wrong. ImportError,
        OSError: a file cannot be written.
    """
    check_outputs(past.scenario, past.ledger, past.site_config, past.recording, parquet=past.parquet)
    scenario = load_scenario(past.scenario)
    if past.always:
        scenario = scenario.model_copy(update={"calendar": None})
    if past.seed is not None:
        scenario = scenario.model_copy(update={"seed": past.seed})
    folder = Wish(past.scenario).folder
    span_ms = span_of(past.days, _begin_ms(past.begin, scenario), time.time_ns() // 1_000_000)
    if past.site_config:
        past.site_config.write_text(site_config(scenario, {}, folder), encoding="utf-8")
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("simulating", total=1.0)
        ledger, count = backdate(
            scenario, folder, past.recording, span_ms, lambda done: progress.update(task, completed=done)
        )
    if past.ledger:
        save(ledger, past.ledger, parquet=past.parquet)
    first, last = (datetime.fromtimestamp(edge / 1000, scenario.zone) for edge in span_ms)
    console.print(
        f"{past.recording}: {count:,} readings, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M %Z}", markup=False
    )


def _begin_ms(text: str | None, scenario: Scenario) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{text!r} is no time: write 2026-03-02T06:00, in the plant's time zone") from exc
    return round((moment if moment.tzinfo else moment.replace(tzinfo=scenario.zone)).timestamp() * 1000)

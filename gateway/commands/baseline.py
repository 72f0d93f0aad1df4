"""`lineside baseline fit | show | compare`: energy baselines after ISO 50006, and what changed since."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.commands import baseline_shown as shown
from gateway.commands.kpi_asking import must_be_known, stored
from gateway.commands.shared import PLAIN, ConfigPath, moment, now_ms, table_console, user, zone_of
from gateway.config import Config, load
from gateway.energy.baseline.comparing import compare, normalised
from gateway.energy.baseline.drivers import NoDriver
from gateway.energy.baseline.fitting import fitted
from gateway.energy.baseline.periods import CARRIERS, PERIODS, Collected, NoPeriods, of_file, of_store
from gateway.energy.baseline.record import Ask, Baseline, short
from gateway.energy.baseline.regression import NoFit
from gateway.energy.baseline.store import Baselines
from gateway.energy.baseline.temperatures import daily_means
from gateway.fields import Name
from gateway.history.query import HistoryReader
from gateway.ports import Unusable
from gateway.spelling import closest

app = typer.Typer(
    help="Energy baselines: energy as a line over its drivers, and what was saved since.", no_args_is_help=True
)
BaselineName = Annotated[str, typer.Argument(metavar="NAME", help="The baseline's name, such as press-07")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Periods that begin from here on")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="… and before this; not given: now")]
Data = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Periods from this file: date, energy and one column per driver"),
]
Version = Annotated[int | None, typer.Option(min=1, help="This version; not given: the newest")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts")]
_DRIFT: Final = 2


@app.command("fit")
def fit_baseline(
    config: ConfigPath,
    name: BaselineName,
    drivers: Annotated[
        list[str],
        typer.Option(
            help="total, hours, product:NAME, NAME:FILE.csv, hdd15:FILE.csv, hdd15:asset/tag; a,b or repeated"
        ),
    ],
    owner: Annotated[str, typer.Option(help="An asset, line/NAME, area/NAME or site/NAME")] = "",
    period: Annotated[str, typer.Option(help=", ".join(PERIODS))] = "day",
    energy: Annotated[str, typer.Option(help="Carrier; with --data the column of the energy")] = "electricity",
    from_: From = "",
    to: To = "",
    data: Data = None,
    static: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A factor that is taken as unchanging; repeated")
    ] = None,
    note: Annotated[str, typer.Option(help="Why this baseline is made")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who makes it; not given: the user of this session")] = "",
    as_json: AsJson = False,
) -> None:
    """Fit energy on its drivers over a range and store it as the next version of a baseline."""
    checked = load(config)
    _must_be_name(name)
    ask = _ask(owner, data, energy, period, drivers)
    span = (moment(from_, checked, "--from") if from_ else 0, moment(to, checked, "--to") if to else now_ms())
    with _understood():
        found = _collected(checked, ask, span)
        draft = fitted(name, ask, found, span, zone_of(checked), dict(_pair(one, "--static") for one in static or ()))
    made = _baselines(checked).add(replace(draft, made_at_ms=now_ms(), by=by or user(), note=note))
    _print_baseline(made, checked, as_json=as_json)


@app.command()
def show(
    config: ConfigPath,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this baseline, with its data")] = "",
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """List baselines with their versions, or show one with its statistics, checks and data."""
    checked = load(config)
    baselines = _baselines(checked)
    if name:
        _print_baseline(baselines.get(name, version), checked, as_json=as_json)
        return
    every = [baselines.get(one, version) for one in baselines.names() for version in baselines.versions(one)]
    if as_json:
        typer.echo(json.dumps([shown.as_json(one) for one in every], indent=2, ensure_ascii=False))
    elif every:
        table_console().print(shown.listed(every, zone_of(checked)))
    else:
        PLAIN.print("no baseline yet: make one with `lineside baseline fit`")


@app.command("compare")
def compare_baseline(
    config: ConfigPath,
    name: BaselineName,
    version: Version = None,
    from_: From = "",
    to: To = "",
    data: Data = None,
    normal: Annotated[
        str,
        typer.Option(
            metavar="DRIVER=VALUE,…",
            help="Savings at these conditions, by a line through the compared periods; `baseline`: those of its mean",
        ),
    ] = "",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line per period")] = False,
    alarm: Annotated[bool, typer.Option("--alarm", help="Exit with 2 where energy drifted up")] = False,
) -> None:
    """Hold what was used against a baseline: EnPI, savings, CUSUM and drift; from the end of its own range on."""
    checked = load(config)
    baseline = _baselines(checked).get(name, version)
    ask = replace(baseline.ask, data=str(data.resolve())) if data else baseline.ask
    if bool(ask.data) != bool(baseline.ask.data):
        raise typer.BadParameter(f"{baseline.label} rests on kpi.db: leave it away", param_hint="--data")
    span = (
        moment(from_, checked, "--from") if from_ else baseline.periods[-1].end_ms,
        moment(to, checked, "--to") if to else now_ms(),
    )
    with _understood():
        found = _collected(checked, ask, span)
        if not found.periods:
            why = f": {found.left_out[0].reason}" if found.left_out else ", or none has begun"
            raise NoPeriods(f"no {ask.period} in this range can be used{why}")
        result = compare(baseline, found.periods)
        conditions = _conditions(normal, baseline) if normal else ()
        after = fitted(name, ask, found, span, zone_of(checked), {}) if conditions else None
    at = normalised(baseline.model, after.model, conditions) if after else None
    report = shown.Report(baseline, found, result, after, at, conditions)
    if as_json:
        typer.echo(json.dumps(shown.report_as_json(report, zone_of(checked)), indent=2, ensure_ascii=False))
    elif as_csv:
        shown.write_csv(report, zone_of(checked), sys.stdout)
    else:
        table_console().print(shown.compared(report, zone_of(checked)))
        for line in shown.verdict(report, zone_of(checked)):
            PLAIN.print(line)
    if alarm and any(one.direction == "more" for one in result.drifts):
        raise typer.Exit(_DRIFT)


def _print_baseline(baseline: Baseline, config: Config, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(shown.as_json(baseline), indent=2, ensure_ascii=False))
        return
    for line in shown.head(baseline, zone_of(config)):
        PLAIN.print(line)
    for table in shown.tables(baseline, zone_of(config)):
        table_console().print(table)


def _baselines(config: Config) -> Baselines:
    return Baselines(config.data_file("baselines"))


@contextmanager
def _understood() -> Iterator[None]:
    """Turns what data cannot tell into errors that the user can mend."""
    try:
        yield
    except (NoDriver, NoFit, NoPeriods) as exc:
        raise Unusable(str(exc)) from exc


def _ask(owner: str, data: Path | None, energy: str, period: str, drivers: Sequence[str]) -> Ask:
    every = tuple(_resolved(one.strip()) for text in drivers for one in text.split(",") if one.strip())
    names = tuple(map(short, every)) if data is None else every
    if doubled := [one for one in names if names.count(one) > 1]:
        raise typer.BadParameter(f"{doubled[0]!r} is there twice", param_hint="--drivers")
    if not every:
        raise typer.BadParameter("write one driver at least, such as total", param_hint="--drivers")
    if bool(owner) == (data is not None):
        raise typer.BadParameter("write --owner for what Lineside measured, or --data for a file", param_hint="--owner")
    if data is not None:
        return Ask("", str(data.resolve()), energy, "row", every)
    if period not in PERIODS:
        raise typer.BadParameter(f"{period!r} is no period: {', '.join(PERIODS)}", param_hint="--period")
    if energy not in CARRIERS:
        raise typer.BadParameter(f"{energy!r} is no carrier{closest(energy, CARRIERS)}", param_hint="--energy")
    return Ask(owner, "", energy, period, every)


def _resolved(driver: str) -> str:
    """With the whole path of its file, so that the record finds it again."""
    head, _, source = driver.partition(":")
    return f"{head}:{Path(source).resolve()}" if source.endswith(".csv") and head != "product" else driver


def _collected(config: Config, ask: Ask, span: tuple[int, int]) -> Collected:
    zone = zone_of(config)
    if ask.data:
        return of_file(ask, span, zone)
    history = HistoryReader(config.data_file("history.db"))
    try:
        with stored(config) as reader:
            must_be_known(reader, ask.owner)
            return of_store(reader, ask, span, zone, daily_means(history, zone))
    finally:
        history.close()


def _must_be_name(name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as exc:
        text = f"{name!r} is no name: letters, digits, `_`, `.` and `-`, no blanks"
        raise typer.BadParameter(text, param_hint="NAME") from exc


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals or not value:
        raise typer.BadParameter(f"{text!r}: write NAME=VALUE", param_hint=option)
    return name, value


def _conditions(text: str, baseline: Baseline) -> tuple[float, ...]:
    """The drivers of a normal period, in the baseline's order."""
    if text.strip() == "baseline":
        return baseline.model.means
    pairs = dict(_pair(one, "--normal") for one in text.split(","))
    if pairs.keys() != set(baseline.names):
        raise typer.BadParameter(f"write all of {', '.join(baseline.names)}, and no other", param_hint="--normal")
    try:
        return tuple(float(pairs[name]) for name in baseline.names)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--normal") from exc

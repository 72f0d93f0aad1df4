"""The oracle's machines and stories in the engine's types: the one file here that knows the gateway."""

from collections import Counter
from dataclasses import replace

import numpy as np

from gateway.kpi.asset import AssetModel, Binding, Hold, TimeClass, fingerprint, number_text
from gateway.kpi.book import Derived, derive
from gateway.kpi.buckets import Buckets, quantities
from gateway.kpi.calendar import Calendar
from gateway.kpi.calendar_config import CalendarConfig
from gateway.kpi.facts import Series, text_code
from gateway.kpi.intervals import Interval
from gateway.kpi.segments import RENEWED, RESUMED, UP
from tests.oracle.calendars import Clock, Rota
from tests.oracle.machine import Machine, Report, Story

SESSION = 1000
SAID = {"down": 0.0, "up": UP, "resumed": RESUMED, "renewed": RENEWED}


def model(machine: Machine, story: Story) -> AssetModel:
    """The engine's model of a machine."""
    session = SESSION if machine.hold == "session" else -1
    hold = Hold(machine.hold == "polled", machine.period_ms, session, machine.source_time)
    texts = any(isinstance(raw, str) for raw in machine.states)
    bindings = {}
    for number, role in enumerate(role for role in story.reports if not role.endswith("_booked")):
        meter = machine.meters.get(role)
        bindings[role] = Binding(
            role=role,
            tag=number,
            kind=meter.way if meter else "level",
            modulus=meter.modulus if meter else 0,
            scale_to_si=float(meter.per_unit) if meter else 1.0,
            is_text=role == "product" or (role == "state" and texts),
            hold=hold,
            tag_name=f"{machine.name}/{role}",
        )
    made = AssetModel(
        name=machine.name,
        bindings=bindings,
        state_map={
            raw if isinstance(raw, str) else number_text(float(raw or 0)): TimeClass[word.upper()]
            for raw, word in machine.states.items()
        },
        ideal_cycle_us=machine.ideal_us.get(""),
        calendar=calendar(machine.rota),
        ideal_by_product={product: us for product, us in machine.ideal_us.items() if product},
        minor_stop_ms=machine.minor_stop_ms,
        reasons={code: TimeClass[word.upper()] for code, word in _inherited(machine).items()},
        rated_per_h=float(machine.rated_per_h) or None,
        takt_us=machine.takt_us or None,
    )
    return replace(made, hash=fingerprint(made))


def _inherited(machine: Machine) -> dict[str, str]:
    """Codes with the class that they or their branch have, as the config hands them to the model."""
    found: dict[str, str] = {}
    for code in machine.reasons:
        path = code
        while path and not machine.reasons.get(path):
            path = path.rpartition("/")[0]
        found |= {code: machine.reasons[path]} if path else {}
    return found


def calendar(rota: Rota) -> Calendar:
    """The engine's calendar of a rota, by way of the config that a user would write."""
    weekdays = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    written = {
        "days": [weekdays[day] for day in rota.weekdays],
        "shifts": _shifts(rota.shifts),
        "breaks": [f"{start}-{end}" for start, end in rota.breaks],
        "holidays": list(rota.holidays),
        "exceptions": {
            day: "on" if clocks is None else {"shifts": _shifts(clocks)} for day, clocks in rota.exceptions.items()
        },
        "maintenance": [{"days": weekdays[day], "at": f"{start}-{end}"} for day, (start, end) in rota.upkeep],
    }
    return Calendar.from_config(CalendarConfig.model_validate(written), rota.zone)


def _shifts(clocks: tuple[Clock, ...]) -> dict[str, str]:
    return {f"shift-{n}": f"{start}-{end}" for n, (start, end) in enumerate(sorted(clocks))}


def facts(story: Story) -> dict[str, Series]:
    """A story's readings as the engine's facts, duplicates and all."""
    return {role: series(reports) for role, reports in story.reports.items()}


def series(reports: list[Report]) -> Series:
    """Readings of one role."""
    values = [
        text_code(r.value) if isinstance(r.value, str) else np.nan if r.value is None else r.value for r in reports
    ]
    return Series.of(
        [r.at_ms for r in reports], values, None, [r.number for r in reports], [r.revision for r in reports]
    )


def session(story: Story) -> Series:
    """What the source's session said."""
    return Series.of([at for at, _ in story.session], [SAID[what] for _, what in story.session])


def derived(machine: Machine, story: Story, from_ms: int, to_ms: int, horizon_ms: int) -> Derived:
    """What the engine makes of a range."""
    sessions = {SESSION: session(story)}
    return derive(
        model(machine, story), facts(story), sessions, (from_ms, to_ms), horizon_ms, intervals(story), texts(story)
    )


def texts(story: Story) -> dict[float, str]:
    """What the codes of texts stand for."""
    spoken = {r.value for reports in story.reports.values() for r in reports if isinstance(r.value, str)}
    return {text_code(text): text for text in spoken}


def intervals(story: Story) -> list[Interval]:
    """What was booked."""
    return [Interval(s.id, s.kind, s.from_ms, s.to_ms, s.value, s.revision, s.stands) for s in story.spans]  # type: ignore[arg-type]


def quantities_of(found: Buckets) -> dict[int, Counter[str]]:
    """Minutes with their quantities by name; what is 0 is left out."""
    return {minute: _named(row) for minute, row in zip(found.minute.tolist(), found.values.T.tolist(), strict=True)}


def slices_of(found: Buckets) -> dict[tuple[int, str, str], Counter[str]]:
    """Quantities by minute, product and order."""
    return {
        (minute, one.product, one.order): _named(row)
        for one in found.slices
        for minute, row in zip(one.minute.tolist(), one.values.T.tolist(), strict=True)
    }


def _named(row: list[int]) -> Counter[str]:
    return Counter({name: value for name, value in zip(quantities, row, strict=True) if value})

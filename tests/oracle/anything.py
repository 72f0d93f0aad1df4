"""Anything that a machine may report in twenty minutes: the corners that a plausible week rarely has."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

from tests.oracle.calendars import Rota
from tests.oracle.machine import Machine, Meter, Report, Span, Story, Value

T0 = 1_780_000_020_000  # a whole minute: Thursday, 20:27 UTC
SPAN_MS = 1_200_000
RAW: dict[Value, str] = {
    "1": "producing",
    "2": "setup",
    "3": "idle",
    "4": "fault",
    "5": "blocked",
    "6": "starved",
    "7": "planned_stop",
    "8": "maintenance",
}
REASONS = {"a": "fault", "a/b": "", "c": "", "m": "maintenance", "p": "planned_stop", "i": "idle"}
ROTAS = (
    Rota(),
    Rota(shifts=(("20:30", "20:38"),), breaks=(("20:33", "20:34"),)),
    Rota(shifts=(("20:00", "20:40"), ("20:40", "21:00")), upkeep=((3, ("20:35", "20:37")),)),
)
COUNTS = (("total", "good"), ("good", "scrap"), ("total", "scrap"), ("total", "good", "scrap", "rework"), ("good",), ())


@dataclass(frozen=True)
class Life:
    """A machine and its story over [from_ms, to_ms)."""

    machine: Machine
    story: Story
    horizon_ms: int
    from_ms: int = T0
    to_ms: int = T0 + SPAN_MS


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Gaps, bad readings, resets, jitter, late starts, lost sessions, bookings on top of each other."""
    machine = draw(machines())
    reports = {"state": draw(_reports(st.sampled_from([*map(str, RAW), "1", "1", "4", "?", None])))}
    for role, meter in machine.meters.items():
        reports[role] = draw(_register(role, meter))
    for role, values in (
        ("product", ("lid", "cup", "", None)),
        ("order", (4711.0, 4712.0, 0.0, None)),
        ("startup", (0.0, 1.0)),
    ):
        if draw(st.booleans()):
            reports[role] = draw(_reports(st.sampled_from(values), 4))
    if machine.hold == "session" and draw(st.booleans()):
        reports["alive"] = draw(_reports(st.sampled_from([1.0, 1.0, 0.0, None]), 4))
    for role in ("total", "good", "scrap", "rework"):
        if machine.meters.keys() & {"total", "good", "scrap"} and draw(st.integers(0, 3)) == 0:
            reports[f"{role}_booked"] = draw(_reports(st.integers(-3, 9).map(float), 3))
    session = draw(
        st.lists(
            st.tuples(_MOMENTS, st.sampled_from(["up", "up", "up", "down", "resumed", "renewed"])),
            max_size=20,
            unique_by=lambda pair: pair[0],
        )
    )
    story = Story(reports, [(at, what) for at, what in session], draw(st.lists(_spans(), max_size=5)))
    newest = max([T0, *(r.at_ms for role in reports for r in reports[role]), *(at for at, _ in session)])
    return Life(machine, story, max(newest, T0 + SPAN_MS) + draw(st.integers(0, 200_000)))


_MOMENTS = st.integers(T0 - 120_000, T0 + SPAN_MS + 120_000)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Machines with any of what the config knows."""
    way = draw(st.sampled_from(["counter", "counter", "increment", "pulse"]))
    modulus = draw(st.sampled_from([0, 100, 65_536])) if way == "counter" else 0
    meters = {role: Meter(modulus, way=way) for role in draw(st.sampled_from(COUNTS))}
    if draw(st.booleans()):
        meters["energy"] = Meter(draw(st.sampled_from([0, 50])), Fraction(1_000_000))
    hold = draw(st.sampled_from(["next", "polled", "session"]))
    return Machine(
        hold=hold,
        period_ms=20_000 if hold == "polled" else 0,
        source_time=draw(st.booleans()),
        states=RAW,
        meters=meters,
        ideal_us=draw(st.sampled_from([{}, {"": 2_000_000}, {"": 2_000_000, "lid": 7_000_000}, {"cup": 500_000}])),
        minor_stop_ms=draw(st.sampled_from([0, 60_000, 150_000])),
        reasons=REASONS,
        rated_per_h=draw(st.sampled_from([0, 1800])),
        takt_us=draw(st.sampled_from([0, 2_500_000])),
        rota=draw(st.sampled_from(ROTAS)),
    )


def _reports(values: st.SearchStrategy[Value], most: int = 25) -> st.SearchStrategy[list[Report]]:
    return st.lists(st.builds(Report, _MOMENTS, values), max_size=most, unique_by=lambda report: report.at_ms)


@st.composite
def _register(draw: st.DrawFn, role: str, meter: Meter) -> list[Report]:
    """Readings that grow, with what must not happen in between."""
    step = st.integers(0, 20_000).map(lambda n: n / 1e4) if role == "energy" else st.integers(0, 9).map(float)
    fall = -0.0004 if role == "energy" else -1.0
    odd = st.sampled_from([None, fall, -40.0, 60_000.0] if meter.way == "counter" else [None, fall, 60_000.0])
    level, found = 50.0, []
    for report in sorted(draw(_reports(st.one_of(step, step, step, odd))), key=lambda report: report.at_ms):
        if meter.way != "counter" or report.value is None:
            found.append(report)
            continue
        assert isinstance(report.value, float)
        level = round(abs(level + report.value), 4)
        found.append(Report(report.at_ms, level % meter.modulus if meter.modulus else level))
    garbage = st.sampled_from([0.0, 3.0, 90.0, 5_000.0, 65_000.0, 4e9])
    for index, value in draw(st.lists(st.tuples(st.integers(0, 24), garbage), max_size=4)):
        if meter.way == "counter" and index < len(found):
            found[index] = Report(found[index].at_ms, value)
    return found


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    kind = draw(st.sampled_from(["stop", "planned", "order", "product"]))
    values = {"stop": ["a", "a/b", "c", "m", "p", "i", "?"], "planned": ["", "m", "x"], "order": ["A-1", "A-2"]}
    start = draw(_MOMENTS)
    return Span(
        id=draw(st.sampled_from(["1", "2", "3"])) + kind[:2],
        kind=kind,
        from_ms=start,
        to_ms=start + draw(st.integers(1, 600_000)),
        value=draw(st.sampled_from(values.get(kind, ["lid", "box"]))),
        revision=draw(st.integers(0, 2)),
        stands=draw(st.integers(0, 4)) > 0,
    )

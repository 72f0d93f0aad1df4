"""What the oracle is told of a machine, and what that machine reported."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from fractions import Fraction

from tests.oracle.calendars import Rota

Value = str | float | None
"""A text state, a number, or None: a bad reading."""
STOPPED = ("idle", "fault", "blocked", "starved")
RUNNING = ("producing", "setup")
CLASSES = (*RUNNING, *STOPPED, "minor_stop", "unknown")
OUTSIDE = ("planned_stop", "maintenance", "unplanned")


@dataclass(frozen=True)
class Report:
    """One reading. Of two with the same time and number the higher revision counts, then the usable one."""

    at_ms: int
    value: Value
    number: int = 0
    revision: int = 0


@dataclass(frozen=True)
class Meter:
    """A register that only grows: of parts, or of energy in units of `per_unit` mWh.

    way  counter: readings are its level; increment: each is an amount; pulse: each non-zero one is a part
    """

    modulus: int = 0
    per_unit: Fraction = Fraction(1)
    way: str = "counter"


@dataclass(frozen=True)
class Machine:
    """A machine as its config describes it.

    hold          `next`: a state holds until the next reading; `polled`: at most 3 × period_ms; `session`: while
                  the session was up, 75 s from proof to proof
    source_time   readings carry the device's own time
    states        raw state → class of time
    ideal_us      per part, by product; "" for any other
    minor_stop_ms shorter stops are minor ones; 0: none are
    reasons       code, a path like `mechanical/bearing` → class of time; "" where it has none of its own
    rated_per_h   what the machine is built for; 0: unknown
    takt_us       time per part that the plan asks for; 0: unknown
    """

    name: str = "m"
    hold: str = "next"
    period_ms: int = 0
    source_time: bool = False
    states: Mapping[Value, str] = field(default_factory=dict)
    meters: Mapping[str, Meter] = field(default_factory=dict)
    ideal_us: Mapping[str, int] = field(default_factory=dict)
    minor_stop_ms: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
    rated_per_h: int = 0
    takt_us: int = 0
    rota: Rota = field(default_factory=Rota)


@dataclass
class Story:
    """Everything that was reported of a machine, in any order.

    reports  role → readings; a role that the machine has is in it, if only with no readings
    session  (ms, what): `up`, `down`, `resumed` (up again, the broker had kept the session), `renewed` (it had not)
    spans    booked intervals
    """

    reports: dict[str, list[Report]]
    session: list[tuple[int, str]] = field(default_factory=list)
    spans: list["Span"] = field(default_factory=list)

    def booked(self, kind: str) -> list["Span"]:
        """The intervals of a kind that stand."""
        newest = {span.id: span for span in sorted(self.spans, key=lambda span: (span.revision, astuple(span)))}
        return [span for span in newest.values() if span.kind == kind and span.stands]

    def of(self, role: str) -> list[Report]:
        """The readings of a role that count, in order of time."""
        best: dict[tuple[int, int], Report] = {}
        for report in self.reports.get(role, []):
            key = (report.at_ms, report.number)
            if key not in best or _rank(report) > _rank(best[key]):
                best[key] = report
        return [best[key] for key in sorted(best)]


@dataclass(frozen=True)
class Span:
    """A booked interval. kind: stop | planned | order | product; of one id the highest revision counts, then the
    greater content."""

    id: str
    kind: str
    from_ms: int
    to_ms: int
    value: str
    revision: int = 0
    stands: bool = True


def _rank(report: Report) -> tuple[int, bool, float]:
    value = report.value
    return report.revision, value is not None, value if isinstance(value, float | int) else 0.0

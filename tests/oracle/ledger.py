"""Every minute of a machine's story by stepping from event to event with whole numbers and fractions.

Readings of the specification that leave a choice, decided here:
- A stop starts where time becomes idle, fault, blocked or starved; after unknown time the last state that was heard
  of decides, and where there is none nothing starts. A stop is counted if it starts in planned time.
- A counter's growth beyond what is plausible is not counted, and the reading is the new base, unless it is a spike: the
  next reading is no plain growth from it, but goes on from the reading before it. Of several such in a row the first.
- Energy is rounded in fractions; `ties` counts edges where floats may round the other way.
- A lost session ends proof of life even where the broker kept the session: from the last proof to the next.
- Intervals that overlap: the one that starts last covers, then the greater id.
- An amount below zero, or above what can be made since the reading before it, is no amount: nothing is counted.
- Products, orders and start-up phases hold until their next usable reading, over gaps and bad readings alike.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tests.oracle.machine import OUTSIDE, STOPPED, Machine, Meter, Span, Story
from tests.oracle.presence import FOREVER, silences
from tests.oracle.register import Register

MINUTE_MS = 60_000
COUNTED = ("total", "good", "scrap", "rework", "inspected", "passed")
Label = tuple[str, str]
"""Product and order; "" for none."""
Minutes = dict[int, Counter[str]]
Slices = dict[tuple[int, Label], Counter[str]]


@dataclass(frozen=True)
class Piece:
    """A stretch without any change. state: its class by readings and bookings; kind: what its time counts as."""

    from_ms: int
    to_ms: int
    state: str
    kind: str


class Oracle:
    """One machine's story up to a horizon."""

    def __init__(self, machine: Machine, story: Story, horizon_ms: int) -> None:
        self.machine, self.story, self.horizon_ms = machine, story, horizon_ms
        self.spoken = story.of("state")
        self.silences = silences(machine, story, horizon_ms)
        self.laid = {kind: story.booked(kind) for kind in ("stop", "planned", "order", "product")}
        self.levels = {
            role: [r for r in story.of(role) if r.value is not None] for role in ("product", "order", "startup")
        }
        self.states = self._states()
        self.runs = self._runs()
        self.labels = self._labels()
        self.grown = {role: self._growth(role) for role in COUNTED if role in machine.meters}
        self.register = Register(machine.meters.get("energy", Meter()), story.of("energy"))

    # what state the machine was in

    def _states(self) -> list[tuple[int, str]]:
        """(from when, class) in order."""
        moments = {report.at_ms for report in self.spoken}
        moments |= {edge for pair in self.silences for edge in pair}
        moments |= {
            edge for kind in ("stop", "planned") for span in self.laid[kind] for edge in (span.from_ms, span.to_ms)
        }
        if self.machine.hold == "polled":
            moments |= {report.at_ms + 3 * self.machine.period_ms for report in self.spoken}
        found = [(-FOREVER, "unknown")]
        for moment in sorted(moments):
            state = self._booked(moment, self._reported(moment)) if moment < self.horizon_ms else "unknown"
            if found[-1][1] != state:
                found.append((moment, state))
        return found

    def _reported(self, moment: int) -> str:
        index = bisect_right(self.spoken, moment, key=lambda report: report.at_ms) - 1
        if index < 0 or self.spoken[index].value is None:
            return "unknown"
        if self.machine.hold == "polled" and moment >= self.spoken[index].at_ms + 3 * self.machine.period_ms:
            return "unknown"
        if any(start <= moment < end for start, end in self.silences):
            return "unknown"
        return self.machine.states.get(self.spoken[index].value, "unknown")

    def _booked(self, moment: int, state: str) -> str:
        planned = self._covering("planned", moment)
        if planned:
            return "maintenance" if self._reason_class(planned.value) == "maintenance" else "planned_stop"
        stop = self._covering("stop", moment)
        if stop and state in (*STOPPED, "unknown"):
            return self._reason_class(stop.value) or state
        return state

    def _covering(self, kind: str, moment: int) -> Span | None:
        found = [span for span in self.laid[kind] if span.from_ms <= moment < span.to_ms]
        return max(found, key=lambda span: (span.from_ms, span.id), default=None)

    def _reason_class(self, code: str) -> str:
        while code:
            if self.machine.reasons.get(code):
                return self.machine.reasons[code]
            code = code.rpartition("/")[0]
        return ""

    def state_at(self, moment: int) -> str:
        """The class at a moment, before short stops are called minor."""
        index = bisect_right(self.states, moment, key=lambda pair: pair[0]) - 1
        return self.states[index][1] if index >= 0 and moment < self.horizon_ms else "unknown"

    def _runs(self) -> list[tuple[int, int]]:
        """Unbroken stops, whole."""
        found: list[tuple[int, int]] = []
        ends = [at for at, _ in self.states[1:]] + [self.horizon_ms]
        for (start, state), end in zip(self.states, ends, strict=True):
            if state not in STOPPED or start >= self.horizon_ms:
                continue
            if found and found[-1][1] == start:
                start = found.pop()[0]  # noqa: PLW2901  # one run of several states
            found.append((start, min(end, self.horizon_ms)))
        return found

    def minor_at(self, moment: int) -> bool:
        """Whether a moment lies in a stop that is short on the whole."""
        index = bisect_right(self.runs, (moment, FOREVER)) - 1
        if index < 0:
            return False
        start, end = self.runs[index]
        return start <= moment < end and end - start < self.machine.minor_stop_ms

    # what was made

    def _labels(self) -> list[tuple[int, Label]]:
        """(from when, product and order) in order."""
        edges = {
            edge for kind in ("order", "product") for span in self.laid[kind] for edge in (span.from_ms, span.to_ms)
        }
        edges |= {report.at_ms for role in ("order", "product") for report in self.levels[role]}
        return [(at, (self._name("product", at), self._name("order", at))) for at in (-FOREVER, *sorted(edges))]

    def label_at(self, moment: int) -> Label:
        """Product and order at a moment: a booked interval, else the last reading."""
        return self.labels[bisect_right(self.labels, moment, key=lambda pair: pair[0]) - 1][1]

    def _name(self, kind: str, moment: int) -> str:
        span = self._covering(kind, moment)
        if span:
            return span.value
        value = self._level(kind, moment)
        return "" if value in ("", 0, None) else value if isinstance(value, str) else f"{value:.15g}"

    def _level(self, role: str, moment: int) -> str | float | None:
        index = bisect_right(self.levels[role], moment, key=lambda report: report.at_ms) - 1
        return self.levels[role][index].value if index >= 0 else None

    def ideal_us(self, product: str) -> int:
        """Ideal time per part."""
        return self.machine.ideal_us.get(product, self.machine.ideal_us.get("", 0))

    # the range

    def slices(self, from_ms: int, to_ms: int) -> Slices:
        """All quantities of a range by minute, product and order."""
        found: Slices = defaultdict(Counter)
        pieces = self.pieces(from_ms, to_ms)
        self._times(found, pieces)
        self._stops(found, pieces)
        self._parts(found, from_ms, to_ms)
        self._energy(found, pieces)
        self._facts(found, from_ms, to_ms)
        return found

    def _row(self, found: Slices, moment: int) -> Counter[str]:
        return found[moment // MINUTE_MS, self.label_at(moment)]

    def pieces(self, from_ms: int, to_ms: int) -> list[Piece]:
        """The range cut at every change, at every edge of planned time and of minutes."""
        work = self.machine.rota.planned(from_ms, to_ms)
        upkeep = self.machine.rota.maintenance(from_ms, to_ms)
        edges = {from_ms, to_ms, *range(from_ms // MINUTE_MS * MINUTE_MS, to_ms, MINUTE_MS)}
        edges |= {at for at, _ in self.states} | {edge for pair in work + upkeep for edge in pair}
        edges |= {
            edge for kind in ("order", "product") for span in self.laid[kind] for edge in (span.from_ms, span.to_ms)
        }
        edges |= {report.at_ms for reports in self.levels.values() for report in reports}
        cuts = sorted(edge for edge in edges if from_ms <= edge <= to_ms)
        return [Piece(a, b, self.state_at(a), self._kind(a, work, upkeep)) for a, b in pairwise(cuts)]

    def _kind(self, moment: int, work: list[tuple[int, int]], upkeep: list[tuple[int, int]]) -> str:
        if _inside(upkeep, moment):
            return "maintenance"
        if not _inside(work, moment):
            return "unplanned"
        return "minor_stop" if self.minor_at(moment) else self.state_at(moment)

    @property
    def is_timed(self) -> bool:
        """A machine that has nothing but meters has no planned time."""
        return any(role in self.story.reports for role in ("state", "total", "good", "scrap"))

    def _times(self, found: Slices, pieces: list[Piece]) -> None:
        for piece in pieces:
            row = self._row(found, piece.from_ms)
            length_us = 1000 * (piece.to_ms - piece.from_ms)
            kind = piece.kind if self.is_timed or piece.kind in OUTSIDE else "unplanned"
            row[f"time_{kind}"] += length_us
            if kind not in OUTSIDE:
                row["planned"] += length_us
                row["time_order"] += length_us if self.label_at(piece.from_ms)[1] else 0

    def _stops(self, found: Slices, pieces: list[Piece]) -> None:
        for piece in pieces:
            before = self._before(piece.from_ms)
            if piece.kind in OUTSIDE or piece.state not in STOPPED or before == "unknown":
                continue
            row = self._row(found, piece.from_ms)
            if before not in STOPPED:
                row["stops"] += 1
                row["minor_stops"] += piece.kind == "minor_stop"
            row["faults"] += piece.kind == "fault" and before != "fault"

    def _before(self, moment: int) -> str:
        """The class just before a moment; through unknown time the last state that was heard of."""
        state = self.state_at(moment - 1)
        if state != "unknown":
            return state
        usable = [report for report in self.spoken if report.value is not None]
        index = bisect_left(usable, moment, key=lambda report: report.at_ms) - 1
        return self.machine.states.get(usable[index].value, "unknown") if index >= 0 else "unknown"

    def _parts(self, found: Slices, from_ms: int, to_ms: int) -> None:
        for at, counts in sorted(self.counts().items()):
            if not from_ms <= at < to_ms:
                continue
            row, ideal_us = self._row(found, at), self.ideal_us(self.label_at(at)[0])
            for role in COUNTED:
                row[role] += counts[role]
            row["output"] += counts["total"]
            row["ideal_total"] += counts["total"] * ideal_us
            row["ideal_good"] += counts["good"] * ideal_us
            row["takt_total"] += counts["total"] * self.machine.takt_us
            if self.machine.rated_per_h:
                row["rated_total"] += counts["total"] * round(Fraction(3_600_000_000, self.machine.rated_per_h))
            if self._level("startup", at):
                row["startup_scrap"] += counts["scrap"]
                row["ideal_startup"] += counts["scrap"] * ideal_us

    def counts(self) -> dict[int, Counter[str]]:
        """Parts by the moment of the reading that shows them."""
        seen: dict[int, Counter[str]] = defaultdict(Counter)
        for role, grown in self.grown.items():
            for at, amount, _ in grown:
                seen[at][role] += amount
        given = {role for role in ("total", "good", "scrap") if role in self.machine.meters}
        for counts in seen.values():
            _third(counts, given)
        for at, booked in self._bookings().items():
            if len(given) > 1:
                _balance(booked)
            seen[at].update(booked)
        return seen

    def _bookings(self) -> dict[int, Counter[str]]:
        booked: dict[int, Counter[str]] = defaultdict(Counter)
        for role in ("total", "good", "scrap", "rework"):
            for report in self.story.of(f"{role}_booked"):
                if isinstance(report.value, float | int):
                    booked[report.at_ms][role] += int(report.value)
        return booked

    def _growth(self, role: str) -> list[tuple[int, int, bool]]:
        """(when, parts, whether they cannot be) of each reading that counts."""
        meter, reports = self.machine.meters[role], self.story.of(role)
        usable = [(r.at_ms, Fraction(r.value)) for r in reports if isinstance(r.value, float | int)]
        if meter.way == "increment":
            return self._amounts(usable)
        if meter.way == "pulse":
            return [(at, int(amount != 0), False) for at, amount in usable]
        doubtful = [
            0 < i < len(usable) - 1 and self._is_doubtful(meter, *usable[i - 1 : i + 2]) for i in range(len(usable))
        ]
        found, base = [], 0
        for i in range(1, len(usable)):
            (t0, c0), (t1, c1) = usable[base], usable[i]
            if doubtful[i] and not doubtful[i - 1]:
                found.append((t1, 0, True))
                continue
            found.append((t1, *self._step(meter, t1 - t0, c0, c1)))
            base = i
        return found

    def _is_doubtful(self, meter: Meter, *three: tuple[int, Fraction]) -> bool:
        (t0, c0), (t1, c1), (t2, c2) = three
        follows = c2 >= c1 and not self._step(meter, t2 - t1, c1, c2)[1]
        if follows or not self._step(meter, t1 - t0, c0, c1)[1]:
            return False
        past = c2 if c2 >= c0 else c2 + meter.modulus
        amount, bad = self._step(meter, t2 - t0, c0, c2)
        return past >= c0 and not bad and amount == past - c0

    def _amounts(self, usable: list[tuple[int, Fraction]]) -> list[tuple[int, int, bool]]:
        found = []
        before: int | None = None
        for at, amount in usable:
            limit = None if before is None else self.plausible(at - before)
            bad = not 0 <= amount <= (2**40 if limit is None else limit)
            found.append((at, 0 if bad else int(amount), bad))
            before = at
        return found

    def _step(self, meter: Meter, gap_ms: int, c0: Fraction, c1: Fraction) -> tuple[int, bool]:
        limit = self.plausible(gap_ms)
        step = c1 - c0
        if step < 0:
            bound = Fraction(meter.modulus, 2) if limit is None or limit >= meter.modulus else limit
            rolled = meter.modulus - c0 + c1
            if meter.modulus and 0 <= rolled <= bound:
                step = rolled
            elif limit is None and 2 * c1 > c0:
                return 0, False  # a counter that starts again this high was replaced by another one
            else:
                step = c1
        bad = step > (2**40 if limit is None else limit)
        return 0 if bad else int(step), bad

    def plausible(self, gap_ms: int) -> Fraction | None:
        """The most parts of a time and one minute more: twice the fastest ideal speed, or the rated; at least 1."""
        fastest = min((us for us in self.machine.ideal_us.values() if us), default=0)
        if fastest:
            return max(Fraction(1), Fraction(2 * 1000 * (gap_ms + MINUTE_MS), fastest))
        if self.machine.rated_per_h:
            return max(Fraction(1), Fraction(2 * self.machine.rated_per_h * (gap_ms + MINUTE_MS), 3_600_000))
        return None

    def _energy(self, found: Slices, pieces: list[Piece]) -> None:
        if "energy" not in self.machine.meters:
            return
        cumulated = self.register.cumulated
        for piece in pieces:
            (before, unsure_before), (after, unsure_after) = cumulated(piece.from_ms), cumulated(piece.to_ms)
            amount = after - before
            row = self._row(found, piece.from_ms)
            row["ties"] += unsure_before + unsure_after
            kind = piece.kind if self.is_timed or piece.kind in OUTSIDE else "unplanned"
            row[f"energy_{kind}"] += amount
            row["energy"] += amount

    def _facts(self, found: Slices, from_ms: int, to_ms: int) -> None:
        for role in self.story.reports:
            if role.endswith("_booked"):
                continue  # what people enter is no reading
            for report in self.story.of(role):
                if from_ms <= report.at_ms < to_ms:
                    self._row(found, report.at_ms)["facts"] += 1
                    self._row(found, report.at_ms)["facts_bad"] += report.value is None
            for at, _, bad in self.grown.get(role, []):
                if from_ms <= at < to_ms:
                    self._row(found, at)["facts_bad"] += bad
        for at in self.register.refused:
            if from_ms <= at < to_ms:
                self._row(found, at)["facts_bad"] += 1


def minutes(machine: Machine, story: Story, from_ms: int, to_ms: int, horizon_ms: int) -> Minutes:
    """All quantities of the minutes of a range."""
    found: Minutes = {m: Counter() for m in range(from_ms // MINUTE_MS, -(-to_ms // MINUTE_MS))}
    for (minute, _), row in Oracle(machine, story, horizon_ms).slices(from_ms, to_ms).items():
        found[minute].update(row)
    return found


def _third(counts: Counter[str], given: set[str]) -> None:
    if given == {"total", "good"}:
        counts["scrap"] = counts["total"] - counts["good"] - counts["rework"]
    elif given == {"total", "scrap"}:
        counts["good"] = counts["total"] - counts["scrap"] - counts["rework"]
    elif given == {"good", "scrap"}:
        counts["total"] = counts["good"] + counts["scrap"] + counts["rework"]


def _balance(booked: Counter[str]) -> None:
    """What is booked moves parts: good takes the rest, unless it was booked itself."""
    rest = booked["total"] - booked["good"] - booked["scrap"] - booked["rework"]
    if "good" not in booked:
        booked["good"] += rest
    elif "total" not in booked:
        booked["total"] -= rest
    elif "scrap" not in booked:
        booked["scrap"] += rest


def _inside(stretches: list[tuple[int, int]], moment: int) -> bool:
    index = bisect_right(stretches, (moment, FOREVER)) - 1
    return index >= 0 and stretches[index][0] <= moment < stretches[index][1]

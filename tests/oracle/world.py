"""Random plants: what machines did, and what of it was reported: gaps, resets, jitter, late and double readings."""

import random
from datetime import date
from fractions import Fraction

from tests.oracle.calendars import Rota
from tests.oracle.machine import Machine, Meter, Report, Span, Story, Value

MINUTE_MS = 60_000
DAY_MS = 86_400_000
RAW: dict[Value, str] = {
    "EXECUTE": "producing",
    "SETUP": "setup",
    "IDLE": "idle",
    "ABORTED": "fault",
    "HELD": "blocked",
    "SUSPENDED": "starved",
    "CLEANING": "planned_stop",
}
WEIGHTS = (60, 6, 10, 8, 5, 5, 2, 1)
POWER_W = {"EXECUTE": 9000, "SETUP": 3000, "IDLE": 700, "ABORTED": 400}
REASONS = {
    "mechanical": "fault",
    "mechanical/bearing": "",
    "mechanical/belt": "",
    "mechanical/belt/torn": "",
    "logistics/no material": "starved",
    "upkeep": "maintenance",
    "upkeep/grease": "",
    "meeting": "planned_stop",
}
CODES = (*REASONS, "logistics", "unheard of")
PRODUCTS = ("lid", "cup", "box", "")
BREAKS = (("10:00", "10:15"), ("18:10", "18:25"), ("00:20", "00:50"), ("23:50", "00:10"))
UPKEEP = (("05:00", "07:30"), ("21:00", "23:00"), ("23:00", "00:45"))
SHIFTS = (("06:00", "14:00"), ("14:00", "22:00"), ("22:00", "06:00"))


def rota(dice: random.Random, zone: str, days: list[date]) -> Rota:
    """A calendar: from one short shift to around the clock, with breaks and holidays."""
    return Rota(
        zone,
        tuple(sorted(dice.sample(range(7), dice.choice([5, 6, 7])))),
        tuple(sorted(dice.sample(SHIFTS, dice.choice([0, 1, 2, 3, 3])))),
        tuple(dice.sample(BREAKS, dice.choice([0, 1, 3, 4]))),
        tuple(dice.sample(days, dice.choice([0, 0, 1]))),
        {day: dice.choice([None, (), SHIFTS[:1], SHIFTS[1:]]) for day in dice.sample(days, dice.choice([0, 1, 2]))},
        tuple((dice.randrange(7), clock) for clock in dice.sample(UPKEEP, dice.choice([0, 1, 3]))),
    )


def machine(dice: random.Random, rota: Rota, hold: str) -> Machine:
    """A machine with a random part of what machines may have."""
    counts = dice.choice(
        [("total", "good"), ("good", "scrap"), ("total", "scrap"), ("total", "good", "scrap"), ("good",), ()]
    )
    counts += dice.choice([(), (), ("rework",), ("inspected", "passed")])
    modulus = dice.choice([0, 1000, 65536])
    way = dice.choice(["counter", "counter", "increment", "pulse"])
    meters = {role: Meter(modulus if way == "counter" else 0, way=way) for role in counts}
    if dice.random() < 0.8:
        meters["energy"] = Meter(dice.choice([0, 0, 500]), Fraction(1_000_000))
    return Machine(
        name=f"{hold}-{dice.randrange(1000)}",
        hold=hold,
        period_ms=20_000 if hold == "polled" else 0,
        source_time=hold == "session" and dice.random() < 0.5,
        states=RAW,
        meters=meters,
        ideal_us=_ideals(dice),
        minor_stop_ms=dice.choice([0, 60_000, 300_000]),
        reasons=REASONS,
        rated_per_h=dice.choice([0, 1200]),
        takt_us=dice.choice([0, 2_500_000]),
        rota=rota,
    )


def _ideals(dice: random.Random) -> dict[str, int]:
    found = {"": dice.choice([1_800_000, 7_000_000])} if dice.random() < 0.7 else {}
    return found | ({"lid": 3_000_000, "cup": 1_500_000} if dice.random() < 0.6 else {})


def deeds(dice: random.Random, from_ms: int, to_ms: int) -> list[tuple[int, str]]:
    """(from when, raw state): what the machine did."""
    found = []
    at = from_ms
    while at < to_ms:
        found.append((at, dice.choices([*map(str, RAW), "MYSTERY"], WEIGHTS)[0]))
        at += max(40, int(dice.lognormvariate(11.6, 1.9)))
    return found


def story(dice: random.Random, machine: Machine, from_ms: int, to_ms: int) -> Story:
    """What was reported of a machine that lived through a stretch of time."""
    lived = deeds(dice, from_ms, to_ms)
    absences = _absences(dice, from_ms, to_ms)
    told = Story({"state": _states(dice, machine, lived, from_ms, to_ms)})
    if machine.hold == "session":
        told.session = _session(dice, machine, absences, from_ms, to_ms)
    for role, meter in machine.meters.items():
        told.reports[role] = _readings(dice, machine, role, meter, lived, to_ms)
    told.reports |= _labels(dice, from_ms, to_ms)
    kept = machine.source_time
    for role, reports in told.reports.items():
        told.reports[role] = [r for r in reports if kept or not any(a <= r.at_ms < b for a, b in absences)]
    _book(dice, machine, told, from_ms, to_ms)
    return told


def _labels(dice: random.Random, from_ms: int, to_ms: int) -> dict[str, list[Report]]:
    """Products, orders and start-up phases, where the machine tells them."""
    found: dict[str, list[Report]] = {}
    if dice.random() < 0.7:
        found["product"] = [Report(at, dice.choice([*PRODUCTS, None])) for at in _moments(dice, from_ms, to_ms, 5)]
    if dice.random() < 0.7:
        found["order"] = [
            Report(at, dice.choice([float(n), 0.0, None]))
            for n, at in enumerate(_moments(dice, from_ms, to_ms, 3), 4711)
        ]
    if dice.random() < 0.5:
        found["startup"] = [Report(at, dice.choice([0.0, 1.0])) for at in _moments(dice, from_ms, to_ms, 6)]
    return found


def _book(dice: random.Random, machine: Machine, told: Story, from_ms: int, to_ms: int) -> None:
    """What people enter later: reasons, planned stops, orders, products, counts; some corrected, some withdrawn."""
    values = {
        "stop": CODES,
        "planned": ("meeting", "upkeep/grease", ""),
        "order": ("A-1", "A-2"),
        "product": PRODUCTS[:3],
    }
    for kind, names in values.items():
        for number, at in enumerate(_moments(dice, from_ms, to_ms, 4)):
            for revision in range(dice.choice([1, 1, 1, 2, 3])):
                start = at + dice.randrange(-600_000, 600_000) * revision
                end, stands = start + int(dice.lognormvariate(14, 1)), dice.random() < 0.9
                told.spans.append(Span(f"{kind}-{number}", kind, start, end, dice.choice(names), revision, stands))
    if not machine.meters.keys() & {"total", "good", "scrap"}:
        return
    for role in ("scrap", "rework", "total", "good"):
        if dice.random() < 0.5:
            told.reports[f"{role}_booked"] = [
                Report(at, float(dice.randrange(-3, 9)), dice.randrange(2**53))
                for at in _moments(dice, from_ms, to_ms, 3)
            ]


def _moments(dice: random.Random, from_ms: int, to_ms: int, per_day: float) -> list[int]:
    found, at = [], from_ms + dice.randrange(3_600_000)
    while at < to_ms:
        found.append(at)
        at += 1 + int(dice.expovariate(per_day / DAY_MS))
    return found


def _absences(dice: random.Random, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    found = []
    at = from_ms + int(dice.expovariate(1 / (0.4 * DAY_MS)))
    while at < to_ms:
        end = at + max(500, int(dice.lognormvariate(11.3, 1.5)))
        found.append((at, end))
        at = end + int(dice.expovariate(1 / (0.4 * DAY_MS)))
    return found


def _states(
    dice: random.Random, machine: Machine, lived: list[tuple[int, str]], from_ms: int, to_ms: int
) -> list[Report]:
    if machine.hold != "polled":
        moments = [(at, raw) for at, raw in lived]
        return [Report(at, _perhaps_bad(dice, raw, 0.005)) for at, raw in moments]
    found: list[Report] = []
    index = 0
    for beat in range(from_ms, to_ms, machine.period_ms):
        at = beat + dice.randrange(0, 900)
        while index + 1 < len(lived) and lived[index + 1][0] <= at:
            index += 1
        if dice.random() > 0.02:
            found.append(Report(at, _perhaps_bad(dice, lived[index][1], 0.005)))
    return found


def _readings(
    dice: random.Random, machine: Machine, role: str, meter: Meter, lived: list[tuple[int, str]], to_ms: int
) -> list[Report]:
    """A register's readings about once a minute, with resets, jumps, spikes, and energy that jitters."""
    level = dice.choice([0.0, float(dice.randrange(400))])
    found: list[Report] = []
    if meter.way != "counter":
        return _events(dice, meter, lived, to_ms)
    part_ms = machine.ideal_us.get("", 4_000_000) / 1000 * dice.uniform(0.9, 1.6)
    share = {"good": 0.93, "scrap": 0.07}.get(role, 1.0)
    owed = 0.0
    for (start, raw), (end, _) in zip(lived, [*lived[1:], (to_ms, "")], strict=True):
        at = start
        while at < end:
            step = min(end - at, dice.randrange(5_000, 90_000))
            at += step
            if role == "energy":
                level = round(level + POWER_W.get(raw, 600) * step / 3.6e9, 4)
                level = max(0.0, round(level - 0.0004, 4)) if dice.random() < 0.01 else level
            else:
                owed += step / part_ms * share if raw == "EXECUTE" else 0
                level, owed = level + int(owed), owed - int(owed)
            if dice.random() < 0.0005:
                level = 0.0
            elif dice.random() < 0.0005:
                level += 5000
            level = level % meter.modulus if meter.modulus else level
            shown = round(level, 4) if dice.random() > 0.001 else dice.choice([0.0, 65_000.0, 4e9])
            found.append(Report(at, None if dice.random() < 0.004 else shown))
    return found


def _events(dice: random.Random, meter: Meter, lived: list[tuple[int, str]], to_ms: int) -> list[Report]:
    """Amounts, or one message for each part; several may fall into one millisecond."""
    found = []
    for (start, raw), (end, _) in zip(lived, [*lived[1:], (to_ms, "")], strict=True):
        at = start
        while raw == "EXECUTE" and at < end:
            amount = float(dice.randrange(0, 4)) if meter.way == "increment" else dice.choice([1.0, 1.0, 1.0, 0.0])
            found.append(Report(at, None if dice.random() < 0.004 else amount, dice.randrange(1_000_000)))
            at += dice.choice([0, 1, 7_000, 60_000, 90_000])
    return found


def _session(
    dice: random.Random, machine: Machine, absences: list[tuple[int, int]], from_ms: int, to_ms: int
) -> list[tuple[int, str]]:
    edges = [(from_ms - 50, ""), *((at, what) for a, b in absences for at, what in ((a, "down"), (b, "")))]
    found = []
    for (at, what), (end, _) in zip(edges, [*edges[1:], (to_ms, "")], strict=True):
        if what == "down":
            found += [(at, "down")] if dice.random() < 0.7 else []
            continue
        kept = machine.source_time and dice.random() < 0.7
        found.append((at, "resumed" if kept else "renewed"))
        found += [(beat, "up") for beat in range(at + 30_000, end, 30_000)]
    return found


def _perhaps_bad(dice: random.Random, raw: str, chance: float) -> str | None:
    return None if dice.random() < chance else raw


def again(dice: random.Random, told: Story) -> Story:
    """The same story told in another order, and parts of it twice."""
    shuffled = {
        role: reports + dice.choices(reports, k=len(reports) // 5) if reports else []
        for role, reports in told.reports.items()
    }
    for reports in shuffled.values():
        dice.shuffle(reports)
    session = told.session + told.session[::3]
    dice.shuffle(session)
    return Story(shuffled, session, told.spans[::-1] + told.spans[::2])

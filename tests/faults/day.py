"""A simulated day of a random plant through a real journal and the KPI engine, in a process that may be killed.

`python -m tests.faults.day FOLDER SEED HOURS PLACE COUNT` goes on where the last one died, and ends with 0 when the
day is over and everything is computed. PLACE and COUNT: see `tests.faults.mortal`.
"""

import asyncio
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from gateway.clock import SystemClock
from gateway.flow.deliver import follow
from gateway.flow.link import Link
from gateway.journal import SqliteJournal
from gateway.kpi.asset import AssetModel
from gateway.kpi.closing import Limits
from gateway.kpi.engine import Engine
from gateway.kpi.entries import COUNT, READING, Entry, dump, entry_tag, stamp_ns
from gateway.kpi.factors import Factors
from gateway.model import GOOD, Batch, Reason, Site, Tag, TagTable, TagType, bad, uncertain
from gateway.ports import Delivery
from tests.faults.mortal import arm
from tests.oracle import world
from tests.oracle.bridge import model
from tests.oracle.calendars import Rota, instant
from tests.oracle.machine import Machine, Report, Story

HOLDS: Final = ("next", "polled", "session")
BOOKED: Final = "_booked"
LIMITS: Final = Limits(facts_ms=20 * 365 * 86_400_000, minutes_ms=20 * 365 * 86_400_000)  # the day is not today
_SAID: Final = {"up": GOOD, "resumed": uncertain(Reason.NOT_CONNECTED), "renewed": uncertain(Reason.MISSING)}
_PER_BATCH: Final = 150
_HOUR_MS: Final = 3_600_000
Said = tuple[int, str, int, float | str, int]
"""Arrival in ms, tag name, time in ns, value, quality."""


@dataclass(frozen=True)
class Life:
    """A machine, what it reported and what was booked; `source` is where its session is told."""

    machine: Machine
    story: Story

    @property
    def source(self) -> str:
        return f"source-of-{self.machine.name}"


@dataclass(frozen=True)
class Day:
    """A plant of machines over some hours; the same for the same seed."""

    seed: int
    hours: int

    @property
    def from_ms(self) -> int:
        return instant("Europe/Berlin", date(2026, 3, 28), "18:00")  # clocks go forward in this night

    @property
    def to_ms(self) -> int:
        return self.from_ms + self.hours * _HOUR_MS

    @cached_property
    def lives(self) -> tuple[Life, ...]:
        dice = random.Random(self.seed)
        days = [date(2026, 3, 28), date(2026, 3, 29)]
        return tuple(self._life(dice, world.rota(dice, "Europe/Berlin", days), hold) for hold in HOLDS)

    def _life(self, dice: random.Random, rota: Rota, hold: str) -> Life:
        machine = replace(world.machine(dice, rota, hold), name=hold)
        story = world.story(dice, machine, self.from_ms, self.to_ms)
        for role, reports in story.reports.items():
            if role in machine.meters and machine.meters[role].way == "counter":
                story.reports[role] = reports + _corrected(dice, reports)
        return Life(machine, story)

    def tags(self) -> list[Tag]:
        """Everything that is journalled."""
        found = [Tag("gateway/alive", TagType.BOOL)]
        for life in self.lives:
            found += [Tag(f"source/{life.source}/session", TagType.BOOL), entry_tag(life.machine.name)]
            for role in life.story.reports:
                if not role.endswith(BOOKED):
                    kind = TagType.TEXT if role in ("state", "product") else TagType.FLOAT
                    found.append(Tag(f"{life.machine.name}/{role}", kind))
        return found

    def models(self, tags: TagTable) -> dict[str, AssetModel]:
        """The engine's models, bound to the journal's tags."""
        found = {}
        for life in self.lives:
            name, made = life.machine.name, model(life.machine, life.story)
            session = tags.id_of(f"source/{life.source}/session") if life.machine.hold == "session" else -1
            bindings = {
                role: replace(b, tag=tags.id_of(f"{name}/{role}"), hold=replace(b.hold, session=session))
                for role, b in made.bindings.items()
            }
            found[name] = replace(made, bindings=bindings)
        return found

    def batches(self, tags: TagTable) -> Iterator[Batch]:
        """Everything in the order of arrival, some of it late, some twice."""
        dice = random.Random(self.seed + 1)
        said = [("gateway/alive", at) for at in range(self.from_ms, self.to_ms + 7_200_000, 10_000)]
        arrivals: list[Said] = [(at, name, at * 1_000_000, 1.0, GOOD) for name, at in said]
        for life in self.lives:
            for one in _told(life):
                late_ms = dice.choice([0, 0, 200, 2_000]) if dice.random() < 0.97 else dice.randrange(7_200_000)
                arrivals += [(one[0] + late_ms, *one[1:])] * (2 if dice.random() < 0.02 else 1)
        arrivals.sort(key=lambda one: one[0])
        for start in range(0, len(arrivals), _PER_BATCH):
            yield _batch(arrivals[start : start + _PER_BATCH], tags)


def _corrected(dice: random.Random, reports: list[Report]) -> list[Report]:
    """A few readings that somebody puts right later."""
    usable = [(report, report.value) for report in reports if isinstance(report.value, float)]
    return [replace(one, revision=1, value=value + 1) for one, value in dice.sample(usable, min(3, len(usable)))]


def _told(life: Life) -> Iterator[Said]:
    """What reaches the journal, at the time at which it happened; what people book comes hours later."""
    name = life.machine.name
    for role, reports in life.story.reports.items():
        for report in reports:
            if role.endswith(BOOKED) or report.revision:
                yield _entry(name, _booking(role, report))
            elif report.value is None:
                yield report.at_ms, f"{name}/{role}", _ns(report), "" if role in ("state", "product") else 0.0, _BAD
            else:
                yield report.at_ms, f"{name}/{role}", _ns(report), report.value, GOOD
    for span in life.story.spans:
        made = Entry(
            span.id, span.kind, span.from_ms, span.to_ms, span.value, revision=span.revision, usable=span.stands
        )
        yield _entry(name, made)
    if life.machine.hold == "session":
        for at_ms, what in life.story.session:
            yield (
                at_ms,
                f"source/{life.source}/session",
                at_ms * 1_000_000,
                float(what != "down"),
                _SAID.get(what, GOOD),
            )


_BAD: Final = bad(Reason.TIMEOUT)


def _ns(report: Report) -> int:
    return report.at_ms * 1_000_000 + report.number


def _booking(role: str, report: Report) -> Entry:
    assert isinstance(report.value, float)
    if role.endswith(BOOKED):
        return Entry(
            f"{role}-{report.number}", COUNT, report.at_ms, report.at_ms, report.value, role.removesuffix(BOOKED)
        )
    return Entry(f"{role}-{report.at_ms}", READING, report.at_ms, report.at_ms, report.value, role, report.number)


def _entry(asset: str, entry: Entry) -> Said:
    return entry.from_ms + 3_600_000, entry_tag(asset).name, stamp_ns(entry), dump(entry), GOOD


def _batch(said: list[Said], tags: TagTable) -> Batch:
    texts: dict[str, int] = {}
    values = [float(texts.setdefault(v, len(texts))) if isinstance(v, str) else v for _, _, _, v, _ in said]
    return Batch(
        np.array([tags.id_of(name) for _, name, _, _, _ in said], np.int32),
        np.array([time_ns for _, _, time_ns, _, _ in said], np.int64),
        np.array(values, np.float64),
        np.array([quality for *_, quality in said], np.uint8),
        tuple(texts),
    )


async def live(day: Day, folder: Path) -> None:
    """Journals the day and computes it, from wherever the files are."""
    clock = SystemClock()
    journal = SqliteJournal(folder / "journal.db", clock, commit_every_s=0.02)
    await journal.open([("kpi", False)], day.tags())
    models = day.models(journal.tags)
    site = Site("plant", "Europe/Berlin", {})
    engine = Engine(folder / "kpi.db", models, site, Factors(), journal, clock, limits=LIMITS, commit_every_s=0.05)
    computing = asyncio.create_task(follow(engine, "kpi", journal, clock, Link("kpi", clock)))
    for number, batch in enumerate(day.batches(journal.tags), 1):
        await journal.append(Delivery(batch), "day", number)  # those that are there already are ignored
        await asyncio.sleep(0.01)
    end = asyncio.Event()
    await journal.append(Delivery(batch, ack=end.set), "end")
    await end.wait()
    while engine.position() < journal.newest:
        await asyncio.sleep(0.02)
        await engine.flush()
    computing.cancel()
    await engine.close()
    await journal.close()


def main() -> None:
    """The command line above."""
    folder, seed, hours, place, count = sys.argv[1:]
    if place != "never":
        arm(place, int(count))
    asyncio.run(live(Day(int(seed), int(hours)), Path(folder)))


if __name__ == "__main__":
    main()

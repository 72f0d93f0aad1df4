"""`lineside scan`: which units answer at an endpoint, and which addresses they have."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Listing

from adapters.modbus.frames import Answer, Failure, Read
from adapters.modbus.point import Table
from adapters.modbus.probe import Probe, probing
from adapters.modbus.scan import Search, all_alike, is_there
from gateway.clock import SystemClock
from gateway.ports import NotConnected


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look for.

    units, addresses  first and last
    budget            reads of each unit and table at most
    pause_s           before each read: the line has other work to do
    """

    endpoint: str
    units: tuple[int, int]
    tables: tuple[Table, ...]
    addresses: tuple[int, int]
    budget: int
    timeout_s: float
    pause_s: float


async def print_scan(wish: Wish, stop: asyncio.Event, console: Console) -> bool:
    """Scans and prints what is there, also when stopped or cut off half-way; whether any unit answered."""
    scan = _Scan(wish, stop)
    problem = ""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        try:
            async with probing(wish.endpoint, wish.timeout_s, wish.pause_s, SystemClock()) as probe:
                await scan.run(probe, progress)
        except NotConnected as exc:
            problem = str(exc)
    if scan.units:
        console.print(scan.heading, markup=False)
        console.print(_listing(scan.searches))
        console.print("look at values with: " + scan.hint, style="dim", markup=False)
    elif not problem and not stop.is_set():
        problem = f"{wish.endpoint}: no unit from {wish.units[0]} to {wish.units[1]} answers"
    if problem:
        console.print(problem, style="red", markup=False)
    if stop.is_set():
        console.print("stopped before the end", style="yellow")
    return bool(scan.units)


class _Scan:
    def __init__(self, wish: Wish, stop: asyncio.Event) -> None:
        self._wish = wish
        self._stop = stop
        self._alike = False
        self.units: dict[int, Answer] = {}  # that answered, and what
        self.searches: list[tuple[int, Search]] = []

    async def run(self, probe: Probe, progress: Progress) -> None:
        """Asks each unit for one register, then searches the tables of those that answered."""
        first, last = self._wish.units
        task = progress.add_task("units", total=last - first + 1)
        asked = 0
        for unit in range(first, last + 1):
            if self._stop.is_set():
                return
            answer = await probe.read(Read(unit, Table.HOLDING, self._wish.addresses[0], 1))
            asked += 1
            if is_there(answer):
                self.units[unit] = answer
            progress.advance(task)
        self._alike = len(self.units) == asked and all_alike(self.units)
        for unit in list(self.units)[: 1 if self._alike else None]:
            for table in self._wish.tables:
                await self._search(probe, unit, table, progress)

    async def _search(self, probe: Probe, unit: int, table: Table, progress: Progress) -> None:
        search = Search(unit, table, self._wish.addresses, self._wish.budget)
        self.searches.append((unit, search))
        task = progress.add_task(f"unit {unit}: {table}", total=None)
        while not self._stop.is_set() and (read := search.next()) is not None:
            search.take(await probe.read(read))
            found = sum(last - first + 1 for first, last in search.ranges)
            progress.update(task, description=f"unit {unit}: {table}: {search.asked} reads, {found} addresses found")
        progress.update(task, total=1, completed=1)

    @property
    def heading(self) -> str:
        """Who answered."""
        units = sorted(self.units)
        if self._alike:
            return f"{self._wish.endpoint}: every unit answers alike: one device, which does not look at unit ids"
        refusing = [f"{unit} ({a.text})" for unit, a in self.units.items() if isinstance(a, Failure)]
        text = f"{self._wish.endpoint}: unit{'s' * (len(units) > 1)} {', '.join(map(str, units))} answered"
        return f"{text}, though with a refusal: {'; '.join(refusing)}" if len(refusing) == len(units) else text

    @property
    def hint(self) -> str:
        """The command that goes on from here."""
        found = ((u, s.table, s.ranges[0]) for u, s in self.searches if s.ranges and not s.table.is_bits)
        unit, table, (first, last) = next(found, (min(self.units), Table.HOLDING, (0, 1)))
        count = min(10, last - first + 1)
        return (
            f"lineside decode --from {self._wish.endpoint} --unit {unit} --table {table} "
            f"--address {first} --count {count}"
        )


def _listing(searches: Sequence[tuple[int, Search]]) -> Listing:
    listing = Listing()
    listing.add_column("unit", justify="right")
    listing.add_column("table")
    listing.add_column("addresses")
    for column in ("found", "reads"):
        listing.add_column(column, justify="right")
    listing.add_column("remark")
    for unit, search in searches:
        ranges = ", ".join(f"{first}…{last}" if last > first else str(first) for first, last in search.ranges)
        found = sum(last - first + 1 for first, last in search.ranges)
        unknown = f"{search.unknown} addresses not looked at one by one" if search.unknown else ""
        remark = "; ".join(filter(None, (search.why, unknown)))
        listing.add_row(str(unit), str(search.table), ranges or "–", str(found), str(search.asked), remark)
    return listing

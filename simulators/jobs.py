"""What a line works on: orders, the jobs made of them, and the buffers that carry parts between machines."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from simpy import Environment, Event

from simulators.ledger import Ledger, OrderRow
from simulators.plant_models import GeneratedOrders, OrderSpec
from simulators.scenario import Scenario
from simulators.states import State

PATIENCE_MS = 120_000
"""A starved or blocked machine waits for a few parts or places at once, but not longer than this if there is one."""


@dataclass(slots=True, eq=False)
class Job:
    """An order on its way through a line; `left` parts still have to be begun, `inside` are between begin and end."""

    order: str
    product: str
    quantity: int = 0
    left: int = 0
    inside: int = 0
    row: OrderRow | None = None
    is_current: bool = True

    def end_part(self, at_ms: int) -> None:
        """A part left the line."""
        self.inside -= 1
        if self.row and self.inside == 0 and self.left == 0:
            self.row.to_ms = at_ms

    def lose_part(self, at_ms: int, *, first: bool) -> None:
        """A part was scrapped or goes to rework; at the first machine another is begun for it."""
        self.left += first and self.is_current and self.row is not None
        self.end_part(at_ms)


class Feed(Protocol):
    """Where a machine gets its next part from."""

    waiting: State

    def take(self, now_ms: int) -> Job | None:
        """The job of the next part, or None while there is none."""

    def enough(self) -> Event:
        """Happens when there is enough to begin again."""

    def forget(self, event: Event) -> None:
        """Nobody waits for that any more."""


class Backlog:
    """The orders of one line, one after the other; it feeds the line's first machines."""

    waiting = State.IDLE

    def __init__(self, env: Environment, jobs: Iterator[Job], line: str, ledger: Ledger) -> None:
        self._env = env
        self._jobs = jobs
        self._line = line
        self._ledger = ledger
        self._job: Job | None = None

    def take(self, now_ms: int) -> Job | None:
        """The job of the next part; None when all orders are done."""
        job = self._job
        if job is None or (job.left == 0 and job.row is not None):
            if job is not None:
                job.is_current = False
            job = self._job = next(self._jobs, None)
            if job is None:
                return None
            if job.quantity:
                job.row = OrderRow(job.order, self._line, job.product, job.quantity, now_ms)
                self._ledger.orders.append(job.row)
        if job.row is not None:
            job.left -= 1
        job.inside += 1
        return job

    def enough(self) -> Event:
        """Never: no further orders come."""
        return self._env.event()

    def forget(self, event: Event) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class _Run:
    """Parts of one job that lie behind each other."""

    job: Job
    parts: int = 1


class Buffer:
    """A finite place for parts between machines, first in first out."""

    waiting = State.SUSPENDED

    def __init__(self, env: Environment, size: int) -> None:
        self.size = size
        self.level = 0
        self._env = env
        self._runs: deque[_Run] = deque()  # oldest first
        self._lot = max(1, size // 4)
        self._takers: list[Event] = []
        self._givers: list[Event] = []

    def put(self, job: Job) -> bool:
        """Lay a part down; False: there is no place."""
        if self.level == self.size:
            return False
        self.level += 1
        runs = self._runs
        if runs and runs[-1].job is job:
            runs[-1].parts += 1
        else:
            runs.append(_Run(job))
        if self._takers and self.level >= self._lot:
            self._wake(self._takers)
        return True

    def take(self, now_ms: int) -> Job | None:
        """Take the oldest part; None: there is none."""
        if not self.level:
            return None
        self.level -= 1
        run = self._runs[0]
        run.parts -= 1
        if not run.parts:
            self._runs.popleft()
        if self._givers and self.size - self.level >= self._lot:
            self._wake(self._givers)
        return run.job

    def enough(self) -> Event:
        """Happens when a few parts have gathered, so that a starved machine does not stop after each of them."""
        return self._promise(self._takers, self.level)

    def room(self) -> Event:
        """Happens when there is place for a few parts."""
        return self._promise(self._givers, self.size - self.level)

    def forget(self, event: Event) -> None:
        """Nobody waits for that any more."""
        for waiting in (self._takers, self._givers):
            if event in waiting:
                waiting.remove(event)

    def _promise(self, waiting: list[Event], there: int) -> Event:
        event = self._env.event()
        if there >= self._lot:
            event.succeed()
        else:
            waiting.append(event)
        return event

    @staticmethod
    def _wake(waiting: list[Event]) -> None:
        for event in waiting:
            event.succeed()
        waiting.clear()


def jobs_of(scenario: Scenario, line: str, shared: Iterator[Job], product: str) -> Iterator[Job]:
    """The jobs of a line (or of a machine that stands alone): its own orders, then the shared ones.

    Args:
        scenario: says which orders there are.
        line: the name of the line or machine.
        shared: what all lines take from.
        product: what is made where there are no orders.
    """
    spec = scenario.lines.get(line)
    orders = spec.orders if spec and spec.orders else scenario.orders
    if orders is None:
        yield Job("", product)
    elif isinstance(orders, GeneratedOrders):
        yield from _generated(orders, list(scenario.products), line, Random(f"{scenario.seed}/orders/{line}"))
    else:
        yield from _listed([order for order in orders if order.line == line], line)
        yield from shared


def shared_jobs(scenario: Scenario) -> Iterator[Job]:
    """The listed orders that any line may take."""
    orders = scenario.orders if isinstance(scenario.orders, list) else []
    return _listed([order for order in orders if order.line is None], scenario.scenario)


def _listed(orders: Sequence[OrderSpec], prefix: str) -> Iterator[Job]:
    for number, order in enumerate(orders, 1):
        name = order.order or f"{prefix}-{number:04}"
        yield Job(name, order.product, order.quantity, order.quantity)


def _generated(orders: GeneratedOrders, products: Sequence[str], line: str, rng: Random) -> Iterator[Job]:
    number = 0
    while True:
        product = products[number % len(products)] if orders.products == "in turn" else rng.choice(products)
        quantity = rng.randint(*orders.quantity)
        number += 1
        yield Job(f"{line}-{number:04}", product, quantity, quantity)

"""One machine's life as a SimPy process: cycles, stops, set-ups, tools, waiting and rest."""

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from simpy import Event, Resource
from simpy.resources.resource import Request

from simulators.body import Body
from simulators.events import OrderChange, Part, ProductChange
from simulators.hours import FAR_MS, Hours
from simulators.jobs import PATIENCE_MS, Buffer, Feed, Job
from simulators.machine_models import StopSpec
from simulators.plant_models import ProductSpec
from simulators.quantities import Span
from simulators.states import State
from simulators.timeline import Timeline

Life = Generator[Event, Any, None]
_PLAIN = ProductSpec()
_NO_JOB = Job("", "")


class Machine:
    """A machine that takes parts from its feed, works on them and hands them on.

    A part and a change of state, and two changes of state, never share a millisecond: so a part always belongs to the
    EXECUTE interval around it.
    """

    def __init__(
        self,
        env: Timeline,
        body: Body,
        hours: Hours,
        operators: Resource | None,
        products: Mapping[str, ProductSpec],
    ) -> None:
        self.body = body
        self.feed: Feed
        self.out: Buffer | None = None
        self.is_first = True
        self._env = env
        self._hours = hours
        self._operators = operators
        self._products = products
        self._job = _NO_JOB
        self._stops = list(body.spec.stops.values())
        self._tool = body.spec.tool
        self._luck = body.rng.random
        self._book_part = body.book.finish
        self._rework = body.spec.rework
        self._spread = 2 * body.spec.cycle_spread  # the sum of three even numbers has half a standard deviation
        self._make(_PLAIN)
        # moments: of the next end or begin of working time, of the last part or change of state
        self._edges: Iterator[tuple[int, bool]] = iter(())
        self._edge_ms = FAR_MS
        self._last_ms = 0
        # in producing time: how much so far, when each stop is due, when the next one is
        self._busy_ms = 0
        self._dues: list[int] = []
        self._due_ms = FAR_MS
        self._cycle_ms = self._left_ms = 0
        self._tool_parts = 0
        self._wear = 0.0

    def life(self, at_ms: int) -> Life:
        """Begin at `at_ms` and go on for ever."""
        yield self._env.timeout(at_ms - self._env.now)
        self._begin(at_ms)
        env, body, is_plain = self._env, self.body, not self.body.spec.load
        while True:
            now = env.now
            job = self.feed.take(now)
            if job is None:
                job = yield from self._wait_for_job()
            if job is not self._job:
                yield from self._turn_to(job)
                now = env.now
            left = self._draw_cycle()
            # nearly every cycle goes through: one event and no generator of its own
            if (
                is_plain
                and body.state is State.EXECUTE
                and self._busy_ms + left < self._due_ms
                and now + left < self._edge_ms
            ):
                yield env.timeout(left)
                self._busy_ms += left
            else:
                yield from self._cycle()
            if self._finish(job) and self.out is not None and not self.out.put(job):
                yield from self._wait_for_room(self.out, job)
            if self._tool and self._tool_parts >= self._tool.life:
                yield from self._set_up(self._tool.change)
                self._tool_parts, self._wear = 0, 0.0

    def _begin(self, at_ms: int) -> None:
        self._last_ms = self.body.changed_ms
        self._dues = [self._next_due(stop) for stop in self._stops]
        self._due_ms = min(self._dues, default=FAR_MS)
        self._edges = self._hours.edges(at_ms)
        _, planned = next(self._edges)
        self._plan(at_ms, planned=planned)
        self._edge_ms = next(self._edges)[0] if planned else at_ms

    # ---- work

    def _cycle(self) -> Life:
        """One cycle of producing time, with the stops and the rest that come in between."""
        env, body = self._env, self.body
        if body.spec.load and body.state is State.EXECUTE and env.now < self._edge_ms:
            body.draw_cycle(env.now, self._cycle_ms, self._left_ms)
        while True:
            if body.state is not State.EXECUTE or env.now >= self._edge_ms:
                yield from self._show(State.EXECUTE)
            run = min(self._due_ms - self._busy_ms, self._edge_ms - env.now)
            if self._left_ms < run:
                yield env.timeout(self._left_ms)
                self._busy_ms += self._left_ms
                return
            yield env.timeout(run)
            self._busy_ms += run
            self._left_ms = max(1, self._left_ms - run)
            if self._busy_ms >= self._due_ms:
                yield from self._stop(self._dues.index(self._due_ms))

    def _stop(self, index: int) -> Life:
        stop = self._stops[index]
        operator = None
        if stop.operator:
            first = next(iter(stop.lasts))
            operator = yield from self._call_operator(State.IDLE if first is State.SETUP else first)
        for state, span in stop.lasts.items():
            yield from self._stay(self.body.lasts_ms(span), state)
        self._let_go(operator)
        self._dues[index] = self._busy_ms + self._next_due(stop)
        self._due_ms = min(self._dues)

    def _turn_to(self, job: Job) -> Life:
        """Another order; where its product is another one too, a set-up first."""
        yield from self._pass_moment()
        before, self._job, now, body = self._job, job, self._env.now, self.body
        if job.order:
            body.book.work_on(now, job.order)
            body.tell(OrderChange(body.name, now, job.order, job.product, job.quantity))
        if job.product == before.product:
            return
        self._make(self._products.get(job.product, _PLAIN))
        body.book.turn_to(now, job.product)
        body.tell(ProductChange(body.name, now, job.product, body.book.ideal_s[job.product]))
        if before is not _NO_JOB and body.spec.setup:
            yield from self._set_up(body.spec.setup)

    def _set_up(self, span: Span) -> Life:
        operator = yield from self._call_operator(State.IDLE)
        yield from self._stay(self.body.lasts_ms(span), State.SETUP)
        self._let_go(operator)

    def _finish(self, job: Job) -> bool:
        """Book the part that is done; whether it goes on along the line."""
        now, body, luck = self._env.now, self.body, self._luck()
        scrap = self._scrap
        if self._tool:
            scrap *= 1 + (self._tool.scrap - 1) * self._wear**2
            self._tool_parts += 1
            self._wear = self._tool_parts / self._tool.life
        bad = scrap + self._rework
        good, rework = luck >= bad, scrap <= luck < bad
        self._last_ms = now
        self._book_part(now, good, rework)
        if body.is_heard:
            body.tell(Part(body.name, now, good, self._cycle_ms / 1000, rework, job.product, job.order))
        if now >= body.wanders_ms:
            body.wander(now)
        if not good:
            job.lose_part(now, first=self.is_first)
        elif self.out is None:
            job.end_part(now)
        return good

    def _make(self, product: ProductSpec) -> None:
        """Times, scrap and power are now those of this product."""
        spec = self.body.spec
        assert spec.ideal_cycle is not None
        self._ideal_ms = 1000 * spec.ideal_cycle * product.cycle
        self._mean_ms = 1000 * (spec.cycle or 1.05 * spec.ideal_cycle) * product.cycle
        self._scrap = spec.scrap * product.scrap
        self.body.power_factor = product.power

    # ---- waiting

    def _wait_for_job(self) -> Generator[Event, Any, Job]:
        patience_ms = PATIENCE_MS if self.feed.waiting is State.SUSPENDED else FAR_MS
        while True:
            yield from self._show(self.feed.waiting)
            enough = self.feed.enough()
            yield from self._until(enough, patience_ms)
            self.feed.forget(enough)
            job = self.feed.take(self._env.now) if self._env.now < self._edge_ms else None
            if job is not None:
                return job

    def _wait_for_room(self, out: Buffer, job: Job) -> Life:
        while True:
            yield from self._show(State.HELD)
            room = out.room()
            yield from self._until(room, PATIENCE_MS)
            out.forget(room)
            if self._env.now < self._edge_ms and out.put(job):
                return

    def _call_operator(self, waiting: State) -> Generator[Event, Any, Request | None]:
        if self._operators is None:
            return None
        request = self._operators.request()
        while not request.triggered:
            yield from self._show(waiting)
            if not request.triggered:
                yield from self._until(request, FAR_MS)
        return request

    def _let_go(self, operator: Request | None) -> None:
        if operator is not None and self._operators is not None:
            self._operators.release(operator)

    def _until(self, event: Event, patience_ms: int) -> Life:
        """Wait for an event, but not over an edge of the working time, and not longer than one has patience."""
        limit_ms = min(self._edge_ms - self._env.now, patience_ms)
        if limit_ms >= FAR_MS // 2:
            yield event
        else:
            yield event | self._env.timeout(limit_ms)

    def _stay(self, left_ms: int, state: State) -> Life:
        """Spend working time in a state."""
        while left_ms > 0:
            yield from self._show(state)
            spent_ms = min(left_ms, self._edge_ms - self._env.now)
            yield self._env.timeout(spent_ms)
            left_ms -= spent_ms

    # ---- states

    def _show(self, state: State) -> Life:
        """Enter a state, after the rest if the working time has ended."""
        while True:
            if self._env.now >= self._edge_ms:
                yield from self._rest()
            if self.body.state is state:
                return
            if self._env.now > self._last_ms:
                break
            yield from self._pass_moment()
        self._enter(state)

    def _rest(self) -> Life:
        """Stand stopped until the working time begins again."""
        self._plan(self._edge_ms, planned=False)
        begin_ms = next(self._edges)[0]
        yield from self._pass_moment()
        if self.body.state is not State.STOPPED:
            self._enter(State.STOPPED)
        yield self._env.timeout(begin_ms - self._env.now)
        self._plan(begin_ms, planned=True)
        self._edge_ms = next(self._edges)[0]

    def _enter(self, state: State) -> None:
        self._last_ms = self._env.now
        self.body.enter(self._env.now, state, (self._cycle_ms, self._left_ms))

    def _plan(self, at_ms: int, *, planned: bool) -> None:
        if bool(self.body.book.planned[-1]) != planned:
            self.body.book.plan(at_ms, planned=planned)

    def _pass_moment(self) -> Life:
        if self._env.now <= self._last_ms:
            yield self._env.timeout(1)

    # ---- chance

    def _draw_cycle(self) -> int:
        """How long this cycle takes: nearly normal (three even numbers), never more than 3 standard deviations off."""
        luck = self._luck
        drawn_ms = self._mean_ms * (1 + self._spread * (luck() + luck() + luck() - 1.5))
        if self._tool:
            drawn_ms *= 1 + self._tool.slower * self._wear
        cycle_ms = round(drawn_ms if drawn_ms > self._ideal_ms else self._ideal_ms) or 1
        self._cycle_ms = self._left_ms = cycle_ms
        return cycle_ms

    def _next_due(self, stop: StopSpec) -> int:
        return max(1, round(1000 * self.body.rng.gammavariate(stop.regularity, stop.every / stop.regularity)))

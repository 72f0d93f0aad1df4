"""One machine's part of the ledger."""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field

from simulators.states import State
from simulators.steps import Steps

_MARK_EVERY = 4096


@dataclass(slots=True)
class MachineLedger:
    """One machine's history: append-only columns, each in time order.

    planned  whether it is planned to work (1) or not (0) from `planned_ms` on
    ideal_s  ideal cycle time by product, in s
    power    in W, `reactive` in var, `flows` (air, water, gas) in mL/min; the air of a compressor is what it delivers
    """

    state_ms: list[int] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    part_ms: "array[int]" = field(default_factory=lambda: array("q"))
    part_good: "array[int]" = field(default_factory=lambda: array("b"))
    part_rework: "array[int]" = field(default_factory=lambda: array("b"))
    product_ms: list[int] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    order_ms: list[int] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    planned_ms: list[int] = field(default_factory=list)
    planned: list[int] = field(default_factory=list)
    ideal_s: dict[str, float] = field(default_factory=dict)
    power: Steps = field(default_factory=Steps)
    reactive: Steps = field(default_factory=Steps)
    flows: dict[str, Steps] = field(default_factory=dict)
    # good and rework parts at every so many parts: a count at any time is cheap
    _marks: list[tuple[int, int]] = field(default_factory=list, compare=False, repr=False)

    def enter(self, at_ms: int, state: State) -> None:
        """Book a state that holds from `at_ms` on."""
        self.state_ms.append(at_ms)
        self.states.append(state)

    def finish(self, at_ms: int, good: bool, rework: bool = False) -> None:
        """Book a part that was completed at `at_ms`."""
        self.part_ms.append(at_ms)
        self.part_good.append(good)
        self.part_rework.append(rework)

    def turn_to(self, at_ms: int, product: str) -> None:
        """Book a product that is made from `at_ms` on."""
        self.product_ms.append(at_ms)
        self.products.append(product)

    def work_on(self, at_ms: int, order: str) -> None:
        """Book an order that is worked on from `at_ms` on."""
        self.order_ms.append(at_ms)
        self.orders.append(order)

    def plan(self, at_ms: int, *, planned: bool) -> None:
        """Book whether the machine is planned to work from `at_ms` on."""
        self.planned_ms.append(at_ms)
        self.planned.append(int(planned))

    def state_at(self, at_ms: int) -> State:
        """The state that holds at `at_ms` (a change counts from its own millisecond on)."""
        return self.states[bisect_right(self.state_ms, at_ms) - 1]

    def product_at(self, at_ms: int) -> str:
        """The product that the machine is set to at `at_ms`, or ""."""
        index = bisect_right(self.product_ms, at_ms)
        return self.products[index - 1] if index else ""

    def order_at(self, at_ms: int) -> str:
        """The order that the machine works on at `at_ms`, or ""."""
        index = bisect_right(self.order_ms, at_ms)
        return self.orders[index - 1] if index else ""

    def watts_at(self, at_ms: int) -> int:
        """The power in W drawn from `at_ms` on."""
        return self.power.rate_at(at_ms)

    def watt_ms_at(self, at_ms: int) -> int:
        """Energy used from the ledger's beginning to `at_ms`, in watt-milliseconds, exact."""
        return self.power.sum_at(at_ms)

    def counts_at(self, at_ms: int) -> tuple[int, int, int]:
        """Total, good and rework parts from the beginning up to and with `at_ms`."""
        total = bisect_right(self.part_ms, at_ms)
        while (len(self._marks) * _MARK_EVERY) + _MARK_EVERY <= total:
            self._marks.append(self._counted(len(self._marks) * _MARK_EVERY, (len(self._marks) + 1) * _MARK_EVERY))
        return (total, *self._counted(total // _MARK_EVERY * _MARK_EVERY, total))

    def _counted(self, first: int, last: int) -> tuple[int, int]:
        """Good and rework parts up to the part `last`, from the mark at the part `first` on."""
        good, rework = self._marks[first // _MARK_EVERY - 1] if first else (0, 0)
        return good + sum(self.part_good[first:last]), rework + sum(self.part_rework[first:last])

    def switch_off(self, at_ms: int) -> None:
        """Nothing is drawn any more."""
        for steps in (self.power, self.reactive, *self.flows.values()):
            steps.step(at_ms, 0)

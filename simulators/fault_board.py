"""Which faults go on right now, and what they make of what a device shows and says."""

from collections.abc import Callable, Iterator, Sequence

from simulators.faults import Fault, FaultRule, Kind, Targets, faults

SAY_NOTHING = frozenset({Kind.SILENCE, Kind.REBOOT, Kind.REPLACED_METER, Kind.DEAD_METER})
_SET_BACK = frozenset({Kind.REBOOT, Kind.REPLACED_METER})
_COUNTING = _SET_BACK | {Kind.DEAD_METER}


class FaultBoard:
    """Follows the timetable as the plant's time goes on, and books each fault when it begins.

    All times are the plant's, in epoch ms; asking about a target that nothing is wrong with costs next to nothing.

    book  called once with each fault, when it begins
    """

    def __init__(
        self,
        rules: Sequence[FaultRule] = (),
        targets: Targets | None = None,
        seed: object = 0,
        start_ms: int = 0,
        book: Callable[[Fault], None] | None = None,
    ) -> None:
        self.targets = targets or Targets({}, {})
        self._coming: Iterator[Fault] = faults(rules, self.targets, seed, start_ms)
        self._next = next(self._coming, None)
        self._open: dict[str, list[Fault]] = {}
        self._history: dict[str, list[Fault]] = {}  # of what changes counters for good
        self._latest: dict[tuple[str, Kind], Fault] = {}
        self._book = book

    def active(self, target: str, now_ms: int) -> list[Fault]:
        """What is wrong with a target now: what was set on itself, not what its face or network suffers."""
        self._advance(now_ms)
        going_on = self._open.get(target)
        if not going_on:
            return []
        left = self._open[target] = [fault for fault in going_on if now_ms < fault.to_ms]
        return [fault for fault in left if fault.from_ms <= now_ms]

    def one(self, target: str, kind: Kind, now_ms: int) -> Fault | None:
        """The fault of this kind that goes on, the newest one."""
        return next((fault for fault in reversed(self.active(target, now_ms)) if fault.kind is kind), None)

    def latest(self, target: str, kind: Kind, now_ms: int) -> Fault | None:
        """The newest fault of this kind, whether it goes on or is over."""
        self._advance(now_ms)
        return self._latest.get((target, kind))

    @property
    def next_ms(self) -> int | None:
        """When the next fault begins; None: never again."""
        return self._next.from_ms if self._next else None

    def silent(self, target: str, now_ms: int) -> bool:
        """Whether a device says nothing at all now; what it would have said is never said."""
        return any(fault.kind in SAY_NOTHING for fault in self.active(target, now_ms))

    def shown(self, target: str, now_ms: int, value: float, value_at: Callable[[int], float]) -> float:
        """What a counter of this device shows.

        Args:
            target: `machine/<name>` for parts, `meter/<name>` for energy.
            value: what has truly been counted up to now.
            value_at: the same for a moment in the past, epoch ms.
        """
        self._advance(now_ms)
        history = self._history.get(target)
        if not history:
            return value
        begin_ms, begin_with, missed = 0, 0.0, 0.0
        for fault in history:
            if fault.kind in _SET_BACK and fault.to_ms <= now_ms:
                begin_ms, missed = fault.to_ms, value_at(fault.to_ms)
                begin_with = fault.rule.reading if fault.kind is Kind.REPLACED_METER else 0.0
            elif fault.kind is Kind.DEAD_METER:
                end_ms = min(fault.to_ms, now_ms)
                if begin_ms < end_ms:
                    missed += value_at(end_ms) - value_at(max(begin_ms, fault.from_ms))
        return value - missed + begin_with

    def clock_offset_ms(self, target: str, now_ms: int) -> int:
        """How far the device's own clock is off: to be added to the times that it writes."""
        fault = self.one(target, Kind.CLOCK_JUMP, now_ms)
        return round(1000 * fault.rule.jump) if fault else 0

    def copies(self, target: str, now_ms: int) -> int:
        """How often a message is sent; 1: as it should be."""
        fault = self.one(target, Kind.DUPLICATE, now_ms)
        return fault.rule.copies if fault else 1

    def lateness_ms(self, target: str, now_ms: int) -> int:
        """How long a message is held back, so that later ones overtake it."""
        fault = self.one(target, Kind.LATE, now_ms)
        return round(1000 * fault.rule.delay) if fault else 0

    def _advance(self, now_ms: int) -> None:
        while self._next and self._next.from_ms <= now_ms:
            fault, self._next = self._next, next(self._coming, None)
            self._open.setdefault(fault.on, []).append(fault)
            self._latest[fault.on, fault.kind] = fault
            if fault.kind in _COUNTING:
                self._history[fault.on] = [*_since_set_back(self._history.get(fault.on, []), now_ms), fault]
            if self._book:
                self._book(fault)


def _since_set_back(history: Sequence[Fault], now_ms: int) -> Sequence[Fault]:
    """What still matters to a counter: nothing from before it last began anew."""
    over = [place for place, fault in enumerate(history) if fault.kind in _SET_BACK and fault.to_ms <= now_ms]
    return history[over[-1] :] if over else history

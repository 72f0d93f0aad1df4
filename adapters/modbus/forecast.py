"""How long reading will take, before anything is read: what a line can carry, and what is asked of it. Pure.

Source of frame lengths and gaps: Modbus over Serial Line V1.02 §2.5, Modbus Messaging on TCP/IP V1.0b §3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, floor, log10
from typing import Final

from adapters.modbus.locator import Locator, SerialLine
from adapters.modbus.manners import Manners
from adapters.modbus.plan import Block

_ROOM: Final = 0.9  # a line that is busy for longer has no time left for retries
_RTU_BYTES: Final = 8 + 5  # request; unit, function, length and CRC of the reply
_ASCII_CHARS: Final = 17 + 11  # the same in hexadecimal digits, with colon, LRC, CR and LF


@dataclass(frozen=True, slots=True)
class Assumed:
    """What no config says.

    answer_s     from the end of a request to the beginning of its reply, in the device
    round_trip_s the same over a network, transport included
    baud         of a serial line behind a gateway
    """

    answer_s: float = 0.02
    round_trip_s: float = 0.01
    baud: int = 9600


@dataclass(frozen=True, slots=True)
class Round:
    """What one source reads at once: a poll group's blocks, every `period_s`."""

    source: str
    unit: int
    group: str
    period_s: float
    blocks: tuple[Block, ...]
    unused: int = 0  # registers (16 bits count as one) that are read along and wanted by no point


@dataclass(frozen=True, slots=True)
class Forecast:
    """An endpoint's rounds, and the seconds that each takes.

    load   the part of all time that the endpoint is busy; above 1 its rates cannot be met
    all_s  until everything is read once: how late a round comes at worst, when all fall due together
    """

    locator: Locator
    behind: SerialLine | None
    rounds: tuple[Round, ...]
    seconds: tuple[float, ...]

    @property
    def load(self) -> float:
        """See above."""
        return sum(s / r.period_s for r, s in zip(self.rounds, self.seconds, strict=True))

    @property
    def all_s(self) -> float:
        """See above."""
        return sum(self.seconds)

    @property
    def late(self) -> tuple[str, ...]:
        """Groups that skip slots now and then, though the load is bearable: others take longer than their period."""
        return tuple(sorted({r.group for r in self.rounds if self.all_s > r.period_s}))

    def remedy(self) -> dict[str, float]:
        """Seconds between two reads, by group, that would do; {} where the rates can be met.

        The group that weighs most is slowed down; all groups where that alone does not help.
        """
        if self.load <= 1:
            return {}
        weights = {group: sum(w for _, w in pairs) for group, pairs in groupby(sorted(self._weights()), lambda p: p[0])}
        heaviest = max(weights, key=lambda group: weights[group])
        rest = self.load - weights[heaviest]
        if rest < _ROOM / 2:
            return {heaviest: _round_up(self._period(heaviest) * weights[heaviest] / (_ROOM - rest))}
        return {group: _round_up(self._period(group) * self.load / _ROOM) for group in weights}

    def _weights(self) -> list[tuple[str, float]]:
        return [(r.group, s / r.period_s) for r, s in zip(self.rounds, self.seconds, strict=True)]

    def _period(self, group: str) -> float:
        """The longest that is asked of it: what is slower than all of them is slow enough."""
        return max(r.period_s for r in self.rounds if r.group == group)


def forecast(locator: Locator, rounds: Sequence[Round], manners: Manners, assumed: Assumed) -> Forecast:
    """What reading these rounds over one endpoint takes.

    rounds: of all sources that share the endpoint
    manners: the gentlest of theirs
    A tcp, tls or udp endpoint with several units is taken for a gateway to a serial line of `assumed.baud`.
    """
    units = {r.unit for r in rounds}
    behind = None
    if locator.is_bus or len(units) > 1:
        behind = locator.line if locator.is_serial else replace(locator.line, baud=assumed.baud)
    per_read = [_exchange_s(locator, behind, block, assumed) + manners.pause_s for r in rounds for block in r.blocks]
    each = iter(per_read)
    depth = 1 if behind else manners.depth
    turnaround_s = manners.turnaround_s if len(units) > 1 else 0.0
    opening_s = assumed.round_trip_s + manners.connect_delay_s if manners.close_after_poll else 0.0
    seconds = tuple(sum(next(each) for _ in r.blocks) / depth + turnaround_s + opening_s for r in rounds)
    return Forecast(locator, behind, tuple(rounds), seconds)


def _exchange_s(locator: Locator, behind: SerialLine | None, block: Block, assumed: Assumed) -> float:
    """From the first byte of a request to the moment at which the next may begin."""
    network_s = 0.0 if locator.is_serial else assumed.round_trip_s
    if behind is None:
        return network_s
    chars = _ASCII_CHARS + 2 * block.nbytes if locator.framing == "ascii" else _RTU_BYTES + block.nbytes
    gaps = 0 if locator.framing == "ascii" else 2
    return network_s + assumed.answer_s + chars * behind.char_s + gaps * behind.gap_s


def _round_up(seconds: float) -> float:
    """To two digits, so that it can be written down."""
    step = 10.0 ** (floor(log10(seconds)) - 1)
    return float(f"{ceil(seconds / step - 1e-9) * step:.6g}")
